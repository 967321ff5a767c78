/**
 * `deno task bench:history`: how the ratios of the newest line in bench/history.json differ from those
 * of the line before. Measures nothing; `deno task bench:compare --record` adds lines.
 *
 * Exits with 1 if a ratio got worse by more than the noise, so that a script can ask.
 *
 * @module
 */
import { changesOf } from "./compare/history_lines.ts";
import { changeTable } from "./compare/report.ts";
import { readHistory } from "./compare/surroundings.ts";
import { exitCodeFor } from "./load_types.ts";

async function main(): Promise<number> {
  const history = await readHistory();
  const [before, after] = history.slice(-2);
  if (after === undefined) {
    console.log(
      `Nothing to compare: the history has ${history.length} lines; ` +
        "deno task bench:compare --record adds one",
    );
    return 0;
  }
  console.log(changeTable(before, after));
  return changesOf(before, after).some(({ verdict }) => verdict === "worse") ? 1 : 0;
}

try {
  Deno.exit(await main());
} catch (error) {
  Deno.exit(exitCodeFor(error));
}
