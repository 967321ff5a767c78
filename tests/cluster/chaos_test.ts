/** Chaos on real processes: the short run of what `deno task chaos` does for longer. */
import { assert, assertGreater } from "@std/assert";
import { isGood, reportOf } from "../chaos/report.ts";
import { FAULT_NAMES, runChaos } from "../chaos/run.ts";
import { freshSeed } from "../chaos/options.ts";

const MINUTES = 0.8;
/** Of a node's log, shown after a violation: the directory that holds all of it goes with the test run. */
const LOG_CHARS_SHOWN = 50_000;

async function showLogs(directory: string): Promise<void> {
  for await (const { name } of Deno.readDir(directory)) {
    if (!name.endsWith(".log")) continue;
    const text = await Deno.readTextFile(`${directory}/${name}`);
    console.log(`--- ${name}\n${text.slice(-LOG_CHARS_SHOWN)}`);
  }
}

Deno.test("chaos: 48 s of every fault lose nothing, double nothing and stay linearizable", async () => {
  const options = {
    minutes: MINUTES,
    size: 3,
    seed: freshSeed(),
    transport: "tcp" as const,
    history: null,
    faults: new Set(FAULT_NAMES),
  };
  const directory = await Deno.makeTempDir({ prefix: "kvorum-chaos-" });
  const log: string[] = [];
  const say = (text: string) => void log.push(text);
  const summary = await runChaos(options, { directory, say, mayMount: false });
  console.log(reportOf(summary));
  if (!isGood(summary)) {
    console.log(log.join("\n"));
    await showLogs(directory);
  }
  assert(isGood(summary), `seed ${options.seed}`);
  // A run in which nothing happens proves nothing.
  const done = [...summary.operations.values()]
    .reduce((sum, outcomes) => sum + (outcomes.get("ok") ?? 0), 0);
  assertGreater(done, 500);
  assertGreater(summary.faults.get("processes killed") ?? 0, 2);
  assertGreater([...summary.faults.keys()].length, 6);
});
