/**
 * Runs tests and measures what they reach: how many lines and branches of each room.
 *
 * What a process that a test starts reaches counts, unless it is killed: then it tells nothing.
 *
 * @module
 */

import { type FileCoverage, readLcov } from "./lcov.ts";
import { judge, missing, roomsOf, table } from "./rooms.ts";
import { select } from "../test_run/plan.ts";
import type { Counts } from "../test_run/report.ts";
import { runTests } from "../test_run/run.ts";

const root = new URL("../../", import.meta.url);
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

/** What tests came to under coverage. */
export interface MeasuredTests {
  readonly counts: Counts;
  /** One row a room. */
  readonly table: string;
  /** A sentence for each room where too little was reached, or for why that is not known. */
  readonly problems: readonly string[];
}

/** Runs the tests that the arguments name, or all, and measures what they reach. */
export async function measureTests(args: readonly string[]): Promise<MeasuredTests> {
  let covered: readonly FileCoverage[] = [];
  const unmeasured: string[] = [];
  const files = sourceFiles();
  const counts = await runTests(args, async (directory) => {
    try {
      covered = await collect(directory, files);
    } catch (error) {
      // As when a module does not load: that must not keep the tests from telling what they found.
      unmeasured.push(`Cannot measure what the tests reach: ${error}`);
    }
  });
  if (unmeasured.length > 0) return { counts, table: "", problems: unmeasured };
  const measured = new Set([...files, ENTRY]);
  const rooms = roomsOf(covered.filter(({ path }) => measured.has(path)));
  // Of those that were loaded, the report leaves out what holds types alone.
  const problems = [...missing([ENTRY], covered), ...judge(rooms)];
  // A part of the tests says nothing of the whole.
  const isWhole = select(args).paths.length === 0;
  return { counts, table: table(rooms), problems: isWhole ? problems : [] };
}

/** What the tests have left in a directory, of every file that was loaded. */
async function collect(directory: string, files: readonly string[]): Promise<FileCoverage[]> {
  // A file that no test loads would not be in the report at all, as if it had no lines.
  const loader = `${directory}-loader.ts`;
  const imports = files.map((path) => `import ${JSON.stringify(new URL(path, root).href)};\n`);
  Deno.writeTextFileSync(loader, imports.join(""));
  await deno(["run", "--no-prompt", `--coverage=${directory}`, loader]);
  return readLcov(await deno(["coverage", "--lcov", directory]), decodeURIComponent(root.pathname));
}
