/**
 * The log's file on the in-memory disk: entries, the record of where they begin and end, and the other
 * records that stand there, and how each write changes them.
 *
 * @module
 */
import type { Entry, LogIndex, NodeId } from "../raft/types.ts";
import { checkBatch } from "./batch.ts";
import { LOG_EMPTY, type LogEnd } from "./block_codec.ts";
import { bytesOf, endAt } from "./memory_disk_parts.ts";
import { STATE_EMPTY, type StateRecord } from "./record_codec.ts";
import { checkLogHas, hintAfter, type LogCut, type StoredSnapshot } from "./snapshot_place.ts";
import type { KnownPeer, LogBatch } from "./types.ts";

/** What is kept until a repair, and why. */
interface Quarantine {
  readonly reason: string;
  /** Serial numbers up to here are kept. */
  readonly serialMax: number;
}

export class MemoryLog {
  state: StateRecord = STATE_EMPTY;
  /** From behind the base. */
  entries: Entry[] = [];
  /** Of the entries. */
  bytes = 0;
  /** The record of the current snapshot. */
  current: StoredSnapshot | null = null;
  quarantine: Quarantine | null = null;
  peers: ReadonlyMap<NodeId, KnownPeer> = new Map();

  /** A copy of the whole file. */
  image(): MemoryLog {
    return Object.assign(new MemoryLog(), this, { entries: this.entries.slice() });
  }

  /** All three give what puts the entries back; who undoes restores state and size. */
  append(batch: LogBatch): () => void {
    const { base, end, hardState } = this.state;
    const kept = checkBatch(batch, base.lastIndex, end.lastIndex);
    const forgotten = this.entries.splice(kept - base.lastIndex);
    for (const entry of batch.entries) this.entries.push(entry);
    this.bytes += bytesOf(batch.entries) - bytesOf(forgotten);
    const last = this.entries.at(-1);
    this.state = {
      ...this.state,
      seq: this.state.seq + 1,
      hardState: batch.hardState ?? hardState,
      end: last === undefined ? base : endAt(last),
    };
    return () => {
      this.entries.length = kept - base.lastIndex;
      for (const entry of forgotten) this.entries.push(entry);
    };
  }

  /** Makes a snapshot the place where the log begins, or has it begin before. */
  cut(stored: StoredSnapshot, cut: LogCut): () => void {
    const { index, term } = stored.info.meta;
    const hint = hintAfter(this.state.hardState.commit, stored, cut);
    if (cut.type === "drop") {
      return this.empty({ lastIndex: index, lastTerm: term, chain: LOG_EMPTY.chain }, hint);
    }
    const { base, end, seq, hardState } = this.state;
    const at = (position: number) => this.entries[position - base.lastIndex - 1];
    checkLogHas(stored, base.lastIndex, end.lastIndex, at(index)?.term ?? null, cut);
    const to = Math.max(base.lastIndex, Math.min(cut.type === "keep" ? index : cut.to, index));
    const newBase = to === base.lastIndex ? base : endAt(at(to));
    const dropped = this.entries.splice(0, to - base.lastIndex);
    this.bytes -= bytesOf(dropped);
    this.state = {
      ...this.state,
      seq: seq + 1,
      hardState: { ...hardState, commit: hint },
      base: newBase,
    };
    return () => {
      this.entries = [...dropped, ...this.entries];
    };
  }

  /** Begins anew behind `base`. */
  empty(base: LogEnd, commit: LogIndex): () => void {
    const { seq, hardState, epoch } = this.state;
    this.state = {
      seq: seq + 1,
      hardState: { ...hardState, commit },
      epoch: epoch + 1,
      base,
      end: base,
    };
    const emptied = this.entries;
    this.entries = [];
    this.bytes = 0;
    return () => {
      this.entries = emptied;
    };
  }
}
