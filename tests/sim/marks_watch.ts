/**
 * Raises the marks that can be told from what the nodes do: it sits among the invariants and breaks none.
 *
 * @module
 */
import type { ConfigurationEffect, Invariant, PersistEffect } from "./invariants/invariant.ts";
import type { Machine } from "./machine.ts";
import type { MarkCounts } from "./marks.ts";
import type { ReplicaLife } from "../../actors/replica_types.ts";
import { CommandKind, commandKind } from "../../kv/command.ts";
import { decodeWrite } from "../../kv/command_decoder.ts";
import type { Applied } from "../../kv/store.ts";
import type { PeerMessage } from "../../raft/message.ts";
import { isMember, members } from "../../raft/quorum.ts";
import {
  type Configuration,
  type Entry,
  EntryKind,
  type NodeId,
  type Role,
} from "../../raft/types.ts";

interface Seen {
  role: Role;
  term: number;
  configuration: Configuration;
  /** Where its snapshot was when this life began, or when one was installed since. */
  restoredIndex: number;
  lastIndex: number;
}

export class MarksWatch implements Invariant {
  readonly name = "marks";
  readonly #marks: MarkCounts;
  readonly #seen = new Map<NodeId, Seen>();
  readonly #configuredAt = new Map<NodeId, number>();
  /** Of the configuration committed last, and who left one. */
  #members: readonly NodeId[] = [];
  readonly #gone = new Set<NodeId>();

  constructor(marks: MarkCounts) {
    this.#marks = marks;
  }

  opened({ id }: Machine, { core, store }: ReplicaLife): void {
    this.#configuredAt.delete(id);
    this.#seen.set(id, {
      role: core.role,
      term: core.term,
      configuration: core.configuration,
      restoredIndex: store.index,
      lastIndex: core.log.lastIndex,
    });
  }

  persisted(_machine: Machine, _life: ReplicaLife, { truncateFrom }: PersistEffect): void {
    if (truncateFrom !== null) this.#marks["log-truncated"]++;
  }

  committed(_machine: Machine, life: ReplicaLife, entry: Entry, known: Entry | undefined): void {
    if (known !== undefined) return;
    const { core, durableIndex } = life;
    if (entry.term < core.term) this.#marks["prior-term-commit"]++;
    if (core.role === "leader" && entry.index > durableIndex) {
      this.#marks["commit-ahead-of-own-disk"]++;
    }
  }

  leading(_machine: Machine, { core }: ReplicaLife, isNew: boolean): void {
    if (isNew && core.configuration.votersOutgoing.length > 0) {
      this.#marks["leader-change-in-joint"]++;
    }
  }

  configured({ id }: Machine, life: ReplicaLife, effect: ConfigurationEffect): void {
    const { configuration, index, committed } = effect;
    if (index < (this.#configuredAt.get(id) ?? 0)) this.#marks["configuration-undone"]++;
    this.#configuredAt.set(id, index);
    if (!committed || life.core.role !== "leader") return;
    const { voters, votersOutgoing } = configuration;
    if (votersOutgoing.length > 0) {
      if (voters.some((each) => !votersOutgoing.includes(each))) this.#marks["learner-promoted"]++;
      const left = votersOutgoing.filter((each) => !voters.includes(each));
      if (left.length > 0) this.#marks["voter-removed"]++;
      if (left.includes(id)) this.#marks["leader-removed"]++;
    }
    const now = members(configuration);
    for (const each of now) if (this.#gone.delete(each)) this.#marks["member-returned"]++;
    for (const each of this.#members) if (!now.includes(each)) this.#gone.add(each);
    this.#members = now;
  }

  sent(_machine: Machine, _to: NodeId, message: PeerMessage): void {
    if (message.type === "vote-reply" && !message.pre && !message.granted) {
      this.#marks["vote-refused"]++;
    } else if (message.type === "append-reply" && !message.success) this.#marks["append-refused"]++;
  }

  /** A message is about to be handed to a node. */
  arrives({ life }: Machine, message: PeerMessage): void {
    if (life === null) return;
    const { core } = life;
    switch (message.type) {
      case "append-request":
        if (message.term < core.term) this.#marks["stale-append"]++;
        break;
      case "append-reply":
        if (message.term < core.term && core.role === "leader") this.#marks["stale-ack"]++;
        break;
      case "vote-reply":
        if (message.granted && !message.pre && message.term < core.term) {
          this.#marks["stale-vote"]++;
        }
        break;
      case "vote-request": {
        const heardTicks = core.ticks - core.leaderHeardTick;
        const stands = core.role !== "leader" && core.leader !== null && !message.transfer;
        if (stands && heardTicks < core.limits.electionTicks) {
          this.#marks["pre-vote-refused-by-lease"]++;
        }
        break;
      }
    }
  }

  applied(
    { id }: Machine,
    _life: ReplicaLife,
    { index, kind, data }: Entry,
    applied: Applied,
  ): void {
    if (kind !== EntryKind.Command) return;
    const { result, changes } = applied;
    if (changes.some(({ value, versionstamp }) => value === null && versionstamp.order === 0)) {
      this.#marks["key-expired"]++;
    }
    switch (commandKind(data)) {
      case CommandKind.HashCheck:
        this.#marks["hash-checked"]++;
        break;
      case CommandKind.AtomicWrite: {
        if (result.status !== "applied" || result.versionstamp.index === index) return;
        const isByKey = decodeWrite(data).idempotencyKey !== null;
        this.#marks[isByKey ? "idempotent-hit" : "session-hit"]++;
        const { restoredIndex } = this.#seen.get(id)!;
        if (!isByKey && result.versionstamp.index <= restoredIndex) {
          this.#marks["session-hit-after-snapshot"]++;
        }
      }
    }
  }

  /** A leader's snapshot is this node's state now. */
  installed({ id }: Machine, index: number): void {
    this.#marks["snapshot-installed"]++;
    const seen = this.#seen.get(id);
    if (seen === undefined) return;
    if (seen.lastIndex > seen.restoredIndex && seen.lastIndex > index) {
      this.#marks["snapshot-over-conflicting-log"]++;
    }
    seen.restoredIndex = index;
  }

  settled({ id }: Machine, { core }: ReplicaLife): void {
    const seen = this.#seen.get(id);
    if (seen === undefined) return;
    if (seen.role === "leader" && core.role !== "leader") {
      if (core.term === seen.term) this.#marks["leader-without-quorum"]++;
      else this.#marks["leader-deposed"]++;
      if (!isMember(core.configuration, id)) this.#marks["leader-removed"]++;
    }
    if (seen.role === "candidate" && core.role === "follower") this.#marks["election-lost"]++;
    seen.role = core.role;
    seen.term = core.term;
    seen.configuration = core.configuration;
    seen.lastIndex = core.log.lastIndex;
  }
}
