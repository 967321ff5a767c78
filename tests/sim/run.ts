/**
 * One run: a schedule in, an outcome out. A pure function, wherever and however often it is called.
 *
 * @module
 */
import { Clients } from "./clients.ts";
import { Faults } from "./faults.ts";
import { finish } from "./finish.ts";
import { historyFault } from "./linearizable.ts";
import type { MarkCounts } from "./marks.ts";
import type { Schedule, StruckCounts } from "./schedule.ts";
import { microtaskCheckpoint } from "./settle.ts";
import { Trace } from "./trace.ts";
import type { Violation } from "./watch.ts";
import { startWatchers } from "./watchers.ts";
import { World } from "./world.ts";
import { virtualEnv } from "../../actors/virtual_env.ts";

/** Events of one run: one that takes more goes in circles. */
const EVENTS_MAX = 3_000_000;

export interface Outcome {
  readonly violation: Violation | null;
  /** Over everything that happened. */
  readonly hash: string;
  /** Entries taken from the heap. */
  readonly events: number;
  readonly virtualMs: number;
  readonly operations: number;
  readonly acknowledged: number;
  readonly crashes: number;
  readonly struck: StruckCounts;
  readonly marks: MarkCounts;
  /** If it was asked for. */
  readonly trace: readonly string[];
}

export interface RunOptions {
  /** Whether to keep a log for people. */
  readonly isReadable?: boolean;
  /**
   * Whether promises are checked. They are told of what happens and change none of it, so that a run that is
   * not watched is the same run, to the last byte of its trace.
   */
  readonly isWatched?: boolean;
  /** In place of the host's microtask checkpoint; null for laps through the event loop. */
  readonly settle?: (() => void) | null;
}

/** Runs a schedule to its end, or to the first promise that is broken. */
export async function runSchedule(schedule: Schedule, options: RunOptions = {}): Promise<Outcome> {
  const { isReadable = false, isWatched = true, settle = microtaskCheckpoint() } = options;
  const env = virtualEnv(schedule.seed, { settle });
  const trace = new Trace(() => env.now(), isReadable);
  const world = new World(schedule, env, trace, isWatched);
  const { watch } = world;
  let events = 0;
  const after = () => {
    if (++events > EVENTS_MAX) watch.broken("liveness", `no end after ${EVENTS_MAX} events`);
    return watch.settled();
  };
  const pass = async (ms: number) => {
    await env.run(env.now() + ms, after);
    return watch.violation === null;
  };
  for (const machine of world.machines.slice(0, schedule.nodes)) world.start(machine);
  const faults = new Faults(world);
  const clients = new Clients(world);
  startWatchers(world);
  if (await pass(schedule.runMs)) await finish(world, faults, clients, pass);
  if (isWatched && watch.violation === null) judge(clients, world);
  return {
    violation: watch.violation,
    hash: trace.hash,
    events,
    virtualMs: env.now(),
    operations: clients.history.length,
    acknowledged: clients.history.filter(({ outcome }) => outcome === "ok").length,
    crashes: world.crashes,
    struck: faults.struck,
    marks: world.marks,
    trace: trace.lines,
  };
}

function judge({ history }: Clients, { watch }: World): void {
  const fault = historyFault(history);
  if (fault !== null) watch.broken("linearizability", fault);
}
