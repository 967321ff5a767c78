/**
 * What must hold across the replicas of a cluster (Raft, figure 3), watched from outside: through what each
 * node writes to its disk, what it tells, and what it shows of itself.
 *
 * For nodes that take no snapshots, so that logs are whole.
 *
 * @module
 */
import type { NodeEvent } from "../../actors/node.ts";
import type { ReplicaStatus } from "../../actors/service.ts";
import { isEmptyBatch } from "../../storage/batch.ts";
import type { Entry } from "../../raft/types.ts";
import type { KnownPeer, LogBatch, LogStore, Recovery } from "../../storage/types.ts";
import type { NodeId } from "../../raft/types.ts";

/** An entry as it is compared: its term, and all that is in it. */
interface Seen {
  readonly term: number;
  readonly content: string;
}

function seen({ term, kind, timeMs, data }: Entry): Seen {
  return { term, content: `${kind} ${timeMs} ${data}` };
}

/** Watches the nodes of one cluster. All its methods throw on a violation, but for `tell`, which keeps it. */
export class Safety {
  /** What of each node's log is on its disk, from index 1. */
  readonly #disks = new Map<string, Seen[]>();
  readonly #votes = new Map<string, { term: number; vote: string | null }>();
  readonly #leaders = new Map<number, string>();
  /** By index, from 1, as the first node showed it. */
  readonly #committed: Seen[] = [];
  readonly #hashes = new Map<number, string>();
  /** Of the current life of each node. */
  readonly #progress = new Map<string, ReplicaStatus>();
  readonly #violations: string[] = [];
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  /** How many entries were seen committed, and leaders elected: what was watched at all. */
  get watched(): { readonly committed: number; readonly leaders: number } {
    return { committed: this.#committed.length, leaders: this.#leaders.size };
  }

  /** @throws {Error} listing what was violated so far. */
  assertHeld(): void {
    if (this.#violations.length > 0) throw new Error(this.#violations.join("\n"));
  }

  /** Puts the watch over a node's log. */
  over(id: string, log: LogStore): LogStore {
    return new WatchedLog(log, {
      opened: ({ entries }) => void this.#disks.set(id, entries.map(seen)),
      committed: (batch) => this.#wrote(id, batch),
    });
  }

  /** Takes what a node tells. */
  tell(id: string, event: NodeEvent): void {
    if (event.type === "opened") this.#progress.delete(id);
    if (event.type === "fault" || event.type === "ended" || event.type === "diverged") {
      this.#violated(`${id}: ${event.type} ${"error" in event ? event.error : event.index}`);
    }
    if (event.type !== "role" || event.role !== "leader") return;
    const other = this.#leaders.get(event.term) ?? id;
    this.#leaders.set(event.term, id);
    if (other !== id) this.#violated(`election safety: ${other} and ${id} lead term ${event.term}`);
    this.#hasAllCommitted(id, event.term);
  }

  /** Takes what a node shows of itself now. */
  look(id: string, status: ReplicaStatus): void {
    const before = this.#progress.get(id);
    this.#progress.set(id, status);
    const { term, commitIndex, appliedIndex, lastIndex, stateHash } = status;
    if (!(appliedIndex <= commitIndex && commitIndex <= lastIndex)) {
      this.#violated(`${id}: applied ${appliedIndex}, committed ${commitIndex}, last ${lastIndex}`);
    }
    if (before !== undefined) {
      const isBack = term < before.term || commitIndex < before.commitIndex ||
        appliedIndex < before.appliedIndex;
      if (isBack) this.#violated(`${id} went back: ${JSON.stringify([before, status])}`);
    }
    const hash = this.#hashes.get(stateHash.index) ?? stateHash.hash;
    this.#hashes.set(stateHash.index, hash);
    if (hash !== stateHash.hash) {
      this.#violated(`state machine safety: ${id} has another state at ${stateHash.index}`);
    }
    this.#commits(id, commitIndex);
  }

  /** Two logs that agree on an entry's index and term agree on all before it (log matching). */
  matchLogs(): void {
    const logs = [...this.#disks];
    for (const [i, [a, logA]] of logs.entries()) {
      for (const [b, logB] of logs.slice(i + 1)) {
        let last = Math.min(logA.length, logB.length) - 1;
        while (last >= 0 && logA[last].term !== logB[last].term) last -= 1;
        for (let at = 0; at <= last; at++) {
          if (logA[at].term === logB[at].term && logA[at].content === logB[at].content) continue;
          this.#violated(
            `log matching: ${a} and ${b} differ at ${at + 1}, and agree at ${last + 1}`,
          );
          break;
        }
      }
    }
  }

  #wrote(id: string, { hardState, truncateFrom, entries }: LogBatch): void {
    const log = this.#disks.get(id)!;
    if (truncateFrom !== null) {
      // A committed entry is never taken back by a disk that holds it.
      for (let at = truncateFrom - 1; at < Math.min(log.length, this.#committed.length); at++) {
        if (log[at].term !== this.#committed[at].term) continue;
        this.#violated(`${id} takes back the committed entry ${at + 1}`);
        break;
      }
      log.length = truncateFrom - 1;
    }
    for (const entry of entries) {
      if (entry.index !== log.length + 1) {
        this.#violated(`${id} writes ${entry.index} out of order`);
      }
      log.push(seen(entry));
    }
    if (hardState === null) return;
    const before = this.#votes.get(id) ?? { term: 0, vote: null };
    const { term, vote } = hardState;
    if (term < before.term) this.#violated(`${id} goes back from term ${before.term} to ${term}`);
    if (term === before.term && before.vote !== null && vote !== before.vote) {
      this.#violated(`${id} votes for ${before.vote} and ${vote} in term ${term}`);
    }
    this.#votes.set(id, { term, vote });
  }

  /** Notes what is committed up to here, as far as this node's disk has it, and holds it against the others. */
  #commits(id: string, commitIndex: number): void {
    const log = this.#disks.get(id) ?? [];
    for (let at = 0; at < Math.min(commitIndex, log.length); at++) {
      const known = this.#committed[at];
      if (known === undefined) {
        // A leader's own disk may be the last: then another node is the first to show it.
        if (at !== this.#committed.length) return;
        this.#committed.push(log[at]);
        this.#isOnQuorum(at);
      } else if (known.term !== log[at].term || known.content !== log[at].content) {
        return this.#violated(`state machine safety: ${id} commits another entry ${at + 1}`);
      }
    }
  }

  #isOnQuorum(at: number): void {
    const entry = this.#committed[at];
    const holders = [...this.#disks.values()].filter((log) => log[at]?.term === entry.term).length;
    if (holders > this.#size / 2) return;
    this.#violated(`entry ${at + 1} is committed, and on ${holders} of ${this.#size} disks`);
  }

  /** Leader completeness: what was committed before is in the log of every later leader. */
  #hasAllCommitted(id: string, term: number): void {
    const log = this.#disks.get(id) ?? [];
    for (const [at, entry] of this.#committed.entries()) {
      if (entry.term >= term || log[at]?.term === entry.term) continue;
      this.#violated(`leader completeness: ${id} leads term ${term} without entry ${at + 1}`);
      return;
    }
  }

  #violated(what: string): void {
    this.#violations.push(what);
  }
}

interface Watch {
  readonly opened: (recovery: Recovery) => void;
  readonly committed: (batch: LogBatch) => void;
}

/** A log that tells what became durable. */
class WatchedLog implements LogStore {
  readonly #inner: LogStore;
  readonly #watch: Watch;

  constructor(inner: LogStore, watch: Watch) {
    this.#inner = inner;
    this.#watch = watch;
  }

  get reserve() {
    return this.#inner.reserve;
  }

  get snapshots() {
    return this.#inner.snapshots;
  }

  async open(): Promise<Recovery> {
    const recovery = await this.#inner.open();
    this.#watch.opened(recovery);
    return recovery;
  }

  async commit(batch: LogBatch): Promise<void> {
    await this.#inner.commit(batch);
    if (!isEmptyBatch(batch)) this.#watch.committed(batch);
  }

  repaired(): Promise<void> {
    return this.#inner.repaired();
  }

  rememberPeers(peers: ReadonlyMap<NodeId, KnownPeer>): Promise<void> {
    return this.#inner.rememberPeers(peers);
  }

  quarantine(reason: string): Promise<void> {
    return this.#inner.quarantine(reason);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
