/**
 * N cores on a network and disks that fail as they may: messages are lost, doubled, reordered and cut
 * off, nodes die before or after their commit and start again from what was durable, and a disk may
 * lose its tail, or all (noticed, as storage does). Nodes take snapshots, cut off their logs and install
 * each other's snapshots; ticks run late, never early, and reads may be answered by lease.
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
  grantByLease,
  type Input,
  installVerdict,
  knowsMembersAt,
  logIndex,
  mergePersists,
  type NodeId,
  nodeId,
  recovered,
  snapshotMeta,
  step,
} from "../../raft/mod.ts";
import { isMember } from "../../raft/quorum.ts";
import { createRandom, drawBelow } from "../../raft/random.ts";
import { drawRequest, joinerOf } from "./harness_churn.ts";
import {
  applyEntry,
  commitBatch,
  type Disk,
  emptyDisk,
  installSnapshot,
  lastIndexOf,
  loseTail,
  NOTHING_APPLIED,
  quarantine,
  storeSnapshot,
  verifyIncoming,
} from "./harness_disk.ts";
import { hasWork, type Node } from "./harness_node.ts";
import { Network, type Packet } from "./harness_network.ts";
import type { Schedule } from "./harness_schedule.ts";
import { SnapshotShell } from "./harness_snapshots.ts";
import { Clocks } from "./harness_time.ts";
import { Oracle } from "./oracle.ts";

/** Small windows, so that they fill; the timeouts are those of a replica. */
const LIMITS = { inflightMessagesMax: 3, appendBytesMax: 96, forwardBytesMax: 40 };

