/**
 * A cluster of real nodes in virtual time: machines, the network between them, and what can be done to both.
 * Everything that happens is noted in the trace and shown to the watch.
 *
 * Not here: which faults come when (faults.ts), what clients do (clients.ts).
 *
 * @module
 */
import { CLUSTER_ID } from "../actors/virtual_cluster.ts";
import { addressOf } from "../actors/addresses.ts";
import { Machine, type Process } from "./machine.ts";
import { type MarkCounts, noMarks } from "./marks.ts";
import { MarksWatch } from "./marks_watch.ts";
import { nodeEventMark } from "./node_events.ts";
import { ProcessEnv } from "./process_env.ts";
import {
  clocksKeepLeases,
  type Moment,
  NETWORK_PERFECT,
  type NetworkFaults,
  type Schedule,
} from "./schedule.ts";
import type { Trace } from "./trace.ts";
import { Watch } from "./watch.ts";
import {
  type NodeEvent,
  type NodeOptions,
  startNode,
  type TransportLife,
} from "../../actors/node.ts";
import type { ReplicaObserver } from "../../actors/replica_types.ts";
import type { VirtualEnv } from "../../actors/virtual_env.ts";
import type { AppendRequest, PeerMessage } from "../../raft/message.ts";
import { type Configuration, type NodeId, nodeId } from "../../raft/types.ts";
import { MemoryDisk, MemoryLogStore } from "../../storage/memory_log_store.ts";
import { createMemoryNetwork, type MemoryNetwork } from "../../transport/memory.ts";
import type { Transport } from "../../transport/types.ts";

/** After a process has ended by itself, its supervisor starts it again after so long. */
const RESTART_MS = 300;

export class World {
  readonly schedule: Schedule;
  readonly env: VirtualEnv;
  readonly network: MemoryNetwork;
  readonly machines: Machine[] = [];
  readonly watch: Watch;
  readonly trace: Trace;
  readonly marks: MarkCounts = noMarks();
  /** Called at the moments that faults are aimed at. */
  onMoment: (machine: Machine, moment: Moment) => void = () => {};
  /** Called when a process has ended, however it did. */
  onDown: (machine: Machine) => void = () => {};
  readonly #marksWatch = new MarksWatch(this.marks);
  #disks = 0;
  #crashes = 0;

