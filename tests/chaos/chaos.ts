/**
 * `deno task chaos`: the entry.
 *
 * @module
 */
import { UsageError } from "../../cli/args.ts";
import { watchStopSignals } from "../../cli/signals.ts";
import { prepareHistory } from "./history_file.ts";
import { freshSeed, readOptions, USAGE } from "./options.ts";
import { isGood, reportOf } from "./report.ts";
import { FAULT_NAMES, runChaos } from "./run.ts";

async function main(): Promise<number> {
  const options = readOptions(Deno.args, FAULT_NAMES, freshSeed);
  if (options === null) {
    console.log(USAGE + FAULT_NAMES.join(", "));
    return 0;
  }
  if (options.history !== null) prepareHistory(options.history);
  const directory = await Deno.makeTempDir({ prefix: "kvorum-chaos-" });
  const stop = new AbortController();
  // Processes that are stopped would outlive a run that just ended.
  watchStopSignals(() => stop.abort(), () => console.log("ending: the nodes are being healed"));
  const place = { directory, say: console.log, mayMount: true, signal: stop.signal };
  const summary = await runChaos(options, place);
  console.log(`\n${reportOf(summary)}`);
  return isGood(summary) ? 0 : 1;
}

try {
  Deno.exit(await main());
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  Deno.exit(2);
}
