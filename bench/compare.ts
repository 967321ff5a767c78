/**
 * `deno task bench:compare`: three Kvorum nodes side by side with etcd, with the ceiling of the design,
 * with one Kvorum node and with a local Deno KV file, on this machine.
 *
 * The machine's speed drifts by a factor of two within minutes, so all contenders stay up at once, each
 * workload goes to all of them back to back, and ratios are taken within a round. Bounded in time; starts
 * everything itself, on 127.0.0.1, and ends all of it whatever happens.
 *
 * The parts: compare/workloads.ts (what is measured), contenders.ts (how), results.ts and targets.ts
 * (what came out), report.ts (how it is told), history_lines.ts (what is kept of it).
 *
 * @module
 */
import { watchStopSignals } from "../cli/signals.ts";
import { WARM_UP_SECONDS } from "./compare/contenders.ts";
import { type HistoryLine, lastBefore, ratiosOf, withLine } from "./compare/history_lines.ts";
import { killEtcd, killKvorum } from "./compare/kills.ts";
import { type CompareOptions, parseCompareOptions, USAGE } from "./compare/options.ts";
import {
  changeTable,
  errorText,
  failoverText,
  READING_NOTES,
  targetTable,
  workloadTable,
} from "./compare/report.ts";
import { errorsOf, figuresOf, type Results, type Sample } from "./compare/results.ts";
import { Stage } from "./compare/stage.ts";
import {
  claimFile,
  HISTORY_FILE,
  look,
  readHistory,
  type Surroundings,
} from "./compare/surroundings.ts";
import { whole } from "./compare/table.ts";
import { judge, TARGETS } from "./compare/targets.ts";
import { type ContenderName, type Step, stepsOf } from "./compare/workloads.ts";
import { exitCodeFor, LoadError } from "./load_types.ts";

/** etcd takes seconds to be whole again after each. */
const ETCD_KILLS_MAX = 5;
/** What a measurement takes beside its seconds, and a kill in all, for the estimate at the start. */
const OVERHEAD_SECONDS = 0.3;
const KILL_SECONDS = 2.5;
const START_SECONDS = 20;
const EXIT_INTERRUPTED = 130;

/** Who has to be started. */
function neededFor(options: CompareOptions, etcd: string | null): Set<ContenderName> {
  const needed = new Set(options.workloads.flatMap(({ contenders }) => contenders));
  if (options.kills > 0) needed.add("kvorum").add("etcd");
  if (etcd === null) needed.delete("etcd");
  return needed;
}

function announce(options: CompareOptions, steps: readonly Step[], around: Surroundings): void {
  const { rounds, seconds, kills } = options;
  const count = steps.reduce((sum, step) => sum + step.contenders.length, 0);
  const took = START_SECONDS + count * (seconds + WARM_UP_SECONDS + OVERHEAD_SECONDS) +
    kills * KILL_SECONDS;
  console.log(
    `${around.commit}, Deno ${Deno.version.deno}, ${around.wrk}, ` +
      (around.etcd === null ? "" : `etcd ${around.etcd}, `) +
      `${navigator.hardwareConcurrency} cores; ${rounds} rounds of ${seconds} s, ${kills} kills: ` +
      `about ${Math.ceil(took / 60)} minutes`,
  );
  if (around.etcd === null) {
    console.log("etcd is not installed (on Debian: apt-get install etcd-server): left out");
  }
}

async function measureStep(
  stage: Stage,
  step: Step,
  seconds: number,
  signal: AbortSignal,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const contender of step.contenders) {
    signal.throwIfAborted();
    const outcome = await stage.contenders.get(contender)!.measure(step.workload, seconds, signal);
    samples.push({ round: step.round, workload: step.workload.id, contender, ...outcome });
  }
  return samples;
}

/** One line on a step, so that somebody who waits sees that it goes on. */
function progress(step: Step, rounds: number, samples: readonly Sample[]): string {
  const figures = samples.map(({ contender, perSecond, errors }) =>
    `${contender} ${whole(perSecond)}${errors > 0 ? ` (${errors} failed)` : ""}`
  );
  return `round ${step.round + 1}/${rounds}  ${step.workload.id.padEnd(14)} ${figures.join("  ")}`;
}