  constructor(schedule: Schedule, env: VirtualEnv, trace: Trace, isWatched: boolean) {
    this.schedule = schedule;
    this.env = env;
    this.trace = trace;
    this.network = createMemoryNetwork({ env, keepsSent: true });
    const count = schedule.nodes + schedule.spares;
    for (let at = 0; at < count; at++) {
      const id = nodeId(`n${at + 1}`);
      const disk = new MemoryDisk(++this.#disks);
      this.machines.push(new Machine(at, id, env, at < schedule.nodes, disk));
    }
    const rates = schedule.faults.map((fault) => fault.type === "rate" ? fault.rate : 1);
    this.watch = new Watch(this.machines, () => env.now(), {
      areLeasesSafe: clocksKeepLeases(schedule),
      slowestRate: Math.min(1, ...rates),
    }, isWatched ? this.#marksWatch : null);
    for (const machine of this.machines) this.prepareDisk(machine);
    this.setNetwork(schedule.network);
  }

  /** How often a process died that had something to lose. */
  get crashes(): number {
    return this.#crashes;
  }

  get running(): Machine[] {
    return this.machines.filter((machine) => machine.isRunning);
  }

  /** Whoever leads in the latest term, as far as it knows itself. */
  get leader(): Machine | null {
    let found: Machine | null = null;
    for (const machine of this.machines) {
      const core = machine.life?.core;
      if (core?.role !== "leader") continue;
      if (found === null || core.term > found.life!.core.term) found = machine;
    }
    return found;
  }

  machine(id: NodeId): Machine {
    return this.machines.find((machine) => machine.id === id)!;
  }

  /** Whether what it acknowledged may be missing on it. */
  isUnsound(machine: Machine): boolean {
    if (machine.isSuspect && machine.life !== null && !machine.disk.isDamaged) {
      machine.isSuspect = false;
    }
    return machine.isSuspect || machine.isOutcast;
  }

  /** All configurations that a running node has, or may go back to. */
  configurations(): Configuration[] {
    return this.machines.flatMap(({ life }) =>
      life === null ? [] : life.core.configurations.map(({ configuration }) => configuration)
        .filter(({ voters }) => voters.length > 0)
    );
  }

  /** Makes all links so. */
  setNetwork(faults: NetworkFaults): void {
    for (const a of this.machines) {
      for (const b of this.machines) if (a !== b) this.network.setLink(a.id, b.id, faults);
    }
  }

  /** Opens all links, and lets their faults be those of the schedule, or none. */
  healNetwork(isFaulty: boolean): void {
    this.network.heal();
    this.setNetwork(isFaulty ? this.schedule.network : NETWORK_PERFECT);
  }

  cut(from: Machine, to: Machine): void {
    this.network.setLink(from.id, to.id, { cut: true });
  }

  /** Between it and all others, in both directions, nothing goes through, or everything does. */
  isolate(machine: Machine, isCut: boolean): void {
    for (const other of this.machines) {
      if (other === machine) continue;
      this.network.setLink(machine.id, other.id, { cut: isCut });
      this.network.setLink(other.id, machine.id, { cut: isCut });
    }
  }

  start(machine: Machine): void {
    if (machine.process !== null) return;
    const { id, isFounder } = machine;
    machine.epoch++;
    machine.isStopped = false;
    const env = new ProcessEnv(machine.clock);
    const founders = this.machines.slice(0, this.schedule.nodes);
    const others = this.machines.filter((other) => other !== machine);
    let process: Process | null = null;
    const isAlive = () => machine.process === process;
    const options: NodeOptions = {
      ...this.#limits(),
      id,
      clusterId: CLUSTER_ID,
      founders: isFounder ? founders.map((each) => addressOf(each.id)) : [],
      seeds: isFounder ? [] : others.map((each) => addressOf(each.id)),
      env,
      openLog: () => new MemoryLogStore(machine.disk, { clusterId: CLUSTER_ID, nodeId: id }),
      openTransport: (life) => {
        const transport = this.#transport(machine, life);
        if (isAlive()) process!.transport = transport;
        return transport;
      },
      onEvent: (event) => {
        if (isAlive()) this.#event(machine, event);
      },
      observer: this.#observer(machine, isAlive),
    };
    process = { env, transport: null, node: startNode(options) };
    machine.process = process;
    this.trace.tell(`${id} starts`);
  }

  /** Ends a process as a power failure does. `landed`: what was on its way to the disk is there. */
  crash(machine: Machine, landed: boolean): void {
    const { process, life } = machine;
    if (process === null) return;
    this.#crashes++;
    this.#markCrash(machine, landed);
    this.trace.tell(`${machine.id} crashes${landed ? ", its last write landed" : ""}`);
    machine.process = null;
    machine.epoch++;
    process.env.kill();
    void process.transport?.close();
    machine.disk.crash(landed);
    if (life !== null) this.watch.crashed(machine);
    machine.clock.resume();
    machine.isStopped = false;
    this.onDown(machine);
  }

  /** Starts it after so long, unless something else happens to it before. */
  startLater(machine: Machine, ms: number): void {
    const { epoch } = machine;
    this.env.setTimer(() => {
      if (machine.epoch === epoch && !machine.isDead) this.start(machine);
    }, ms);
  }

  /** Puts an empty disk in the place of what a machine had; it is started as one that joins. */
  wipe(machine: Machine, isFounder: boolean): void {
    machine.disk = new MemoryDisk(++this.#disks);
    machine.isFounder = isFounder;
    machine.wasDamaged = true;
    this.prepareDisk(machine);
    this.watch.damaged(machine);
  }

  /** Puts an older copy of all that a machine had in its place. */
  restore(machine: Machine, copy: MemoryDisk): void {
    machine.disk = copy;
    this.prepareDisk(machine);
  }

  /** Gives its disk the schedule's latency, or that of a slow one. */
  prepareDisk(machine: Machine, commitMs = this.schedule.commitMs): void {
    const { env, schedule } = this;
    const wait = () => {
      const tailMs = -schedule.commitTailMs * Math.log((env.randomUint32() + 1) / 2 ** 32);
      return new Promise<void>((resolve) => void env.setTimer(resolve, commitMs + tailMs));
    };
    machine.disk.beforeCommit = wait;
    machine.disk.beforeChunk = wait;
    machine.disk.onLanded = () => {
      this.watch.landed(machine);
      if (machine.isRunning) this.onMoment(machine, "persist");
    };
  }

  #limits(): Pick<NodeOptions, "snapshots" | "hashCheckMs" | "limits"> {
    const { snapshotEntries, tailEntries, hashCheckMs, batch } = this.schedule;
    const snapshots = { entriesMax: snapshotEntries, tailEntries };
    if (batch === 0) return { snapshots, hashCheckMs };
    // A byte or so for each command: the largest goes alone in any case.
    const proposeBytesMax = batch === 1 ? 1 : batch * 60;
    const limits = {
      turnMessagesMax: batch,
      proposeBytesMax,
      appendEntriesMax: batch,
      inflightMessagesMax: Math.max(1, Math.min(4, batch)),
    };
    return { snapshots, hashCheckMs, limits };
  }

  #observer(machine: Machine, isAlive: () => boolean): ReplicaObserver {
    return {
      opened: (life) => {
        if (!isAlive()) return;
        this.watch.opened(machine, life);
      },
      stepped: (life, effects) => {
        if (!isAlive()) return;
        const wasLeader = machine.life?.core.role === "leader";
        this.watch.stepped(machine, life, effects);
        for (const effect of effects) {
          if (effect.type === "status" && effect.role === "leader") {
            this.onMoment(machine, "election");
          }
          if (effect.type === "transfer-result") {
            const isMoved = effect.result.status === "moved";
            this.marks[isMoved ? "transfer-moved" : "transfer-failed"]++;
          }
        }
        const isChanged = effects.some(({ type }) => type === "configuration");
        if (wasLeader && isChanged) this.onMoment(machine, "configuration");
        if (wasLeader && life.core.configuration.votersOutgoing.length > 0) {
          this.onMoment(machine, "joint");
        }
      },
      applied: (life, entry, applied) => {
        if (!isAlive()) return;
        this.trace.note(4, machine.at, entry.index, () => `${machine.id} applies ${entry.index}`);
        this.watch.applied(machine, life, entry, applied);
      },
    };
  }

  /** The node's transport, with an ear at both ends. */
  #transport(machine: Machine, life: TransportLife): Transport {
    const inner = this.network.transport(machine.id, life);
    return {
      self: machine.id,
      start: (handler) =>
        inner.start((from, group, message) => {
          this.trace.note(2, machine.at, messageNumber(message), () =>
            `${machine.id} hears ${from}: ${describeMessage(message)}`);
          this.#marksWatch.arrives(machine, message);
          if (this.#completesPriorEntry(machine, from, message)) {
            this.onMoment(machine, "prior-entry");
          }
          handler(from, group, message);
        }),
      setPeers: (peers, asOf) => inner.setPeers(peers, asOf),
      send: (to, group, message) => {
        const isTaken = inner.send(to, group, message);
        if (isTaken) this.#sent(machine, to, message);
        return isTaken;
      },
      acknowledged: (peer, holding) => inner.acknowledged(peer, holding),
      keepAcknowledged: () => inner.keepAcknowledged(),
      stats: () => inner.stats(),
      close: () => inner.close(),
    };
  }

