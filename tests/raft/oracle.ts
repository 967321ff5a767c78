/**
 * Watches all cores of a cluster and knows what none of them can: what was committed anywhere, who led
 * which term, who voted for whom. Each property of figure 3 is checked as it could first break.
 *
 * @module
 */
import {
  type Core,
  type Effect,
  type Entry,
  type HardState,
  type LogIndex,
  logIndex,
  type NodeId,
  type Term,
  term,
} from "../../raft/mod.ts";
import type { Applied, Disk } from "./harness_disk.ts";
import { MembersOracle, NO_MEMBER_MARKS } from "./oracle_members.ts";

interface Seen {
  term: Term;
  commitIndex: LogIndex;
}

interface Leadership {
  readonly id: NodeId;
  lastIndex: LogIndex;
}

/** How often something happened that a run should have met. */
export const NO_MARKS = {
  ...NO_MEMBER_MARKS,
  leaders: 0,
  truncations: 0,
  reads: 0,
  leaseReads: 0,
  repairs: 0,
  oldTermCommits: 0,
  snapshots: 0,
  keptLogs: 0,
  droppedLogs: 0,
  corruptSnapshots: 0,
};

export class SafetyError extends Error {
  override readonly name = "SafetyError";
}

export class Oracle {
  readonly #countsCopies: boolean;
  readonly #leaderships = new Map<Term, Leadership>();
  readonly #leading = new Map<NodeId, Core>();
  /** By index and term: the entry, and the term of the one before it. */
  readonly #entries = new Map<string, { entry: Entry; prevTerm: Term }>();
  /** By index, from 1; 0 is unused. */
  readonly committed: (Entry | undefined)[] = [undefined];
  /** By index: the term of who committed it first. */
  readonly #committedIn: number[] = [0];
  readonly #seen = new Map<NodeId, Seen>();
  readonly #disks = new Map<NodeId, Disk>();
  readonly #hardStates = new Map<NodeId, HardState>();
  /** By index: what the state machine came to, wherever it was applied first. */
  readonly #digests = new Map<LogIndex, number>();
  readonly #termsSent = new Set<Term>();
  readonly #votes = new Map<string, NodeId>();
  readonly #reads = new Map<string, number>();
  readonly marks = { ...NO_MARKS };
  readonly members = new MembersOracle(this.marks);

  /** `countsCopies`: whether a committed entry must lie on a quorum of disks (not if disks lose data). */
  constructor(countsCopies: boolean) {
    this.#countsCopies = countsCopies;
  }

  get commitIndex(): number {
    return this.committed.length - 1;
  }

  /** `appliedIndex` is that of the snapshot it starts from. */
  started(core: Core, appliedIndex: LogIndex, effects: readonly Effect[]): void {
    this.#seen.set(core.id, { term: core.term, commitIndex: appliedIndex });
    this.stepped(core, effects);
  }

