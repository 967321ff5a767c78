/**
 * N cores on a network and disks that fail as they may: messages are lost, doubled, reordered and cut
 * off, nodes die before or after their commit and start again from what was durable, and a disk may
 * lose its tail (noticed, as storage does).
 *
 * Deterministic: everything comes from one seed. What is checked after every step is in oracle.ts. The
 * simulator of the whole replica is another one; this is the core's own.
 *
 * @module
 */
import {
  checkInvariants,
  configurationOf,
  type Core,
  createCore,
  type Effect,
  type Entry,
  type HardState,
  type Input,
  logIndex,
  mergePersists,
  type Message,
  type NodeId,
  nodeId,
  type PersistBatch,
  recovered,
  step,
  term,
} from "../../raft/mod.ts";
import { createRandom, drawBelow } from "../../raft/random.ts";
import { Oracle } from "./oracle.ts";

/** A schedule is data, so that a failing one can be kept and made smaller. Rates are in percent. */
export interface Schedule {
  readonly seed: number;
  readonly nodes: number;
  readonly actions: number;
  /** Inputs in one turn; 1 shows bugs that larger batches hide. */
  readonly turnInputsMax: number;
  readonly lossRate: number;
  readonly duplicateRate: number;
  /** Messages in order (false) or in any. */
  readonly reorder: boolean;
  readonly crashes: boolean;
  readonly partitions: boolean;
  readonly damage: boolean;
}

interface Disk {
  hardState: HardState;
  entries: Entry[];
  damaged: boolean;
}

interface Node {
  readonly id: NodeId;
  readonly disk: Disk;
  core: Core | null;
  inbox: Input[];
  /** Splits the network: nodes with different numbers do not reach each other. */
  island: number;
  readsNext: number;
}

interface Packet {
  readonly from: Node;
  readonly to: Node;
  readonly message: Message;
}

/** Small windows, so that they fill; the timeouts are those of a replica. */
const LIMITS = { inflightMessagesMax: 3, appendBytesMax: 96, forwardBytesMax: 40 };