  /** Whether with this answer a quorum has an entry of a former term that is not committed (figure 8). */
  #completesPriorEntry({ id, life }: Machine, from: NodeId, message: PeerMessage): boolean {
    if (message.type !== "append-reply" || !message.success || life === null) return false;
    const { core } = life;
    const { index, term } = message;
    if (core.role !== "leader" || term !== core.term || index >= core.termStartIndex) return false;
    if (index <= this.watch.ledger.commitIndex) return false;
    const { voters } = core.configuration;
    const holders = voters.filter((voter) =>
      voter === id || voter === from || (core.progress.get(voter)?.match ?? 0) >= index
    );
    return holders.length > voters.length / 2;
  }

  #sent(machine: Machine, to: NodeId, message: PeerMessage): void {
    this.watch.sent(machine, to, message);
    switch (message.type) {
      case "vote-reply":
        if (message.granted && !message.pre) this.onMoment(machine, "vote-reply");
        break;
      case "snapshot-chunk":
        this.onMoment(machine, "snapshot-chunk");
        break;
      case "timeout-now":
        this.onMoment(machine, "transfer");
        break;
    }
  }

  #event(machine: Machine, event: NodeEvent): void {
    const mark = nodeEventMark(event);
    if (mark !== null) this.marks[mark]++;
    switch (event.type) {
      case "runtime":
        return;
      case "transport":
        if (event.event.type === "handler-failed") {
          this.watch.broken("no-internal-error", `${machine.id}: ${event.event.error}`);
        }
        return;
      case "snapshot-installed":
        this.#marksWatch.installed(machine, event.index);
        this.onMoment(machine, "snapshot-install");
        break;
      case "diverged":
        this.watch.broken("state-machine-safety", `${machine.id} says that replicas differ`);
        break;
      case "fault":
        // Its disk may be ahead of it from here on; it starts anew from that.
        if (machine.life !== null) this.watch.crashed(machine);
        this.#fault(machine, event.error);
        break;
      case "ended":
        this.#ended(machine);
        break;
    }
    this.trace.tell(`${machine.id} ${describeEvent(event)}`);
  }

  /** Of what a replica may fail with, all was put into its disk. */
  #fault(machine: Machine, error: unknown): void {
    const { name, message } = error as Error;
    // What comes after a failure meets a log that has to be opened anew.
    const isInjected = /Injected|an earlier commit failed/.test(message);
    const isExpected = ["StorageFull", "CorruptLog", "Fenced", "Quarantined"].includes(name);
    if (isInjected || isExpected) {
      if (isInjected) {
        this.marks[/at the start/.test(message) ? "opening-failed" : "commit-failed"]++;
      }
      return;
    }
    this.watch.broken("no-internal-error", `${machine.id} fails: ${(error as Error).stack}`);
  }

  /** The process exits, and whoever supervises it starts it again: in vain, if its log is corrupt. */
  #ended(machine: Machine): void {
    this.env.defer(() => {
      this.crash(machine, false);
      if (!machine.disk.isLogCorrupt) this.startLater(machine, RESTART_MS);
      else this.marks["log-corrupt"]++;
    });
  }

  #markCrash(machine: Machine, landed: boolean): void {
    const core = machine.life?.core;
    if (core === undefined) return;
    const { disk } = machine;
    const isVotePending = core.term > disk.hardState.term || core.vote !== disk.hardState.vote;
    if (isVotePending && core.vote !== null) this.marks["crash-with-vote-pending"]++;
    if (disk.hasPending) {
      this.marks[landed ? "crash-landed-unacknowledged" : "crash-with-entries-pending"]++;
    }
    if (core.role === "leader" && core.log.lastIndex > core.commitIndex) {
      this.marks["crash-of-leader-with-uncommitted"]++;
    }
  }
}

