/**
 * The log under real processes: killed while writing, two on one directory, and what is synced
 * between a commit and its acknowledgement.
 *
 * @module
 */
import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { startChild } from "./children.ts";
import { withDirectory } from "./directory.ts";
import { reread, storeAt } from "./places.ts";
import { hasStrace, syncsIn, tracer } from "./syncs.ts";

const WRITER = "./writer_child.ts";
const ENDLESS = "1000000000";
const KILLS = 4;

/** What a line of the writer acknowledges. */
function acknowledged(line: string): { last: number; term: number } | null {
  const match = /^acknowledged (\d+) (\d+)$/.exec(line);
  return match === null ? null : { last: Number(match[1]), term: Number(match[2]) };
}

Deno.test("a process killed while writing loses nothing that it acknowledged", async () => {
  await withDirectory(async (directory) => {
    for (let kill = 1; kill <= KILLS; kill++) {
      const child = startChild(WRITER, directory, [ENDLESS]);
      let latest = { last: 0, term: 0 };
      let seen = 0;
      for (let line = ""; seen < 50 * kill; seen++) {
        line = (await child.nextLine())!;
        latest = acknowledged(line) ?? latest;
      }
      child.process.kill("SIGKILL");
      // What it still printed before it died was acknowledged, too.
      for (let line = await child.nextLine(); line !== null; line = await child.nextLine()) {
        latest = acknowledged(line) ?? latest;
      }
      await child.ended();
      const found = await reread(storeAt(directory));
      assertEquals(found.damage, null);
      assertGreater(latest.last, 0);
      assertHolds(found, latest);
    }
  });
});

/** At most the commit after the latest acknowledged one may have happened besides. */
function assertHolds(
  found: Awaited<ReturnType<typeof reread>>,
  latest: { last: number; term: number },
): void {
  const { term } = found.hardState;
  assert(term === latest.term || term === latest.term + 1, `term ${term} after ${latest.term}`);
  if (term === latest.term) {
    assertEquals(found.entries.length, latest.last);
    assertEquals(found.entries.at(-1)!.term, term);
  } else {
    assert(found.entries.length >= latest.last, `${found.entries.length} of ${latest.last}`);
    assert(found.entries.some((entry) => entry.term === latest.term || entry.term === term));
  }
}

Deno.test("of two processes on one directory exactly one survives the fence", async () => {
  await withDirectory(async (directory) => {
    const older = startChild(WRITER, directory, [ENDLESS]);
    while (acknowledged((await older.nextLine())!) === null);
    const newer = startChild(WRITER, directory, [ENDLESS]);
    try {
      assertEquals(await newer.nextLine(), "open 2");
      let line = await older.nextLine();
      for (; line !== null && line !== "fenced"; line = await older.nextLine());
      assertEquals(line, "fenced");
      assertEquals(await older.ended(), 0);
      for (let commits = 0; commits < 20;) {
        if (acknowledged((await newer.nextLine())!) !== null) commits++;
      }
    } finally {
      newer.process.kill("SIGKILL");
      await newer.ended();
    }
    assertEquals((await reread(storeAt(directory))).damage, null);
  });
});

Deno.test({
  name: "between a commit and its acknowledgement: a sync of the database, then one of the mark",
  ignore: !await hasStrace(),
  fn: () =>
    withDirectory(async (directory) => {
      const trace = `${directory}/trace`;
      const commits = 10;
      const child = startChild(WRITER, directory, [String(commits)], tracer(trace));
      assertEquals(await child.ended(), 0);
      const counted = syncsIn(await Deno.readTextFile(trace));
      assertEquals(counted.length, commits);
      for (const syncs of counted) {
        // SQLite may sync more than its log when it moves the log's pages into the file.
        assertMatch(
          syncs.join(" "),
          /^(kvorum\.sqlite3\S* )*kvorum\.sqlite3-wal (kvorum\.sqlite3\S* )*mark\.0$/,
        );
      }
    }),
});