  crashed(id: NodeId): void {
    this.#seen.delete(id);
    this.#leading.delete(id);
    this.members.crashed(id);
    this.#forget(id);
    for (const key of this.#reads.keys()) if (key.startsWith(`${id}/`)) this.#reads.delete(key);
  }

  /** A leadership that died before its term was durable, or seen by anybody, never was. */
  #forget(id: NodeId): void {
    const durable = this.#hardStates.get(id)?.term ?? 0;
    for (const [inTerm, leadership] of this.#leaderships) {
      if (leadership.id !== id || inTerm <= durable || this.#termsSent.has(inTerm)) continue;
      this.#leaderships.delete(inTerm);
      for (const [key, { entry }] of this.#entries) {
        if (entry.term === inTerm) this.#entries.delete(key);
      }
    }
  }

  /** After each step of `core`. */
  stepped(core: Core, effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === "persist") this.#persisted(core, effect.truncateFrom, effect.entries);
      else if (effect.type === "commit") this.#commits(core, effect.index);
      else if (effect.type === "read-ready") this.#readReady(core.id, effect.id, effect.index);
      else if (effect.type === "read-refused") this.#reads.delete(`${core.id}/${effect.id}`);
      else if (effect.type === "repaired") this.marks.repairs++;
    }
    const wrong = this.members.stepped(core, effects);
    if (wrong !== null) throw new SafetyError(`${wrong}, at ${core.id}`);
    this.#monotonic(core);
    if (core.role === "leader") this.#leads(core);
    else this.#leading.delete(core.id);
  }

  /** Log matching, by induction: an index and a term name one entry with one predecessor. */
  #persisted(core: Core, truncateFrom: LogIndex | null, entries: readonly Entry[]): void {
    if (truncateFrom !== null) this.marks.truncations++;
    let prevTerm: Term | null = null;
    for (const entry of entries) {
      // What a step appended, a later one of the same turn cannot have changed yet.
      prevTerm ??= core.log.term(entry.index - 1 as LogIndex);
      const key = `${entry.index}/${entry.term}`;
      const known = this.#entries.get(key);
      if (known === undefined) this.#entries.set(key, { entry, prevTerm });
      else if (known.prevTerm !== prevTerm || !isSame(known.entry, entry)) {
        throw new SafetyError(`Log matching: ${core.id} holds another entry ${key}`);
      }
      prevTerm = entry.term;
    }
  }

  /** State machine safety and leader completeness, for each index as it commits anywhere. */
  #commits(core: Core, to: LogIndex): void {
    const from = this.#seen.get(core.id)!.commitIndex + 1;
    if (to < from) throw new SafetyError(`Commit monotonic: ${core.id} ${from - 1} to ${to}`);
    for (let index = logIndex(from); index <= to; index++) {
      const known = this.committed[index];
      // What a snapshot brought was committed elsewhere; its digest says whether it is the same.
      if (index <= core.log.baseIndex && known !== undefined) continue;
      const entry = core.log.entry(index);
      if (known !== undefined) {
        if (!isSame(known, entry)) {
          throw new SafetyError(`State machine safety: ${core.id} ${index}`);
        }
        continue;
      }
      this.committed[index] = entry;
      this.#committedIn[index] = core.term;
      if (entry.term < core.term) this.marks.oldTermCommits++;
      if (this.#countsCopies) this.#onQuorum(core, entry);
      for (const leader of this.#leading.values()) {
        if (leader.term > core.term) this.#holds(leader, entry);
      }
    }
    this.#seen.get(core.id)!.commitIndex = to;
  }

  /** Of both halves, where the configuration was joint. */
  #onQuorum(core: Core, entry: Entry): void {
    for (const half of this.members.halves(core)) {
      const holders = half.filter((id) => this.#isDurable(id, entry));
      if (holders.length > half.length / 2) continue;
      throw new SafetyError(`Durable on a quorum: ${entry.index} is on ${holders} of ${half}`);
    }
  }

  #isDurable(id: NodeId, { index, term }: Entry): boolean {
    const disk = this.#disks.get(id);
    if (disk === undefined) return false;
    if (index <= (disk.snapshot?.applied.index ?? 0)) return true;
    return disk.entries[index - disk.baseIndex - 1]?.term === term;
  }

  #holds(leader: Core, { index, term }: Entry): void {
    if (index < leader.log.baseIndex || leader.log.matches(index, term)) return;
    throw new SafetyError(`Leader completeness: ${leader.id} in ${leader.term} lacks ${index}`);
  }

  /** Election safety, leader append-only, and completeness at the start of each leadership. */
  #leads(core: Core): void {
    const known = this.#leaderships.get(core.term);
    if (known === undefined) {
      this.marks.leaders++;
      this.#leaderships.set(core.term, { id: core.id, lastIndex: core.log.lastIndex });
      // A vote may come so late that later terms have committed more: then it leads nobody.
      for (const entry of this.committed) {
        if (entry === undefined || this.#committedIn[entry.index] >= core.term) continue;
        this.#holds(core, entry);
      }
    } else {
      if (known.id !== core.id || !this.#leading.has(core.id)) {
        throw new SafetyError(`Election safety: ${known.id} and ${core.id} lead ${core.term}`);
      }
      if (core.log.lastIndex < known.lastIndex || core.log.lastTerm !== core.term) {
        throw new SafetyError(`Leader append-only: ${core.id} in ${core.term} took entries back`);
      }
      known.lastIndex = core.log.lastIndex;
    }
    this.#leading.set(core.id, core);
  }

  #monotonic(core: Core): void {
    const seen = this.#seen.get(core.id)!;
    if (core.term < seen.term) throw new SafetyError(`Term monotonic: ${core.id} at ${core.term}`);
    if (core.commitIndex !== seen.commitIndex) {
      throw new SafetyError(`Commit told: ${core.id} at ${core.commitIndex} without an effect`);
    }
    seen.term = core.term;
  }

  /** After each commit of a node's disk: terms and votes there are never taken back. */
  durable(id: NodeId, disk: Disk): void {
    const before = this.#hardStates.get(id) ?? { term: term(0), vote: null };
    const { hardState } = disk;
    if (hardState.term < before.term) throw new SafetyError(`Term monotonic on disk: ${id}`);
    if (hardState.term === before.term && before.vote !== null && hardState.vote !== before.vote) {
      throw new SafetyError(`Vote kept on disk: ${id} in ${hardState.term}`);
    }
    this.#hardStates.set(id, hardState);
    this.#disks.set(id, disk);
  }

  /** State machines are equal wherever they have applied as much, by entries or by a snapshot. */
  applied(id: NodeId, { index, digest }: Applied): void {
    const known = this.#digests.get(index);
    if (known === undefined) this.#digests.set(index, digest);
    else if (known !== digest) throw new SafetyError(`State machine safety: ${id} at ${index}`);
  }

  /** Cut off, in the snapshot, applied, committed, durable: none is ahead of the next. */
  inOrder(id: NodeId, indexes: readonly LogIndex[]): void {
    const isBroken = indexes.some((index, at) => at > 0 && index < indexes[at - 1]);
    if (isBroken) throw new SafetyError(`Order of indexes: ${id} has ${indexes.join(", ")}`);
  }

  /** What leaves a node: one vote a term, whatever it crashed and forgot. */
  sent(from: NodeId, { to, message }: Extract<Effect, { type: "send" }>): void {
    if (message.type === "append-request") this.#termsSent.add(message.term);
    if (message.type !== "vote-reply" || message.pre || !message.granted) return;
    const key = `${from}/${message.term}`;
    const known = this.#votes.get(key);
    if (known !== undefined && known !== to) {
      throw new SafetyError(`One vote a term: ${from} in ${message.term} for ${known} and ${to}`);
    }
    this.#votes.set(key, to);
  }

  readAsked(node: NodeId, id: number): void {
    this.#reads.set(`${node}/${id}`, this.commitIndex);
  }

  /** A read must see all that was committed, anywhere, when it was asked. */
  #readReady(node: NodeId, id: number, index: LogIndex): void {
    const key = `${node}/${id}`;
    const least = this.#reads.get(key);
    if (least === undefined) throw new SafetyError(`Read ${key} is answered, but nobody asks`);
    if (index < least) throw new SafetyError(`Stale read ${key} at ${index}, asked at ${least}`);
    this.#reads.delete(key);
    this.marks.reads++;
  }

  /** Reads and transfers that were asked of living nodes, and neither answered nor refused. */
  get open(): number {
    return this.#reads.size + this.members.open;
  }
}

function isSame(a: Entry, b: Entry): boolean {
  if (a === b) return true;
  return a.term === b.term && a.kind === b.kind && a.timeMs === b.timeMs &&
    a.data.length === b.data.length && a.data.every((byte, at) => byte === b.data[at]);
}
