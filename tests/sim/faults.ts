/**
 * Brings the faults of a schedule about, each at its time or at the moment that it is aimed at.
 *
 * @module
 */
import { addressOf } from "../actors/addresses.ts";
import { isOutcome } from "./clients.ts";
import { Damages, isDamage } from "./damages.ts";
import { Duel } from "./duel.ts";
import type { Machine } from "./machine.ts";
import type { Mark } from "./marks.ts";
import { CLASS_OF, type Fault, LEADER, type Moment, type StruckCounts } from "./schedule.ts";
import type { World } from "./world.ts";
import type { MemberRequest } from "../../actors/service.ts";
import { isMember, members } from "../../raft/quorum.ts";

type FaultOf<T extends Fault["type"]> = Extract<Fault, { type: T }>;
type Aimed = FaultOf<"aim" | "aim-cut">;

/** How long an aim waits for its moment. */
const AIM_MS = 2_000;
/** A node that was removed is switched off after so long, unless it is to linger. */
const REMOVED_MS = 200;

const AIMED_MARKS: Readonly<Partial<Record<Moment, Mark>>> = {
  "vote-reply": "aimed-vote-reply",
  "election": "aimed-election",
  "persist": "aimed-persist",
  "snapshot-chunk": "aimed-snapshot-chunk",
  "snapshot-install": "aimed-snapshot-install",
  "joint": "aimed-joint",
};

export class Faults {
  readonly struck: StruckCounts = {};
  readonly #world: World;
  readonly #aims: { readonly fault: Aimed; readonly untilMs: number }[] = [];
  #duels: Duel[] = [];
  #isOver = false;
  readonly #damages: Damages;
  /** Requests of operators that were not answered yet, and the process that was asked. */
  readonly #open = new Set<{ readonly process: NonNullable<Machine["process"]> }>();

  constructor(world: World) {
    this.#world = world;
    this.#damages = new Damages(
      world,
      (fault) => this.#count(fault),
      (ms, act) => this.#later(ms, act),
    );
    world.onMoment = (machine, moment) => this.#moment(machine, moment);
    for (const fault of world.schedule.faults) {
      world.env.setTimer(() => this.#strike(fault), fault.atMs);
    }
  }

  /** Whether an operator waits for an answer of a process that lives: what it asked may still come to be. */
  get isBusy(): boolean {
    const living = new Set(this.#world.machines.map(({ process }) => process));
    for (const { process } of this.#open) if (living.has(process)) return true;
    return false;
  }

  /** From now on nothing more is broken; what is broken already stays so. */
  end(): void {
    this.#isOver = true;
    this.#aims.length = 0;
    this.#duels = [];
  }

  #strike(fault: Fault): void {
    if (this.#isOver) return;
    const world = this.#world;
    world.trace.tell(`FAULT ${JSON.stringify(fault)}`);
    switch (fault.type) {
      case "blackout":
        this.#blackout(fault);
        break;
      case "aim":
      case "aim-cut":
        this.#aims.push({ fault, untilMs: world.env.now() + AIM_MS });
        break;
      case "duel":
        this.#duel(fault);
        break;
      case "partition":
        this.#partition(fault);
        break;
      case "clog":
        this.#clog(fault);
        break;
      case "add":
      case "replace":
        this.#add(fault);
        break;
      case "remove":
        this.#remove(fault);
        break;
      case "transfer":
        this.#transfer(fault);
        break;
      case "storm":
        this.#count(fault);
        this.#storm();
        break;
      default: {
        const machine = this.#named(fault.node);
        if (machine !== null) this.#strikeOne(fault, machine);
      }
    }
  }

  /** Counts a fault that has found whom to befall. */
  #count({ type }: Fault): void {
    const name = CLASS_OF[type];
    this.struck[name] = (this.struck[name] ?? 0) + 1;
  }

  /** What befalls one machine. */
  #strikeOne(fault: Exclude<Fault, FaultOf<Untargeted>>, machine: Machine): void {
    if (!isDamage(fault)) this.#count(fault);
    switch (fault.type) {
      case "crash":
        this.#crash(machine, fault.landed, fault.ms);
        break;
      case "pause":
      case "suspend":
        this.#standStill(machine, fault);
        break;
      case "rate":
        machine.clock.setRate(fault.rate);
        break;
      case "jump":
        machine.clock.jumpWall(fault.ms);
        break;
      case "slow-disk":
        this.#world.prepareDisk(machine, fault.commitMs);
        this.#later(fault.ms, () => this.#world.prepareDisk(machine));
        break;
      case "disk-full":
        machine.disk.fill(fault.freeBytes);
        this.#later(fault.ms, () => machine.disk.enlarge());
        break;
      case "disk-error":
        this.#diskError(machine, fault);
        break;
      case "open-error":
        this.#openError(machine, fault);
        break;
      default:
        this.#damages.strike(machine, fault);
        break;
    }
  }

