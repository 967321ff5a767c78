/**
 * `deno task kvctl`: the command line of a cluster. See cli/kvctl/run.ts.
 *
 * @module
 */
import { EXIT_FAILED } from "./exit_codes.ts";
import { processIo } from "./kvctl/io.ts";
import { runKvctl } from "./kvctl/run.ts";

async function main(): Promise<number> {
  try {
    return await runKvctl(Deno.args, processIo());
  } catch (error) {
    // Whoever read the output has seen enough: kvctl list | head
    if (error instanceof Deno.errors.BrokenPipe) return EXIT_FAILED;
    throw error;
  }
}

if (import.meta.main) Deno.exit(await main());