export class Cluster {
  readonly oracle: Oracle;
  readonly nodes: Node[] = [];
  readonly #random;
  readonly #schedule: Schedule;
  #packets: Packet[] = [];
  #commands = 0;

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
    this.#random = createRandom(schedule.seed);
    for (let n = 0; n < schedule.nodes; n++) {
      const disk = {
        hardState: { term: term(0), vote: null, commit: logIndex(0) },
        entries: [],
        damaged: false,
      };
      const id = nodeId(`n${n + 1}`);
      this.nodes.push({ id, disk, core: null, inbox: [], island: 0, readsNext: 1 });
    }
    this.oracle = new Oracle(schedule.nodes, !schedule.damage);
    for (const node of this.nodes) this.#start(node);
  }

  /** Runs the schedule's faults, action by action. */
  run(): void {
    for (let n = 0; n < this.#schedule.actions; n++) this.#act();
  }

  /** Ends all faults, starts who is down, and lets `ticks` pass in which every message arrives in order. */
  heal(ticks: number): void {
    for (const node of this.nodes) {
      node.island = 0;
      if (node.core === null) this.#start(node);
    }
    for (let n = 0; n < ticks; n++) {
      for (const node of this.nodes) node.inbox.push({ type: "tick", timeMs: 0 });
      this.settle();
    }
  }

  /** Lets everything that is on the way arrive. Healthy: nothing is lost. */
  settle(): void {
    // A long log takes many rounds through small windows; one that grows by itself takes them all.
    for (let rounds = 0; rounds < 20_000; rounds++) {
      for (const node of this.nodes) while (node.inbox.length > 0) this.#turn(node, 16, false);
      const packets = this.#packets;
      if (packets.length === 0) return;
      this.#packets = [];
      for (const packet of packets) this.#deliver(packet);
    }
    throw new Error("Cannot settle: messages keep coming without any tick");
  }

  /** The leaders, and the one whose term is highest. */
  leader(): Core {
    const leaders = this.nodes.flatMap(({ core }) => core?.role === "leader" ? [core] : []);
    if (leaders.length === 1) return leaders[0];
    const states = this.nodes.map(({ core }) => `${core?.id} ${core?.role} ${core?.term}`);
    throw new Error(`Cannot name the leader of: ${states.join(", ")}`);
  }

  propose(node: Node, count: number): void {
    const commands: Uint8Array[] = [];
    for (let n = 0; n < count; n++) {
      const command = new Uint8Array(8);
      new DataView(command.buffer).setUint32(0, ++this.#commands);
      commands.push(command);
    }
    node.inbox.push({ type: "propose", commands, timeMs: this.#below(1_000) });
  }

  read(node: Node): void {
    const id = node.readsNext++;
    this.oracle.readAsked(node.id, id);
    node.inbox.push({ type: "read", id, lease: false });
  }

  #below(bound: number): number {
    return drawBelow(this.#random, bound);
  }

  #happens(percent: number): boolean {
    return this.#below(100) < percent;
  }

  #act(): void {
    const node = this.nodes[this.#below(this.nodes.length)];
    const draw = this.#below(1_000);
    if (draw < 400) this.#turn(node, this.#schedule.turnInputsMax, this.#schedule.crashes);
    else if (draw < 720) this.#deliverSome();
    else if (draw < 900) this.#push(node, { type: "tick", timeMs: this.#below(1_000) });
    else if (draw < 950) this.#proposeSome(node);
    else if (draw < 980) this.#readSome(node);
    else if (draw < 990) this.#partitionSome();
    else if (node.core === null) this.#start(node);
    else if (this.#schedule.crashes && draw < 993) this.#crash(node);
  }

  #proposeSome(node: Node): void {
    if (node.core !== null) this.propose(node, 1 + this.#below(this.#schedule.turnInputsMax));
  }

  #readSome(node: Node): void {
    if (node.core !== null) this.read(node);
  }

  #partitionSome(): void {
    if (!this.#schedule.partitions) return;
    const heals = this.#happens(50);
    for (const each of this.nodes) each.island = heals ? 0 : this.#below(2);
  }

  #push(node: Node, input: Input): void {
    if (node.core !== null) node.inbox.push(input);
  }

  #deliverSome(): void {
    if (this.#packets.length === 0) return;
    const at = this.#schedule.reorder ? this.#below(this.#packets.length) : 0;
    const [packet] = this.#packets.splice(at, 1);
    if (packet.from.island !== packet.to.island || this.#happens(this.#schedule.lossRate)) return;
    if (this.#happens(this.#schedule.duplicateRate)) this.#packets.push(packet);
    this.#deliver(packet);
  }

  #deliver({ from, to, message }: Packet): void {
    this.#push(to, { type: "message", from: from.id, message, timeMs: 0 });
  }

  /** One turn, as a replica's: step all, send early, commit, release. It may die in between. */
  #turn(node: Node, inputsMax: number, mayCrash: boolean): void {
    if (node.core === null || node.inbox.length === 0) return;
    const inputs = node.inbox.splice(0, 1 + this.#below(inputsMax));
    const effects: Effect[] = [];
    for (const input of inputs) {
      const stepped = step(node.core, input);
      checkInvariants(node.core);
      this.oracle.stepped(node.core, stepped);
      effects.push(...stepped);
    }
    this.#finish(node, effects, mayCrash);
  }

  #finish(node: Node, effects: readonly Effect[], mayCrash: boolean): void {
    this.#sendAll(node, effects, true);
    const batch = mergePersists(effects);
    // Deaths are aimed at the turns that write a term or a vote.
    const percent = !mayCrash || batch === null ? 0 : batch.hardState === null ? 1 : 5;
    if (this.#happens(percent)) return this.#crash(node);
    if (batch !== null) this.#commit(node, batch);
    if (effects.some((effect) => effect.type === "repaired")) node.disk.damaged = false;
    this.oracle.durable(node.id, node.disk);
    if (this.#happens(percent)) return this.#crash(node);
    this.#sendAll(node, effects, false);
    const last = batch?.entries.at(-1);
    if (last) node.inbox.unshift({ type: "persisted", index: last.index, term: last.term });
  }

  #sendAll(node: Node, effects: readonly Effect[], early: boolean): void {
    for (const effect of effects) {
      if (effect.type !== "send" || effect.early !== early) continue;
      const to = this.nodes.find(({ id }) => id === effect.to)!;
      this.oracle.sent(node.id, effect);
      this.#packets.push({ from: node, to, message: effect.message });
    }
  }

  #commit({ disk }: Node, batch: PersistBatch): void {
    if (batch.truncateFrom !== null) disk.entries.length = batch.truncateFrom - 1;
    disk.entries.push(...batch.entries);
    disk.hardState = batch.hardState ?? disk.hardState;
  }

  #start(node: Node): void {
    const { disk } = node;
    node.core = createCore({
      ...LIMITS,
      id: node.id,
      configuration: configurationOf(this.nodes.map(({ id }) => id)),
      hardState: disk.hardState,
      log: { entries: disk.entries, baseIndex: logIndex(0), baseTerm: term(0) },
      snapshot: null,
      seed: this.#below(2 ** 32),
      damaged: disk.damaged,
    });
    const effects = recovered(node.core);
    this.oracle.started(node.core, effects);
    this.#finish(node, effects, false);
  }

  #crash(node: Node): void {
    node.core = null;
    node.inbox = [];
    this.oracle.crashed(node.id);
    const { disk } = node;
    const othersWhole = this.nodes.every((each) => each === node || !each.disk.damaged);
    if (!this.#schedule.damage || !othersWhole || disk.entries.length === 0) return;
    if (!this.#happens(30)) return;
    disk.entries.length -= 1 + this.#below(disk.entries.length);
    disk.damaged = true;
    this.oracle.durable(node.id, disk);
  }
}