  /** The one in that position, or the leader; null if there is none, or it does not run. */
  #named(node: number): Machine | null {
    const world = this.#world;
    const machine = node === LEADER ? world.leader : world.machines[node] ?? null;
    return machine?.isRunning ? machine : null;
  }

  #later(ms: number, act: () => void): void {
    this.#world.env.setTimer(() => {
      if (!this.#isOver) act();
    }, ms);
  }

  #crash(machine: Machine, landed: boolean, ms: number): void {
    if (!machine.isRunning) return;
    this.#world.crash(machine, landed);
    this.#world.startLater(machine, ms);
  }

  #blackout(fault: FaultOf<"blackout">): void {
    const { landed, ms } = fault;
    this.#count(fault);
    this.#world.marks["blackout"]++;
    for (const machine of this.#world.running) this.#crash(machine, landed, ms);
  }

  #moment(machine: Machine, moment: Moment): void {
    const world = this.#world;
    for (const duel of this.#duels) duel.moment(machine, moment);
    for (let at = this.#aims.length - 1; at >= 0; at--) {
      const { fault, untilMs } = this.#aims[at]!;
      if (untilMs < world.env.now()) this.#aims.splice(at, 1);
      else if (fault.moment === moment) {
        this.#aims.splice(at, 1);
        world.trace.tell(`AIMED at ${moment} of ${machine.id}`);
        // Between this act and the next, or once all that follows at once from it is done.
        if (fault.type === "aim" && !fault.landed) this.#hit(machine, fault);
        else world.env.defer(() => this.#hit(machine, fault));
      }
    }
  }

  #hit(machine: Machine, fault: Aimed): void {
    const { marks } = this.#world;
    this.#count(fault);
    if (fault.type === "aim") {
      const mark = AIMED_MARKS[fault.moment];
      if (mark !== undefined) marks[mark]++;
      this.#crash(machine, fault.landed, fault.ms);
      return;
    }
    if (fault.moment === "joint") marks["leader-cut-in-joint"]++;
    if (fault.moment === "prior-entry") marks["leader-cut-with-prior-entry"]++;
    this.#cutOff([machine], true);
    this.#later(fault.ms, () => this.#world.healNetwork(true));
  }

  #duel(fault: FaultOf<"duel">): void {
    const { ms } = fault;
    this.#count(fault);
    const duel = new Duel(this.#world, ms);
    this.#duels.push(duel);
    this.#later(ms, () => {
      this.#duels = this.#duels.filter((each) => each !== duel);
      this.#world.healNetwork(true);
    });
  }

  #partition(fault: FaultOf<"partition">): void {
    const { shape, nodes, ms } = fault;
    this.#count(fault);
    const { machines } = this.#world;
    const chosen = nodes.flatMap((at) => machines[at] ?? []);
    switch (shape) {
      case "halves":
        this.#cutOff(chosen, true);
        break;
      case "one-way":
        this.#cutOff(chosen, false);
        break;
      case "bridge":
        this.#bridge(chosen);
        break;
      case "ring":
        this.#ring(chosen);
        break;
    }
    this.#later(ms, () => this.#world.healNetwork(true));
  }

  /** The chosen are not heard by the others; nor do they hear them, if it is both ways. */
  #cutOff(chosen: readonly Machine[], isBothWays: boolean): void {
    for (const a of chosen) {
      for (const b of this.#world.machines) {
        if (chosen.includes(b)) continue;
        this.#world.cut(a, b);
        if (isBothWays) this.#world.cut(b, a);
      }
    }
  }

  /** The first of the chosen talks to everybody; beside it, the chosen and the others do not. */
  #bridge([between, ...side]: readonly Machine[]): void {
    for (const a of side) {
      for (const b of this.#world.machines) {
        if (b === between || side.includes(b)) continue;
        this.#world.cut(a, b);
        this.#world.cut(b, a);
      }
    }
  }

  /** Each hears the few beside it in the ring: a majority, and no two of them the same one. */
  #ring(ring: readonly Machine[]): void {
    const reach = Math.floor(ring.length / 4) + (ring.length > 3 ? 0 : 1);
    for (const [i, a] of ring.entries()) {
      for (const [j, b] of ring.entries()) {
        const apart = Math.min(
          (i - j + ring.length) % ring.length,
          (j - i + ring.length) % ring.length,
        );
        if (apart > Math.max(1, reach)) this.#world.cut(a, b);
      }
    }
  }

  #clog(fault: FaultOf<"clog">): void {
    const { from, to, ms } = fault;
    const { network, machines } = this.#world;
    const a = from === LEADER ? this.#world.leader : machines[from];
    const b = machines[to];
    if (!a || !b || a === b) return;
    this.#count(fault);
    network.setLink(a.id, b.id, { clogged: true });
    this.#later(ms, () => network.setLink(a.id, b.id, { clogged: false }));
  }

  #standStill(machine: Machine, { type, ms }: FaultOf<"pause" | "suspend">): void {
    if (machine.isStopped) return;
    machine.isStopped = true;
    const { epoch } = machine;
    if (type === "pause") machine.clock.stop();
    else machine.clock.suspend();
    this.#later(ms, () => {
      if (machine.epoch !== epoch) return;
      machine.isStopped = false;
      machine.clock.resume();
    });
  }

  #diskError({ disk }: Machine, { of, landed }: FaultOf<"disk-error">): void {
    const point = landed ? "after-landing" : "before-landing";
    if (of === "commit") disk.failNextCommit(point, new Error("Injected: EIO"));
    else disk.failNextChunk(point, new Error("Injected: EIO"));
  }

  #openError(machine: Machine, { times, ms }: FaultOf<"open-error">): void {
    machine.disk.failOpening(times, new Error("Injected: EIO at the start"));
    this.#crash(machine, false, ms);
  }

  #add(fault: FaultOf<"add" | "replace">): void {
    const world = this.#world;
    const asker = this.#named(fault.at);
    const machine = world.machines[fault.type === "add" ? fault.node : fault.by];
    if (asker === null || machine === undefined || machine === asker) return;
    if (machine.isFree && machine.additions > 0 && !this.#isForgotten(machine)) return;
    this.#count(fault);
    machine.additions++;
    if (machine.isFree) {
      machine.isFree = false;
      machine.isOutcast = false;
      machine.isSuspect = false;
      world.wipe(machine, false);
      world.start(machine);
    }
    const { id, url, peer } = addressOf(machine.id);
    const isVoter = fault.type === "replace" || fault.voter;
    const replaces = fault.type === "replace" ? world.machines[fault.node]?.id ?? null : null;
    const role = isVoter ? "voter" : "learner";
    const request: MemberRequest = { id, url, peer, role, replaces, clusterId: null };
    this.#ask(asker, `add ${id}`, (service) => service.addMember(request));
  }

  /**
   * Whether every member has heard that this one left. An operator waits for that before a name is used
   * again: a voter that was away refuses the newcomer as one that lost its data, until a leader tells it
   * better, and if there is none without the two of them, there will not be one.
   */
  #isForgotten({ id }: Machine): boolean {
    const configuration = this.#world.leader?.life?.core.configuration;
    return configuration !== undefined && members(configuration).every((each) => {
      const life = this.#world.machine(each).life;
      return life !== null && !isMember(life.core.configuration, id);
    });
  }

  #remove(fault: FaultOf<"remove">): void {
    const { at, node, lingerMs = REMOVED_MS } = fault;
    const asker = this.#named(at);
    const machine = this.#world.machines[node];
    if (asker === null || machine === undefined) return;
    this.#count(fault);
    this.#ask(asker, `remove ${machine.id}`, (service) => service.removeMember(machine.id), () => {
      const { epoch, additions } = machine;
      this.#later(lingerMs, () => {
        if (machine.epoch !== epoch || machine.additions !== additions) return;
        this.#world.crash(machine, false);
        machine.isFree = true;
      });
    });
  }

  #transfer(fault: FaultOf<"transfer">): void {
    const { at, to } = fault;
    const asker = this.#named(at);
    const target = to === null ? null : this.#world.machines[to]?.id ?? null;
    if (asker === null) return;
    this.#count(fault);
    this.#ask(asker, "transfer", (service) => service.transferLeadership(target));
  }

  #storm(): void {
    for (const machine of this.#world.running) {
      this.#ask(machine, "snapshot", (service) => service.takeSnapshot());
    }
  }

  #ask(
    machine: Machine,
    what: string,
    call: (service: NonNullable<Machine["process"]>["node"]["service"]) => Promise<unknown>,
    onDone: () => void = () => {},
  ): void {
    const { trace, watch } = this.#world;
    const process = machine.process!;
    const asked = { process };
    this.#open.add(asked);
    call(process.node.service).finally(() => this.#open.delete(asked)).then(() => {
      if (machine.process !== process) return;
      trace.tell(`${machine.id} answers: ${what} is done`);
      onDone();
    }, (error: Error) => {
      if (machine.process !== process) return;
      trace.tell(`${machine.id} answers: ${what} fails: ${error.name}: ${error.message}`);
      if (!isOutcome(error)) watch.broken("no-internal-error", `${what}: ${error.stack}`);
    });
  }
}

/** The faults that befall no single machine. */
type Untargeted =
  | "blackout"
  | "aim"
  | "aim-cut"
  | "duel"
  | "partition"
  | "clog"
  | "add"
  | "replace"
  | "remove"
  | "transfer"
  | "storm";