export class Cluster {
  readonly oracle: Oracle;
  readonly #clocks: Clocks;
  readonly nodes: Node[] = [];
  readonly #founders: readonly NodeId[];
  readonly #random;
  readonly #schedule: Schedule;
  readonly #network: Network;
  #commands = 0;

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
    this.#random = createRandom(schedule.seed);
    this.#network = new Network(schedule, (bound) => this.#below(bound));
    for (let n = 0; n < schedule.nodes; n++) this.#createNode(nodeId(`n${n + 1}`));
    this.#founders = this.nodes.map(({ id }) => id);
    this.oracle = new Oracle(!schedule.damage);
    this.#clocks = new Clocks(this.oracle);
    for (const node of this.nodes) this.#start(node);
  }

  #createNode(id: NodeId): Node {
    const disk = emptyDisk();
    const node = {
      id,
      disk,
      core: null,
      applied: NOTHING_APPLIED,
      shell: this.#createShell(id, disk),
      inbox: [],
      idNext: 1,
    };
    this.nodes.push(node);
    return node;
  }

  #createShell(id: NodeId, disk: Disk): SnapshotShell {
    return new SnapshotShell(disk, (to, message) => this.#network.post(id, to, message));
  }

  /** Runs the schedule's faults, action by action. */
  run(): void {
    for (let n = 0; n < this.#schedule.actions; n++) {
      // On average as much as a node's ticks come to.
      this.#clocks.pass(this.#below(20) * this.#schedule.tickRate / (1_000 * this.nodes.length));
      this.#act();
    }
  }

  /** Ends all faults, starts who is down, and lets `ticks` pass in which every message arrives in order. */
  heal(ticks: number): void {
    this.#network.heal();
    this.#clocks.resumeAll();
    for (const node of this.nodes) {
      if (node.core === null) this.#start(node);
      node.inbox.push({ type: "stand", standing: true });
    }
    for (let n = 0; n < ticks; n++) {
      this.#clocks.pass(1);
      for (const node of this.nodes) node.inbox.push({ type: "tick", timeMs: 0 });
      this.settle();
    }
  }

  /** Lets everything that is on the way arrive. Healthy: nothing is lost. */
  settle(): void {
    // A long log takes many rounds through small windows; one that grows by itself takes them all.
    for (let rounds = 0; rounds < 20_000; rounds++) {
      for (const node of this.nodes) while (hasWork(node)) this.#turn(node, 16, false);
      const packets = this.#network.takeAll();
      if (packets.length === 0) return;
      for (const packet of packets) this.#deliver(packet);
    }
    throw new Error("Cannot settle: messages keep coming without any tick");
  }

  /** The one that leads. */
  leader(): Core {
    const leaders = this.nodes.flatMap(({ core }) => core?.role === "leader" ? [core] : []);
    if (leaders.length === 1) return leaders[0];
    const states = this.nodes.map(({ core }) => `${core?.id} ${core?.role} ${core?.term}`);
    throw new Error(`Cannot name the leader of: ${states.join(", ")}`);
  }

  /** The nodes of the leader's configuration. */
  members(): Node[] {
    const { configuration } = this.leader();
    return this.nodes.filter(({ id }) => isMember(configuration, id));
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

  /** A read, by the leader's lease if `lease` is true and the leader has one. */
  read(node: Node, lease = false): void {
    const id = node.idNext++;
    this.oracle.readAsked(node.id, id);
    if (lease && node.core !== null && this.#clocks.holdsLease(node.core)) {
      this.oracle.marks.leaseReads++;
      this.oracle.stepped(node.core, grantByLease(node.core, null, id));
    } else {
      node.inbox.push({ type: "read", id, lease });
    }
  }

  #below(bound: number): number {
    return drawBelow(this.#random, bound);
  }

  #happens(percent: number): boolean {
    return this.#below(100) < percent;
  }

  #act(): void {
    const node = this.nodes[this.#below(this.nodes.length)];
    if (this.#clocks.isPaused(node.id)) return;
    const draw = this.#below(this.#schedule.churn ? 1_040 : 1_030);
    if (draw < 400) this.#turn(node, this.#schedule.turnInputsMax, this.#schedule.crashes);
    else if (draw < 900 - 10 * this.#schedule.tickRate) this.#deliverSome();
    else if (draw < 900) this.#push(node, { type: "tick", timeMs: this.#below(1_000) });
    else if (draw < 980) this.#askSome(node, draw >= 950);
    else if (draw < 990) this.#partitionSome(node);
    else if (draw >= 1_030) this.#operate(node);
    else if (draw >= 1_005) this.#snapshotSome(node);
    else if (draw >= 1_000) this.#transferSome(node);
    else if (node.core === null) this.#start(node);
    else if (this.#schedule.crashes && draw < 993) this.#crash(node);
  }

  #askSome(node: Node, reads: boolean): void {
    if (node.core === null) return;
    if (reads) this.read(node, this.#happens(50));
    else this.propose(node, 1 + this.#below(this.#schedule.turnInputsMax));
  }

  /** Takes a snapshot of what is applied, and cuts the log off at it or anywhere before. */
  #snapshotSome(node: Node): void {
    const { core, disk, applied } = node;
    if (!this.#schedule.snapshots || core === null) return;
    if (disk.snapshot !== null && this.#happens(40)) {
      // Nobody asked for it: so it also reaches who has the entries, and need not drop them.
      const to = this.nodes[this.#below(this.nodes.length)];
      if (to !== node) node.shell.begin(core, applied, to.id);
      return;
    }
    if (applied.index <= (disk.snapshot?.applied.index ?? 0)) return;
    if (!knowsMembersAt(core, applied.index)) return;
    const compactTo = applied.index - this.#below(this.#happens(50) ? 1 : 12);
    const meta = snapshotMeta(core, applied.index, core.log.entry(applied.index).timeMs);
    storeSnapshot(disk, meta, applied, logIndex(compactTo));
    this.oracle.marks.snapshots++;
    if (this.#schedule.crashes && this.#happens(10)) this.#crash(node);
    else this.#push(node, { type: "compacted", index: disk.baseIndex });
  }

  #transferSome(node: Node): void {
    if (!this.#schedule.transfers || node.core?.role !== "leader") return;
    const id = node.idNext++;
    this.oracle.members.transferAsked(node.id, id);
    node.inbox.push({ type: "transfer", id, to: null, timeMs: 0 });
  }

  /** Asks a leader, if there is one. */
  #operate(any: Node): void {
    const node = this.nodes.find(({ core }) => core?.role === "leader") ?? any;
    if (node.core === null) return;
    const ids = this.nodes.map(({ id }) => id);
    const id = node.idNext++;
    const input = drawRequest((bound) => this.#below(bound), id, node.core.configuration, ids);
    if (input.type === "transfer") this.oracle.members.transferAsked(node.id, id);
    const joiner = joinerOf(input);
    if (joiner !== null && !ids.includes(joiner)) this.#start(this.#createNode(joiner));
    this.#push(node, input);
  }

  /** Cuts the network in two or heals it, or lets a process stand still while the others go on. */
  #partitionSome(node: Node): void {
    if (!this.#schedule.partitions) return;
    if (this.#happens(15)) return this.#clocks.pause(node.id, this.#below(30));
    if (this.#happens(50)) this.#network.heal();
    else this.#network.partition(this.nodes.map(({ id }) => id));
  }

  #push(node: Node, input: Input): void {
    if (node.core !== null) node.inbox.push(input);
  }

  #deliverSome(): void {
    const packet = this.#network.arriving();
    if (packet !== null) this.#deliver(packet);
  }

  #deliver({ from, to, message }: Packet): void {
    const receiver = this.nodes.find(({ id }) => id === to)!;
    this.#push(receiver, { type: "message", from, message, timeMs: 0 });
  }

  /** One turn, as a replica's: step all, send early, commit, release. It may die in between. */
  #turn(node: Node, inputsMax: number, mayCrash: boolean): void {
    if (node.core === null || !hasWork(node)) return;
    if (node.shell.installDue) return this.#install(node, node.core, mayCrash);
    const inputs = node.inbox.splice(0, 1 + this.#below(inputsMax));
    const effects: Effect[] = [];
    for (const input of inputs) {
      const stepped = this.#step(node, node.core, input);
      checkInvariants(node.core);
      this.oracle.stepped(node.core, stepped);
      this.#clocks.check(node.core, this.nodes);
      effects.push(...stepped);
    }
    this.#finish(node, effects, mayCrash);
  }

  /** As a shell does: it knows when ticks are, and answers reads under a lease by itself. */
  #step(node: Node, core: Core, input: Input): Effect[] {
    if (input.type === "tick") {
      this.#clocks.tick(node.id);
      node.shell.tick(core);
    } else if (input.type === "message" && input.message.type === "read-request") {
      const { from, message: { lease, term, id } } = input;
      if (lease && term === core.term && this.#clocks.holdsLease(core)) {
        this.oracle.marks.leaseReads++;
        return grantByLease(core, from, id);
      }
    }
    return step(core, input);
  }

  /** A turn of its own for a snapshot that came in whole. It may die on either side of the one step. */
  #install(node: Node, core: Core, mayCrash: boolean): void {
    const { disk, shell } = node;
    const snapshot = verifyIncoming(disk);
    if (snapshot === null) {
      this.oracle.marks.corruptSnapshots++;
      return shell.refused(core);
    }
    shell.installDue = false;
    const { info } = snapshot;
    const verdict = installVerdict(core, info.meta);
    if (verdict === "stale") {
      disk.incoming = null;
      return;
    }
    if (mayCrash && this.#happens(10)) return this.#crash(node);
    installSnapshot(disk, snapshot, verdict === "keep-log");
    this.oracle.marks[verdict === "keep-log" ? "keptLogs" : "droppedLogs"]++;
    this.oracle.applied(node.id, snapshot.applied);
    if (mayCrash && this.#happens(10)) return this.#crash(node);
    node.applied = snapshot.applied;
    const effects = step(core, { type: "installed", info, keptLog: verdict === "keep-log" });
    checkInvariants(core);
    this.oracle.stepped(core, effects);
    this.#finish(node, effects, mayCrash);
  }

  #finish(node: Node, effects: readonly Effect[], mayCrash: boolean): void {
    this.#sendAll(node, effects, true);
    const batch = mergePersists(effects);
    // Deaths are aimed at the turns that write a term or a vote.
    const percent = !mayCrash || batch === null ? 0 : batch.hardState === null ? 1 : 5;
    if (this.#happens(percent)) return this.#crash(node);
    if (batch !== null) commitBatch(node.disk, batch);
    if (effects.some((effect) => effect.type === "repaired")) node.disk.damaged = false;
    this.oracle.durable(node.id, node.disk);
    if (this.#happens(percent)) return this.#crash(node);
    this.#sendAll(node, effects, false);
    this.#apply(node, node.core!);
    node.shell.perform(node.core!, node.applied, effects, () => mayCrash && this.#happens(10));
    const last = batch?.entries.at(-1);
    if (last) node.inbox.unshift({ type: "persisted", index: last.index, term: last.term });
  }

  /** Applies what is committed, and checks that nothing of it was cut off before. */
  #apply(node: Node, core: Core): void {
    while (node.applied.index < core.commitIndex) {
      node.applied = applyEntry(node.applied, core.log.entry(logIndex(node.applied.index + 1)));
    }
    this.oracle.applied(node.id, node.applied);
    const { baseIndex, snapshot } = node.disk;
    this.oracle.inOrder(node.id, [
      baseIndex,
      snapshot?.applied.index ?? logIndex(0),
      node.applied.index,
      core.commitIndex,
      lastIndexOf(node.disk),
    ]);
  }

  #sendAll(node: Node, effects: readonly Effect[], early: boolean): void {
    for (const effect of effects) {
      if (effect.type !== "send" || effect.early !== early) continue;
      this.oracle.sent(node.id, effect);
      this.#network.post(node.id, effect.to, effect.message);
    }
  }

  #start(node: Node): void {
    const { disk } = node;
    node.core = createCore({
      ...LIMITS,
      id: node.id,
      configuration: configurationOf(this.#founders.includes(node.id) ? this.#founders : []),
      hardState: disk.hardState,
      log: disk,
      snapshot: disk.snapshot?.info ?? null,
      seed: this.#below(2 ** 32),
      damaged: disk.damaged,
    });
    node.applied = disk.snapshot?.applied ?? NOTHING_APPLIED;
    node.shell = this.#createShell(node.id, disk);
    this.#clocks.started(node.id);
    const effects = recovered(node.core);
    this.oracle.started(node.core, node.applied.index, effects);
    this.#finish(node, effects, false);
  }

  #crash(node: Node): void {
    node.core = null;
    node.inbox = [];
    this.oracle.crashed(node.id);
    const { disk } = node;
    const othersWhole = this.nodes.every((each) => each === node || !each.disk.damaged);
    if (!this.#schedule.damage || !othersWhole || lastIndexOf(disk) === 0) return;
    if (!this.#happens(30)) return;
    if (disk.entries.length === 0 || this.#happens(20)) quarantine(disk);
    else loseTail(disk, 1 + this.#below(disk.entries.length));
    this.oracle.durable(node.id, disk);
  }
}
