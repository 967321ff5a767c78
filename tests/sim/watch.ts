/**
 * Sees every node from inside and hands what happens to the invariants. The first that is broken ends the
 * run; it is kept here, since what an observer throws would be taken for a fault of the replica.
 *
 * @module
 */
import { Acknowledged } from "./invariants/acknowledged.ts";
import { DurableOnQuorum } from "./invariants/durable_on_quorum.ts";
import { ElectionSafety } from "./invariants/election_safety.ts";
import { ExactlyOnce } from "./invariants/exactly_once.ts";
import { FreshReads } from "./invariants/fresh_reads.ts";
import { IndexOrder } from "./invariants/index_order.ts";
import { Broken, type Invariant } from "./invariants/invariant.ts";
import { JointChanges } from "./invariants/joint_changes.ts";
import { LeaderAppendOnly } from "./invariants/leader_append_only.ts";
import { LeaderCompleteness } from "./invariants/leader_completeness.ts";
import { LogMatching } from "./invariants/log_matching.ts";
import { Monotonic } from "./invariants/monotonic.ts";
import { OneVote } from "./invariants/one_vote.ts";
import { StateMachineSafety } from "./invariants/state_machine_safety.ts";
import { Watches } from "./invariants/watches.ts";
import { WellFormed } from "./invariants/well_formed.ts";
import { Ledger } from "./ledger.ts";
import type { Machine } from "./machine.ts";
import type { ReplicaLife } from "../../actors/replica_types.ts";
import type { Applied } from "../../kv/store.ts";
import type { Effect } from "../../raft/effect.ts";
import type { PeerMessage } from "../../raft/message.ts";
import type { Entry, LogIndex, NodeId } from "../../raft/types.ts";

/** What went wrong, and which promise that breaks. */
export interface Violation {
  readonly invariant: string;
  readonly message: string;
  readonly atMs: number;
}

type Hook = Exclude<keyof Invariant, "name">;

export class Watch {
  readonly ledger = new Ledger();
  readonly acknowledged = new Acknowledged(this.ledger);
  readonly watches = new Watches();
  readonly reads: FreshReads;
  violation: Violation | null = null;
  readonly #nowMs: () => number;
  readonly #isWatching: boolean;
  readonly #hooks = new Map<Hook, Invariant[]>();
  readonly #touched = new Set<Machine>();
  /** What each life is known to have committed. */
  readonly #committed = new Map<NodeId, number>();
  readonly #leading = new Map<NodeId, number>();

  /** @param extra hears of everything, too: for marks. Null for a run that is not watched. */
  constructor(
    machines: readonly Machine[],
    nowMs: () => number,
    clocks: { readonly areLeasesSafe: boolean; readonly slowestRate: number },
    extra: Invariant | null,
  ) {
    this.#nowMs = nowMs;
    this.reads = new FreshReads(this.ledger, nowMs, clocks.areLeasesSafe, clocks.slowestRate);
    this.#isWatching = extra !== null;
    const invariants: Invariant[] = extra === null ? [] : [
      new ElectionSafety(),
      new LeaderAppendOnly(),
      new LogMatching(),
      new LeaderCompleteness(this.ledger, machines),
      new StateMachineSafety(),
      new Monotonic(),
      new DurableOnQuorum(machines),
      new IndexOrder(),
      new OneVote(),
      new WellFormed(),
      new JointChanges(),
      new ExactlyOnce(),
      this.watches,
      extra,
    ];
    const hooks: Hook[] = [
      ...["opened", "crashed", "damaged", "persisted", "committed", "leading"] as const,
      ...["configured", "sent", "applied", "landed", "settled"] as const,
    ];
    for (const hook of hooks) {
      this.#hooks.set(
        hook,
        invariants.filter((it) => it[hook] !== undefined),
      );
    }
  }

  opened(machine: Machine, life: ReplicaLife): void {
    // A replica that starts anew in its process has lost what its disk has not, as in a crash.
    if (machine.life !== null) this.#each("crashed", (it) => it.crashed!(machine));
    machine.life = life;
    this.#touched.add(machine);
    this.#leading.delete(machine.id);
    this.#committed.set(machine.id, life.store.index);
    this.#each("opened", (it) => it.opened!(machine, life));
  }

  crashed(machine: Machine): void {
    machine.life = null;
    this.#touched.delete(machine);
    this.#leading.delete(machine.id);
    this.#each("crashed", (it) => it.crashed!(machine));
  }

  damaged(machine: Machine): void {
    this.#each("damaged", (it) => it.damaged!(machine));
  }

  stepped(machine: Machine, life: ReplicaLife, effects: readonly Effect[]): void {
    this.#touched.add(machine);
    for (const effect of effects) {
      switch (effect.type) {
        case "persist":
          this.#each("persisted", (it) => it.persisted!(machine, life, effect));
          break;
        case "commit":
          this.#commits(machine, life, effect.index);
          break;
        case "configuration":
          this.#each("configured", (it) => it.configured!(machine, life, effect));
          break;
      }
    }
    const { core } = life;
    if (core.role === "leader") {
      const isNew = this.#leading.get(machine.id) !== core.term;
      this.#leading.set(machine.id, core.term);
      this.#each("leading", (it) => it.leading!(machine, life, isNew));
    } else {
      this.#leading.delete(machine.id);
    }
  }

  applied(machine: Machine, life: ReplicaLife, entry: Entry, applied: Applied): void {
    this.#touched.add(machine);
    this.#each("applied", (it) => it.applied!(machine, life, entry, applied));
  }

  sent(machine: Machine, to: NodeId, message: PeerMessage): void {
    this.#each("sent", (it) => it.sent!(machine, to, message));
  }

  landed(machine: Machine): void {
    this.#touched.add(machine);
    this.#each("landed", (it) => it.landed!(machine));
  }

  /** After each event: looks at the nodes that it touched. False once something is broken. */
  settled(): boolean {
    if (this.#touched.size > 0 && this.#isWatching) {
      for (const machine of this.#touched) {
        const { life } = machine;
        if (life !== null) this.#each("settled", (it) => it.settled!(machine, life));
      }
      this.#touched.clear();
    }
    return this.violation === null;
  }

  /** Runs a check that stands outside of the hooks. */
  check(invariant: string, act: () => void): void {
    if (!this.#isWatching) return;
    try {
      act();
    } catch (error) {
      const message = error instanceof Broken ? error.message : `${(error as Error).stack}`;
      this.broken(invariant, message);
    }
  }

  broken(invariant: string, message: string): void {
    this.violation ??= { invariant, message, atMs: this.#nowMs() };
  }

  #commits(machine: Machine, life: ReplicaLife, to: LogIndex): void {
    const { core } = life;
    const from = (this.#committed.get(machine.id) ?? 0) + 1;
    this.#committed.set(machine.id, to);
    for (let index = from; index <= to; index++) {
      const known = this.ledger.entries[index];
      // What a snapshot brought was committed elsewhere; its state hash says whether it is the same.
      if (index <= core.log.baseIndex && known !== undefined) continue;
      const entry = core.log.entry(index as LogIndex);
      if (known === undefined) this.ledger.add(entry, core.term, this.#nowMs());
      this.#each("committed", (it) => it.committed!(machine, life, entry, known));
    }
  }

  #each(hook: Hook, call: (invariant: Invariant) => void): void {
    for (const invariant of this.#hooks.get(hook)!) {
      try {
        call(invariant);
      } catch (error) {
        const message = error instanceof Broken ? error.message : `${(error as Error).stack}`;
        this.broken(invariant.name, message);
      }
    }
  }
}