async function measureAll(
  stage: Stage,
  options: CompareOptions,
  steps: readonly Step[],
  signal: AbortSignal,
): Promise<Results> {
  const samples: Sample[] = [];
  const none: Results = { samples, failovers: null, etcdFailovers: null, failure: null };
  try {
    for (const contender of stage.contenders.values()) await contender.fill(signal);
    for (const step of steps) {
      const its = await measureStep(stage, step, options.seconds, signal);
      samples.push(...its);
      console.log(progress(step, options.rounds, its));
    }
  } catch (error) {
    signal.throwIfAborted();
    // What was measured until then is told all the same.
    console.error(stage.logs(), error);
    return { ...none, failure: String(error) };
  }
  if (options.kills === 0) return none;
  console.log("killing leaders");
  const failovers = await killKvorum(stage.kvorum, options.kills, signal);
  const etcdKills = Math.min(options.kills, ETCD_KILLS_MAX);
  const etcdFailovers = stage.etcd === null ? null : await killEtcd(stage.etcd, etcdKills, signal);
  return { ...none, failovers, etcdFailovers };
}

async function run(
  options: CompareOptions,
  steps: readonly Step[],
  needed: ReadonlySet<ContenderName>,
  signal: AbortSignal,
): Promise<Results> {
  await using stage = await Stage.set(needed, signal);
  return await measureAll(stage, options, steps, signal);
}

function report(options: CompareOptions, results: Results): void {
  if (results.samples.length > 0) {
    console.log(`\n${READING_NOTES}`);
    console.log(workloadTable(results, options.workloads));
  }
  console.log("");
  if (results.failovers !== null) console.log(failoverText("Kvorum", results.failovers));
  if (results.etcdFailovers !== null) console.log(failoverText("etcd", results.etcdFailovers));
  console.log(`\n${targetTable(TARGETS.map((target) => judge(target, results)))}`);
}

/** The whole run as data: every sample, and what was made of them. */
function document(options: CompareOptions, line: HistoryLine, around: Surroundings, it: Results) {
  const summary = options.workloads.flatMap(({ id, contenders }) =>
    contenders.map((contender) => ({
      workload: id,
      contender,
      ...figuresOf(it.samples, id, contender),
    }))
  );
  return {
    ...line,
    tools: { deno: Deno.version.deno, wrk: around.wrk, etcd: around.etcd },
    cores: navigator.hardwareConcurrency,
    warmUpSeconds: WARM_UP_SECONDS,
    summary,
    targets: TARGETS.map((target) => judge(target, it)),
    ...it,
  };
}

/** Runs, tells and keeps. @returns the exit code. */
async function compare(options: CompareOptions, signal: AbortSignal): Promise<number> {
  const around = await look();
  const history = await readHistory();
  if (options.jsonPath !== null) await claimFile(options.jsonPath);
  if (options.record) await claimFile(HISTORY_FILE.pathname);
  const needed = neededFor(options, around.etcd);
  const steps = stepsOf(options.workloads, options.rounds, needed);
  announce(options, steps, around);
  const results = await run(options, steps, needed, signal);
  report(options, results);
  const line: HistoryLine = {
    commit: around.commit,
    date: new Date().toISOString(),
    rounds: options.rounds,
    seconds: options.seconds,
    ratios: ratiosOf(results.samples, options.workloads),
  };
  const before = lastBefore(history, line.commit);
  if (before !== null) console.log(`\n${changeTable(before, line)}`);
  if (options.jsonPath !== null) {
    const text = JSON.stringify(document(options, line, around, results), null, 2);
    await Deno.writeTextFile(options.jsonPath, `${text}\n`);
  }
  const isSound = errorsOf(results) === 0;
  if (!isSound) console.log(`\n${errorText(results)}${options.record ? "; not recorded" : ""}`);
  if (isSound && options.record) await Deno.writeTextFile(HISTORY_FILE, withLine(history, line));
  return isSound ? 0 : 1;
}

async function main(): Promise<number> {
  const options = parseCompareOptions(Deno.args);
  if (options === null) {
    console.log(USAGE);
    return 0;
  }
  const interrupt = new AbortController();
  const unwatch = watchStopSignals(
    () => interrupt.abort(new LoadError("Stopped by a signal; ending what was started")),
    () => Deno.exit(EXIT_INTERRUPTED),
  );
  try {
    return await compare(options, interrupt.signal);
  } catch (error) {
    // Whatever failed after the signal failed because of it: it reaches the children of a terminal, too.
    interrupt.signal.throwIfAborted();
    throw error;
  } finally {
    unwatch();
  }
}

try {
  Deno.exit(await main());
} catch (error) {
  Deno.exit(exitCodeFor(error));
}
