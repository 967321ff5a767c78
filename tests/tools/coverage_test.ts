/** Reading coverage as Deno 2.9 writes it, and what must be reached. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { type FileCoverage, readLcov } from "../../tools/covered/lcov.ts";
import { judge, LINES_PERCENT_MIN, missing, roomsOf, table } from "../../tools/covered/rooms.ts";

function record(path: string, lines: readonly number[]): string {
  const hit = lines.filter((count) => count > 0).length;
  return [
    `SF:${path}`,
    "FN:1,a",
    "FNDA:1,a",
    "FNF:1",
    "FNH:1",
    "BRDA:1,1,0,0",
    "BRDA:1,1,1,7",
    "BRF:2",
    "BRH:1",
    ...lines.map((count, i) => `DA:${i + 1},${count}`),
    `LH:${hit}`,
    `LF:${lines.length}`,
    "end_of_record",
    "",
  ].join("\n");
}

function file(path: string, hit: number, found: number): FileCoverage {
  return { path, lines: { found, hit }, branches: { found: 4, hit: 1 } };
}

Deno.test("readLcov() gives the files of the checkout with their lines and branches", () => {
  const text = record("/w/raft/step.ts", [1, 0, 3]) + record("/elsewhere/raft/x.ts", [1]) +
    record("/w/main.ts", []);
  assertEquals(readLcov(text, "/w/"), [
    { path: "raft/step.ts", lines: { found: 3, hit: 2 }, branches: { found: 2, hit: 1 } },
    { path: "main.ts", lines: { found: 0, hit: 0 }, branches: { found: 2, hit: 1 } },
  ]);
  assertEquals(readLcov("", "/w/"), []);
});

Deno.test("readLcov() refuses a report that lacks a count, instead of taking it for 0", () => {
  const text = record("/w/a.ts", [1]).replace("LH:1\n", "");
  assertThrows(() => readLcov(text, "/w/"), Error, "LH of /w/a.ts");
});

Deno.test("roomsOf() adds up lines, not percentages, and all rooms in the last row", () => {
  const rooms = roomsOf([
    file("raft/a.ts", 1, 1),
    file("kv/a.ts", 5, 10),
    file("raft/deep/b.ts", 0, 3),
    file("main.ts", 2, 2),
  ]);
  assertEquals(rooms.map(({ room, files, lines }) => [room, files, lines.hit, lines.found]), [
    ["kv", 1, 5, 10],
    ["main.ts", 1, 2, 2],
    ["raft", 2, 1, 4],
    ["all", 4, 8, 16],
  ]);
});

Deno.test("table() rounds down, so that nothing shows as reached that is not", () => {
  const lines = table(roomsOf([file("raft/a.ts", 9499, 10_000)])).split("\n");
  assertEquals(lines[0], "room  files  lines  lines %  at least  branches %");
  assertEquals(lines[1], "raft      1  10000     94.9      95.0        25.0");
  assertEquals(lines[2], "all       1  10000     94.9      80.0        25.0");
});

Deno.test("judge() wants 95 % of raft and kv, and 80 % of all", () => {
  assertEquals(LINES_PERCENT_MIN, { all: 80, raft: 95, kv: 95 });
  const of = (raft: number, kv: number, cli: number) =>
    judge(roomsOf([
      file("raft/a.ts", raft, 1000),
      file("kv/a.ts", kv, 1000),
      file("cli/a.ts", cli, 1000),
    ]));
  assertEquals(of(950, 950, 500), []);
  assertEquals(of(949, 950, 1000).length, 1);
  assertMatch(of(949, 950, 1000)[0]!, /94\.9 % of the lines of raft ran; 95 % must/);
  assertEquals(of(950, 900, 0).length, 2);
  assertEquals(judge(roomsOf([file("cli/a.ts", 1, 1)])).length, 2);
});

Deno.test("missing() names the files that the report does not know", () => {
  assertEquals(missing(["raft/a.ts", "raft/b.ts"], [file("raft/a.ts", 0, 1)]), [
    "coverage: raft/b.ts is not in it",
  ]);
});