/** What tells messages of one type apart, in one number for the hash. */
function messageNumber(message: PeerMessage): number {
  const { type, term, index, prevIndex, entries } = message as
    & PeerMessage
    & Partial<AppendRequest>
    & {
      readonly index?: number;
    };
  let number = type.length;
  if (term !== undefined) number = number * 31 + term;
  if (index !== undefined) number = number * 31 + index;
  if (prevIndex !== undefined) number = number * 31 + prevIndex + entries!.length * 7;
  return number;
}

function describeMessage(message: PeerMessage): string {
  const { type, ...rest } = message;
  const parts = Object.entries(rest).map(([name, value]) => {
    if (value instanceof Uint8Array) return `${name} ${value.length} bytes`;
    if (Array.isArray(value)) return `${name} ${value.length}`;
    if (typeof value === "object" && value !== null) return `${name} ${value.meta?.index}`;
    return `${name} ${value}`;
  });
  return `${type} ${parts.join(", ")}`;
}

function describeEvent(event: NodeEvent): string {
  switch (event.type) {
    case "role":
      return `is ${event.role} in ${event.term}, leader ${event.leader}`;
    case "configuration": {
      const { voters, votersOutgoing, learners } = event.configuration;
      const state = event.committed ? "committed" : "in effect";
      return `has configuration ${event.index} ${state}: ${voters} | ${votersOutgoing} | ${learners}`;
    }
    case "fault":
    case "ended":
      return `${event.type}: ${event.error}`;
    case "opened":
      return `opened, boot ${event.boot}, damage: ${event.damage}`;
    default: {
      const { type, ...rest } = event;
      return `${type} ${JSON.stringify(rest)}`;
    }
  }
}
