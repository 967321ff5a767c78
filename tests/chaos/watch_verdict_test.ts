/** The verdict on the watchers of a chaos run, on runs known good and bad. */
import { assertEquals, assertMatch } from "@std/assert";
import type { Operation } from "../history/mod.ts";
import { WatchLog } from "./watch_log.ts";
import { judgeWatches, writtenOf } from "./watch_verdict.ts";

/** `w3`: watching from 3; `4`: told of 4; `4!`: told of it as of another; `g4-9`: a gap; `i9`: an id alone. */
type Script = readonly string[];

function stamp(index: string): string {
  return index.padStart(16, "0") + "0001";
}

function changes(index: string, value = `v${index}`): unknown[] {
  return [{ type: "set", key: ["r", "k"], value, encoding: "json" }];
}

function logOf(name: string, script: Script): WatchLog {
  const log = new WatchLog(name);
  const take = (event: string, data: unknown) => {
    log.take({ name: event, data: JSON.stringify(data) }, "n1");
  };
  for (const word of script) {
    const [from, to] = word.replace(/^[wgi]/, "").replace("!", "").split("-").map(stamp);
    if (word.startsWith("w")) take("watching", { versionstamp: from });
    else if (word.startsWith("i")) log.reach(from, "n1");
    else if (word.startsWith("g")) take("compacted", { since: from, versionstamp: to });
    else {
      const index = word.replace("!", "");
      const told = word.endsWith("!") ? changes(index, "another") : changes(index);
      take("change", { versionstamp: from, changes: told });
    }
  }
  return log;
}

function write(index: string, over: Partial<Operation> = {}): Operation {
  return {
    client: "c",
    invokedAt: 0,
    completedAt: 1,
    op: "write",
    checks: [],
    mutations: [{ type: "set", key: "r/k", value: `v${index}` }],
    outcome: "ok",
    versionstamp: stamp(index),
    ...over,
  } as Operation;
}

function judge(scripts: readonly Script[], written: readonly string[] = ["4", "5", "6"]) {
  const logs = scripts.map((script, i) => logOf(`w${i + 1}`, script));
  return judgeWatches(logs, writtenOf(written.map((index) => write(index))));
}

Deno.test("judgeWatches() is content with all in order, over nodes and over gaps that are said", () => {
  const good: (readonly Script[])[] = [
    [["w3", "4", "5", "6"]],
    [["w3", "4", "i4", "w4", "5", "i5", "w5", "6", "i9"]],
    [["w3", "4", "g4-6"], ["w5", "6"]],
    [["w3", "4", "5", "6", "7"], ["w6", "7"]],
  ];
  for (const scripts of good) assertEquals(judge(scripts).detail.split("\n").length, 1);
  for (const scripts of good) assertEquals(judge(scripts).isGood, true);
  assertMatch(judge(good[2]).detail, /^2 watchers, 2 of 6 events, 1 gaps$/);
});

Deno.test("judgeWatches() finds what was lost, repeated, told backwards, differently or as nothing", () => {
  const bad: [readonly Script[], RegExp][] = [
    [[["w3", "4", "6"]], /w1 was not told of 0*50001/],
    [[["w3", "4", "5", "i6"]], /w1 was not told of 0*60001/],
    // What a write without an answer came to, the other watcher knows.
    [[["w3", "4", "5", "6", "7"], ["w5", "6", "i8"]], /w2 was not told of 0*70001/],
    [[["w3", "4", "4", "5", "6"]], /w1 was told of 0*40001 by n1 at 0*40001/],
    [[["w3", "4", "w3", "4", "5", "6"]], /wanted to go on from 0*40001, and was told by n1 from/],
    [[["w3", "4", "i3", "5", "6"]], /w1 went back from 0*40001 to 0*30001/],
    [[["w3", "4", "g3-6"]], /w1 went back/],
    [[["w3", "4", "w5", "6"]], /wanted to go on from/],
    [[["w3", "4", "5!", "6"]], /was told without r\/k = v5/],
    [[["w3", "4", "5", "6", "7"], ["w6", "7!"]], /w2 was told of 0*70001/],
    [[["w6"]], /^1 watchers, 0 of 3 events, 0 gaps$/],
    [[[]], /^1 watchers, 0 of 3 events/],
  ];
  for (const [scripts, detail] of bad) {
    const finding = judge(scripts);
    assertEquals(finding.isGood, false, `${scripts}`);
    assertMatch(finding.detail, detail);
  }
});

Deno.test("writtenOf() takes what was certainly written, and what it left under its keys", () => {
  const mutations = [
    { type: "set", key: "r/k", value: "first" },
    { type: "set", key: "r/k", value: "last" },
    { type: "sum", key: "c/n", value: 1 },
  ] as const;
  const written = writtenOf([
    write("4", { mutations }),
    write("5", { outcome: "unknown" }),
    // It may have found nothing, but the next one has not.
    write("6", { mutations: [{ type: "delete", key: "r/k" }] }),
    write("7", {
      mutations: [{ type: "delete", key: "r/k" }],
      checks: [{ key: "r/k", versionstamp: stamp("4") }],
    }),
  ]);
  assertEquals(written, [
    { versionstamp: stamp("4"), sets: new Map([["r/k", "last"]]) },
    { versionstamp: stamp("7"), sets: new Map([["r/k", null]]) },
  ]);
});

Deno.test("WatchLog blames a node for an event that cannot be read, and does not throw", () => {
  const log = logOf("w1", ["w3", "4"]);
  log.take({ name: "change", data: '{"versionstamp":"00' }, "n2");
  log.take({ name: "change", data: "7" }, "n3");
  assertEquals(log.violations, [
    'w1 was told by n2 what cannot be read: {"versionstamp":"00',
    "w1 was told by n3 what cannot be read: 7",
  ]);
});

Deno.test("judgeWatches() finds a delete that nobody was told of, or that was told as something else", () => {
  const checks = [{ key: "r/k", versionstamp: stamp("4") }];
  const written = writtenOf([
    write("4"),
    write("5", { mutations: [{ type: "delete", key: "r/k" }], checks }),
  ]);
  assertMatch(
    judgeWatches([logOf("w1", ["w3", "4", "i6"])], written).detail,
    /not told of 0*50001/,
  );
  const other = judgeWatches([logOf("w1", ["w3", "4", "5"])], written);
  assertMatch(other.detail, /0*50001 was told without r\/k = null/);
});

Deno.test("judgeWatches() does not take it that every other visit begins with a gap", () => {
  const visit = (at: number, gap: boolean) => gap ? [`w${at}`, `g${at}-${at}`] : [`w${at}`];
  const script = (
    gaps: number,
  ) => ["w3", "4", ...Array.from({ length: 8 }, (_, i) => visit(4, i < gaps)).flat(), "5", "6"];
  assertEquals(judge([script(4)]).isGood, true);
  assertMatch(judge([script(5)]).detail, /5 gaps in 9 visits/);
});
