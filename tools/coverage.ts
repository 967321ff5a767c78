/**
 * `deno task coverage`: runs all tests, or those that its arguments name, as `deno task test` does, and
 * prints how many lines and branches of each room they reached. Fails where too few were, or a test did.
 *
 * What a process that a test starts reaches counts, unless it is killed: then it tells nothing.
 *
 * @module
 */

import { readLcov } from "./covered/lcov.ts";
import { judge, missing, roomsOf, table } from "./covered/rooms.ts";
import { closingLine, exitCodeFor } from "./test_run/report.ts";
import { runTests } from "./test.ts";

const root = new URL("../", import.meta.url);
/** Rooms whose files are measured; those of tests and benchmarks, which run by hand, are not. */
const SOURCES = ["raft", "kv", "storage", "transport", "actors", "routes", "client", "cli", "std"];
/** It starts a node when it is loaded, so its own processes must tell of it. */
const ENTRY = "main.ts";

/** All modules of the rooms that are measured, as paths within the checkout. */
function sourceFiles(): string[] {
  return SOURCES.flatMap((room) => [...modulesIn(room)]).sort();
}

function* modulesIn(directory: string): Generator<string> {
  const url = new URL(`${directory}/`, root);
  let entries: Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(url)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  for (const entry of entries) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) yield* modulesIn(path);
    else if (entry.name.endsWith(".ts")) yield path;
  }
}

/** Runs Deno, and gives its output. @throws if it fails. */
async function deno(args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  if (!success) throw new Error(`deno ${args[0]}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

async function main(args: readonly string[]): Promise<number> {
  const files = sourceFiles();
  let problems: string[] = [];
  const counts = await runTests(args, async (directory) => {
    // A file that no test loads would not be in the report at all, as if it had no lines.
    const loader = `${directory}-loader.ts`;
    const imports = files.map((path) => `import ${JSON.stringify(new URL(path, root).href)};\n`);
    Deno.writeTextFileSync(loader, imports.join(""));
    await deno(["run", "--no-prompt", `--coverage=${directory}`, loader]);
    const lcov = await deno(["coverage", "--lcov", directory]);
    const covered = readLcov(lcov, decodeURIComponent(root.pathname));
    const measured = new Set([...files, ENTRY]);
    const rooms = roomsOf(covered.filter(({ path }) => measured.has(path)));
    console.log(`\n${table(rooms)}`);
    // Of those that were loaded, the report leaves out what holds types alone.
    problems = [...missing([ENTRY], covered), ...judge(rooms)];
  });
  // A part of the tests says nothing of the whole.
  if (args.every((arg) => arg.startsWith("-"))) {
    for (const problem of problems) console.error(problem);
  } else problems = [];
  console.log(closingLine(counts));
  return problems.length > 0 ? 1 : exitCodeFor(counts);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
