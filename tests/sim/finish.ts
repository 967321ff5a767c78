/**
 * The end of a run: the faults stop, a random quorum is healed and the others stay dead. Then the cluster
 * must come to itself: one leader, equal logs, a fresh write and read; and what was ever acknowledged is there.
 *
 * @module
 */
import type { Clients } from "./clients.ts";
import type { Faults } from "./faults.ts";
import type { Machine } from "./machine.ts";
import { Dice } from "./random.ts";
import { historyEntry, keyOf, keysOf, stampText } from "./requests.ts";
import type { World } from "./world.ts";
import { type AtomicWrite, ValueEncoding } from "../../kv/types.ts";
import { LINEARIZABLE } from "../../actors/service.ts";
import { decodeConfiguration } from "../../raft/configuration_codec.ts";
import { members } from "../../raft/quorum.ts";
import { type Configuration, EntryKind } from "../../raft/types.ts";

/** How long the cluster may take: corrupt snapshots are fetched again after up to 30 s, room is looked for each 10 s. */
const LIVENESS_MS = 90_000;
const STEP_MS = 20;
/** An operator's request takes no longer than this. */
const OPERATORS_MS = 12_000;
/** Answers that are on their way come within so long, or not any more. */
const CALLS_MS = 100;
/** How often a fresh write or read is tried. */
const ATTEMPTS_MAX = 4;
const FINISH_SALT = 0xe0d;

type Service = NonNullable<Machine["process"]>["node"]["service"];

/** Lets `ms` pass; false once something is broken. */
export type Pass = (ms: number) => Promise<boolean>;

/** Heals and waits. What does not come to be in time is told to the watch. */
export async function finish(
  world: World,
  faults: Faults,
  clients: Clients,
  pass: Pass,
): Promise<void> {
  const committed = world.watch.ledger.commitIndex;
  heal(world, faults);
  if (!await pass(CALLS_MS)) return;
  clients.end();
  // A change of members that is under way could be stopped half-way by the deaths that follow.
  for (let ms = 0; ms < OPERATORS_MS && faults.isBusy; ms += STEP_MS) {
    if (!await pass(STEP_MS)) return;
  }
  const survivors = chooseSurvivors(world);
  if (survivors === null) {
    world.trace.tell("no quorum is left that could be healed");
    return;
  }
  for (const machine of world.machines) {
    if (survivors.includes(machine)) world.start(machine);
    else {
      machine.isDead = true;
      world.crash(machine, false);
    }
  }
  world.trace.tell(`HEALED ${survivors.map(({ id }) => id)}`);
  if (!await agreed(world, pass, "after the faults")) return;
  if (!await lastWords(world, clients, pass)) return;
  if (!await agreed(world, pass, "after a fresh write")) return;
  const { commitIndex } = world.leader!.life!;
  if (commitIndex < committed) {
    world.watch.broken(
      "nothing-lost",
      `committed was ${committed}, in the end it is ${commitIndex}`,
    );
  }
}

function heal(world: World, faults: Faults): void {
  faults.end();
  world.healNetwork(false);
  for (const machine of world.machines) {
    machine.clock.resume();
    machine.clock.setRate(1);
    machine.isStopped = false;
    machine.disk.heal();
    world.prepareDisk(machine, 0);
  }
}

/** Who goes on: as few as can be, so that whatever counts on more shows. Null if all of them are too few. */
function chooseSurvivors(world: World): Machine[] | null {
  const configurations = relevantConfigurations(world);
  let chosen = world.machines.filter((machine) => !machine.isOutcast && !machine.isFree);
  const isEnough = () => configurations.every((each) => isQuorate(world, each, chosen));
  if (!isEnough()) return null;
  const dice = new Dice((world.schedule.seed ^ FINISH_SALT) >>> 0);
  for (const machine of dice.some(chosen, dice.below(chosen.length))) {
    const before = chosen;
    chosen = chosen.filter((each) => each !== machine);
    if (!isEnough()) chosen = before;
  }
  return chosen;
}

function isQuorate(
  world: World,
  configuration: Configuration,
  chosen: readonly Machine[],
): boolean {
  const { voters, votersOutgoing } = configuration;
  for (const half of votersOutgoing.length === 0 ? [voters] : [voters, votersOutgoing]) {
    const sound = chosen.filter((machine) =>
      half.includes(machine.id) && !world.isUnsound(machine)
    );
    if (sound.length <= half.length / 2) return false;
  }
  return true;
}

/** The latest one that is committed, and those that may still follow it: on any disk. */
function relevantConfigurations(world: World): Configuration[] {
  const { entries, commitIndex } = world.watch.ledger;
  const found: Configuration[] = [];
  const last = entries.findLast((entry) => entry?.kind === EntryKind.Configuration);
  if (last !== undefined) found.push(decodeConfiguration(last.data));
  else {
    const voters = world.machines.slice(0, world.schedule.nodes).map(({ id }) => id);
    found.push({ voters, votersOutgoing: [], learners: [], promoting: [], addresses: [] });
  }
  for (const { disk, life } of world.machines) {
    // A leader sends what its own disk does not have yet.
    for (const { index, configuration } of life?.core.configurations ?? []) {
      if (index > commitIndex) found.push(configuration);
    }
    for (const { index, kind, data } of disk.entries) {
      if (index > commitIndex && kind === EntryKind.Configuration) {
        found.push(decodeConfiguration(data));
      }
    }
  }
  return found.flatMap((each) => [each, ...promoted(each)]);
}

/** What becomes of a configuration by itself, once those on their way to becoming voters have caught up. */
function promoted(configuration: Configuration): Configuration[] {
  return configuration.promoting.map(({ id, replaces }) => {
    const voters = configuration.voters.filter((each) => each !== replaces);
    return { ...configuration, voters: [...voters, id] };
  });
}

