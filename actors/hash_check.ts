/**
 * Finding a replica whose state differs from the others', which only a bug or broken memory can bring
 * about. From time to time the leader proposes a mark; every replica notes its state hash as of that
 * entry and reports it. What a majority of voters came to, the leader proposes as a check: a replica
 * that noted something else must not be built upon, throws its state away and fetches it anew.
 *
 * It gives nothing to a quorum until then, so the others must be one. If too few of the majority are
 * there still, the leader only says what it found, and everything is tried again after the interval.
 *
 * Nothing is proposed while nothing changes and nobody is known to differ. Values are hashed as they are written: what memory loses of
 * a value afterwards is found when the value is written again, or when a snapshot of it is restored.
 *
 * @module
 */
import { HASH_REPORT_MS, HASH_REPORT_TICKS } from "./limits_replica.ts";
import { proposeAsLeader } from "./replica_effects.ts";
import type { State } from "./replica_state.ts";
import {
  commandHashCheck,
  CommandKind,
  commandKind,
  encodeHashCheck,
  encodeHashMark,
} from "../kv/command.ts";
import type { StateHash } from "../kv/types.ts";
import type { HashReport } from "../raft/message.ts";
import { isVoter, voteResult } from "../raft/quorum.ts";
import { isHeard } from "../raft/transfer.ts";
import type { LogIndex, NodeId } from "../raft/types.ts";

export class HashCheck {
  readonly #intervalMs: number;
  /** Commands applied since the last mark. */
  #changes = 0;
  /** When the last mark was applied, or the replica started, on the monotonic clock. */
  #markedMs: number;
  /** This replica's hash as of the last mark; null if there was none, or it is checked. */
  #noted: StateHash | null = null;
  /** As a leader: what the replicas came to there, this one included. */
  readonly #reports = new Map<NodeId, string>();
  /** As a leader: whether some were found to differ as of the last mark, and no check has settled it. */
  #isDivergenceTold = false;
  /** The last mark or check that this node proposed as a leader, and the term. */
  #proposedIndex = 0;
  #proposedTerm = 0;
  #mismatch: string | null = null;

  constructor(intervalMs: number, nowMs: number) {
    this.#intervalMs = intervalMs;
    this.#markedMs = nowMs;
  }

  /** Why this replica's state must not be used; null as long as nothing was found. */
  get mismatch(): string | null {
    return this.#mismatch;
  }

  /** A command was applied. */
  applied(state: State, data: Uint8Array): void {
    const kind = commandKind(data);
    if (kind === CommandKind.HashMark) this.#note(state);
    else if (kind === CommandKind.HashCheck) this.#compare(state, data);
    else this.#changes++;
  }

  /** The state is another one now. */
  installed(): void {
    this.#noted = null;
    this.#changes = 0;
  }

  tick(state: State): void {
    const { core, ctx: { env } } = state;
    if (core.role === "leader") this.#markIfDue(state, env.now());
    if (this.#noted === null || core.ticks % HASH_REPORT_TICKS !== 0) return;
    // Reports get lost, and leaders change; but what nobody could settle is left to the next mark.
    if (env.now() - this.#markedMs <= 2 * HASH_REPORT_MS) this.#report(state, this.#noted);
  }

  /** Another replica says what it came to. */
  reported(state: State, from: NodeId, { index, hash }: HashReport): void {
    if (state.core.role !== "leader" || this.#noted?.index !== index) return;
    if (!isVoter(state.core.configuration, from)) return;
    this.#reports.set(from, hash);
    this.#judge(state, this.#noted);
  }

  #note(state: State): void {
    const noted = state.store.hash();
    this.#noted = noted;
    this.#changes = 0;
    this.#markedMs = state.ctx.env.now();
    this.#reports.clear();
    this.#isDivergenceTold = false;
    this.#report(state, noted);
  }

  #compare(state: State, data: Uint8Array): void {
    const check = commandHashCheck(data);
    const noted = this.#noted;
    if (check === null || noted === null || check.index !== noted.index) return;
    this.#noted = null;
    this.#isDivergenceTold = false;
    if (check.hash === noted.hash) return;
    this.#mismatch = `its state hash at index ${check.index} is ${noted.hash}, and that of the ` +
      `majority ${check.hash} (found at index ${state.store.index})`;
  }

  #markIfDue(state: State, nowMs: number): void {
    const { core, disk } = state;
    const isNeeded = this.#changes > 0 || this.#isDivergenceTold;
    if (!isNeeded || nowMs - this.#markedMs < this.#intervalMs) return;
    const isAlone = core.progress.size === 0;
    if (isAlone || disk.isFull || this.#isProposing(state)) return;
    this.#propose(state, encodeHashMark());
  }

  #report(state: State, { index, hash }: StateHash): void {
    const { core, options } = state;
    if (core.role === "leader") {
      this.#reports.set(core.id, hash);
      this.#judge(state, { index, hash });
    } else if (core.leader !== null && !core.damaged) {
      const report = { type: "hash-report", index: index as LogIndex, hash } as const;
      options.send(core.leader, options.group, report);
    }
  }

  /** As a leader: looks whether a majority agrees by now, and whether anybody differs. */
  #judge(state: State, noted: StateHash): void {
    const { core: { configuration }, ctx: { env } } = state;
    const hashes = new Set(this.#reports.values());
    let agreed: string | null = null;
    let isOpen = false;
    for (const hash of hashes) {
      const votes = new Map([...this.#reports].map(([id, its]) => [id, its === hash]));
      const result = voteResult(configuration, votes);
      if (result === "won") agreed = hash;
      isOpen ||= result === "pending";
    }
    const isOver = agreed !== null || !isOpen || env.now() - this.#markedMs >= HASH_REPORT_MS;
    if (hashes.size > 1 && isOver && !this.#isDivergenceTold) {
      this.#isDivergenceTold = true;
      const reports = [...this.#reports].map(([id, hash]) => ({ id, hash }));
      state.options.onEvent({ type: "diverged", index: noted.index, agreed, reports });
    }
    if (agreed === null || this.#isProposing(state) || !this.#canDoWithout(state, agreed)) return;
    this.#propose(state, encodeHashCheck(noted.index, agreed));
  }

  /** Whether those that agree are a quorum still: some may have failed since they reported. */
  #canDoWithout({ core }: State, agreed: string): boolean {
    const isThere = (id: NodeId) => {
      const peer = core.progress.get(id);
      return id === core.id || peer !== undefined && isHeard(core, peer);
    };
    const reports = [...this.#reports];
    const votes = new Map(reports.map(([id, its]) => [id, its === agreed && isThere(id)]));
    return voteResult(core.configuration, votes) === "won";
  }

  /** Whether a mark or check of this leader is on its way. */
  #isProposing({ core, store }: State): boolean {
    return this.#proposedTerm === core.term && this.#proposedIndex > store.index;
  }

  #propose(state: State, command: Uint8Array): void {
    const index = proposeAsLeader(state, command);
    if (index === null) return;
    this.#proposedIndex = index;
    this.#proposedTerm = state.core.term;
  }
}
