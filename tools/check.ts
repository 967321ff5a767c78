/**
 * The last step of `deno task check`: reads every TypeScript file and `deno.json`, prints each
 * breach of tools/house_rules.ts and exits with 1 if there was one. It writes nothing.
 *
 * @module
 */

import { type Complaint, judgeConfig, judgeSource } from "./house_rules.ts";

/** Directories that hold no source of the project. */
const skipped: ReadonlySet<string> = new Set([
  ".cov",
  ".git",
  ".scratch",
  "coverage",
  "data",
  "node_modules",
]);

function* sourcePaths(root: URL, under = ""): Generator<string> {
  for (const entry of Deno.readDirSync(new URL(under, root))) {
    if (entry.isDirectory && !skipped.has(entry.name)) {
      yield* sourcePaths(root, `${under}${entry.name}/`);
    } else if (entry.isFile && entry.name.endsWith(".ts")) {
      yield `${under}${entry.name}`;
    }
  }
}

/** Judges every file below `root`. @returns the breaches, in the order of their paths. */
export function checkProject(root: URL): Complaint[] {
  const complaints = [...sourcePaths(root)].sort().flatMap((path) =>
    judgeSource(path, Deno.readTextFileSync(new URL(path, root)))
  );
  return [
    ...judgeConfig("deno.json", Deno.readTextFileSync(new URL("deno.json", root))),
    ...complaints,
  ];
}

if (import.meta.main) {
  const complaints = checkProject(new URL("../", import.meta.url));
  for (const { path, line, message } of complaints) {
    console.error(`${line === undefined ? path : `${path}:${line}`}: ${message}`);
  }
  if (complaints.length > 0) {
    console.error(`${complaints.length} breaches of the house rules`);
    Deno.exit(1);
  }
}