/** Waits until all members that live have one log and one state. */
async function agreed(world: World, pass: Pass, when: string): Promise<boolean> {
  for (let ms = 0; ms < LIVENESS_MS; ms += STEP_MS) {
    if (disagreement(world) === null) return true;
    if (!await pass(STEP_MS)) return false;
  }
  world.watch.broken("liveness", `${when}, within ${LIVENESS_MS} ms: ${disagreement(world)}`);
  return false;
}

/** What is missing; null if nothing is. */
function disagreement(world: World): string | null {
  const { leader } = world;
  if (leader === null) return `nobody leads: ${states(world)}`;
  const { core, store, commitIndex } = leader.life!;
  if (core.log.lastIndex !== commitIndex || store.index !== commitIndex) {
    return `the leader commits: ${states(world)}`;
  }
  const { hash } = store.hash();
  for (const id of members(core.configuration)) {
    const machine = world.machine(id);
    if (machine.isDead || machine.isOutcast) continue;
    const { life } = machine;
    if (machine.process?.node.service.notReady() !== null) {
      return `${id} is not ready (${machine.process?.node.service.notReady()}): ${states(world)}`;
    }
    const isEqual = life !== null && life.core.leader === leader.id &&
      life.store.index === commitIndex && life.core.log.lastIndex === commitIndex &&
      life.store.hash().hash === hash;
    if (!isEqual) return `${id} is behind: ${states(world)}`;
  }
  return null;
}

function states(world: World): string {
  return world.machines.map(({ id, life, isDead, isFree }) => {
    if (life === null) return `${id} ${isDead ? "dead" : isFree ? "free" : "down"}`;
    const { core, store } = life;
    return `${id} ${core.role} of ${core.term}, last ${core.log.lastIndex}, commit ${core.commitIndex}, ` +
      `applied ${store.index}${
        core.damaged ? ", damaged" : ""
      }, voters ${core.configuration.voters}`;
  }).join("; ");
}

/** A fresh write and a fresh read of everything: they belong to the history as well. */
async function lastWords(world: World, clients: Clients, pass: Pass): Promise<boolean> {
  const written = await lastWrite(world, clients, pass);
  return written && await lastRead(world, clients, pass);
}

async function lastWrite(world: World, clients: Clients, pass: Pass): Promise<boolean> {
  const data = new TextEncoder().encode("end");
  const value = { encoding: ValueEncoding.Bytes, data };
  const set = { type: "set", key: keyOf("k0"), value, expiry: { type: "never" } } as const;
  const write: AtomicWrite = { checks: [], mutations: [set], idempotencyKey: "end" };
  const invokedAt = world.env.now();
  const result = await eventually(world, pass, "write", (service) => service.write(write));
  if (result === null) return false;
  if (result.status !== "applied") {
    world.watch.broken("liveness", `a fresh write comes to ${result.status}`);
    return false;
  }
  clients.record({
    client: "end",
    invokedAt,
    completedAt: world.env.now(),
    op: "write",
    checks: [],
    mutations: [{ type: "set", key: "k0", value: "end" }],
    outcome: "ok",
    versionstamp: stampText(result.versionstamp),
  });
  return true;
}

async function lastRead(world: World, clients: Clients, pass: Pass): Promise<boolean> {
  const names = keysOf(world.schedule.keys);
  const query = { type: "get", keys: names.map(keyOf) } as const;
  const invokedAt = world.env.now();
  const read = await eventually(
    world,
    pass,
    "read",
    (service) => service.read(query, LINEARIZABLE),
  );
  if (read === null) return false;
  const completedAt = world.env.now();
  // Key by key: read together, they would have to be judged together.
  for (const [at, key] of names.entries()) {
    const entries = [historyEntry(read.results[0]![at]!)];
    const action = { op: "read", keys: [key], outcome: "ok", entries } as const;
    clients.record({ client: "end", invokedAt, completedAt, ...action });
  }
  return true;
}

/** Asks a member, and if it was removed in that moment another one. Null once something is broken. */
async function eventually<T>(
  world: World,
  pass: Pass,
  what: string,
  call: (service: Service) => Promise<T>,
): Promise<T | null> {
  let error: unknown = null;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    // Whoever led a moment ago may have left, by the change that was under way.
    const isSettled = attempt === 0 && world.leader !== null;
    if (!isSettled && !await agreed(world, pass, `before a fresh ${what}`)) return null;
    const leader = world.leader!;
    const others = members(leader.life!.core.configuration).map((id) => world.machine(id));
    const follower = others.find((each) => each !== leader && each.isRunning);
    const machine = attempt % 2 === 0 ? follower ?? leader : leader;
    const answer = await settled(call(machine.process!.node.service), pass);
    if (answer === null) return null;
    if (answer.error === null) return answer.value;
    error = answer.error;
  }
  world.watch.broken("liveness", `a fresh ${what} fails: ${error}`);
  return null;
}

/** What a promise comes to while time passes; null if the run ends before. */
async function settled<T>(
  promise: Promise<T>,
  pass: Pass,
): Promise<{ readonly value: T | null; readonly error: unknown } | null> {
  let outcome: { readonly value: T | null; readonly error: unknown } | null = null;
  promise.then(
    (value) => outcome = { value, error: null },
    (error) => outcome = { value: null, error },
  );
  for (let ms = 0; ms < LIVENESS_MS && outcome === null; ms += STEP_MS) {
    if (!await pass(STEP_MS)) return null;
  }
  return outcome ?? { value: null, error: "no answer" };
}
