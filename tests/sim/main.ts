/**
 * `deno task sim`: the simulator's command line. See options.ts for what it takes.
 *
 * Exit codes: 0 nothing was found; 1 a promise was broken, or a mark never hit; 2 the command line is wrong.
 *
 * @module
 */
import { runMutants } from "../mutants/run.ts";
import { keptSchedule } from "./kept.ts";
import { parseOptions, type SimOptions, USAGE, UsageError } from "./options.ts";
import { runRange } from "./pool.ts";
import { drawSchedule, PROFILES } from "./profiles.ts";
import { MARKS_SEEDS_MIN, Report } from "./report.ts";
import { type Outcome, runSchedule } from "./run.ts";
import type { Schedule } from "./schedule.ts";
import { microtaskCheckpoint } from "./settle.ts";
import { shrink } from "./shrink.ts";
import { runTwice } from "./twice.ts";

const CORPUS = new URL("./corpus/", import.meta.url);
const PROGRESS_MS = 10_000;

async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--mutants")) {
    return await runMutants(args.filter((argument) => argument !== "--mutants"));
  }
  if (args.includes("--help")) {
    console.log(USAGE);
    return 0;
  }
  const options = parseOptions(args, navigator.hardwareConcurrency);
  const kept = options.schedule === null ? null : await keptSchedule(options.schedule);
  if (microtaskCheckpoint() === null) {
    console.log("Without --v8-flags=--allow-natives-syntax this takes several times as long.");
  }
  if (kept !== null) return await runOne(kept, options);
  if (options.seed !== null) {
    return await runOne(drawSchedule(options.seed, options.profile), options);
  }
  return await runMany(options);
}

async function runOne(schedule: Schedule, options: SimOptions): Promise<number> {
  const outcome = await run(schedule, options);
  for (const line of outcome.trace) console.log(line);
  const { events, hash, virtualMs, operations, acknowledged } = outcome;
  console.log(
    `seed ${schedule.seed}: ${events} events in ${
      virtualMs.toFixed(0)
    } virtual ms, ${operations} operations, ` +
      `${acknowledged} acknowledged, hash ${hash}`,
  );
  if (outcome.violation === null) return 0;
  await fail(schedule, outcome, options);
  return 1;
}

function run(schedule: Schedule, { once, trace }: SimOptions): Promise<Outcome> {
  const settings = { isReadable: trace };
  return once ? runSchedule(schedule, settings) : runTwice(schedule, settings);
}

async function runMany(options: SimOptions): Promise<number> {
  const { first, seeds, minutes, profile, jobs, once } = options;
  const report = new Report();
  const startMs = performance.now();
  const endMs = minutes === null ? Infinity : startMs + minutes * 60_000;
  let toldMs = startMs;
  await runRange({ first, seeds, profile, once, jobs }, ({ seed, outcome }) => {
    report.add(seed, outcome);
    if (outcome.violation !== null && report.failures.at(-1)?.seed === seed) {
      const { invariant, message } = outcome.violation;
      console.log(`seed ${seed} FAILED: ${invariant}: ${message}\n  ${reproduce(seed, profile)}`);
    }
    const nowMs = performance.now();
    if (nowMs - toldMs > PROGRESS_MS) {
      toldMs = nowMs;
      console.log(report.progress(nowMs - startMs, minutes === null ? seeds : null));
    }
    return nowMs < endMs;
  });
  console.log(report.text(performance.now() - startMs, Math.min(jobs, seeds), once ? 1 : 2));
  if (report.failures.length > 0) {
    const { seed } = report.failures[0]!;
    const schedule = drawSchedule(seed, profile);
    await fail(schedule, await run(schedule, options), options);
    return 1;
  }
  // The other profiles leave classes of faults out.
  if (profile !== "swarm" || report.seeds < MARKS_SEEDS_MIN || report.missed.length === 0) return 0;
  console.log(`FAILED: never hit: ${report.missed.join(", ")}`);
  return 1;
}

function reproduce(seed: number, profile: string): string {
  const name = profile === "swarm" ? "" : ` --profile ${profile}`;
  return `deno task sim --seed ${seed}${name} --trace`;
}

/** Says how to see it again, and keeps the smallest schedule that shows it. */
async function fail(schedule: Schedule, outcome: Outcome, options: SimOptions): Promise<void> {
  const { invariant, message } = outcome.violation!;
  console.log(`FAILED: ${invariant}: ${message}`);
  if (Object.hasOwn(PROFILES, schedule.profile)) {
    console.log(reproduce(schedule.seed, schedule.profile));
  }
  if (!options.shrink) return;
  const judge = async (candidate: Schedule) => {
    const { violation } = invariant === "deterministic"
      ? await runTwice(candidate)
      : await runSchedule(candidate);
    return violation?.invariant ?? null;
  };
  const { schedule: smallest, runs } = await shrink(schedule, invariant, judge);
  const name = `${schedule.profile}_${schedule.seed}.json`;
  await Deno.writeTextFile(new URL(name, CORPUS), `${JSON.stringify(smallest, null, 2)}\n`);
  console.log(
    `after ${runs} runs: ${smallest.nodes} nodes, ${smallest.clients} clients, ${smallest.faults.length} faults\n` +
      `deno task sim --schedule tests/sim/corpus/${name} --trace`,
  );
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
}
