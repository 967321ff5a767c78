import { assert, assertEquals, assertThrows } from "@std/assert";
import { cas, read, set } from "./build.ts";
import { HistoryUnreadable, readHistory } from "./formats/mod.ts";
import { checkLinearizable } from "./mod.ts";
import { HistoryRecorder, HistoryWriter } from "./recorder.ts";

/** Keeps what is written; takes a few bytes at a time, as a sink may. */
class Memory {
  readonly #bytes: number[] = [];

  writeSync(bytes: Uint8Array): number {
    const taken = bytes.subarray(0, 7);
    this.#bytes.push(...taken);
    return taken.length;
  }

  get text(): string {
    return new TextDecoder().decode(new Uint8Array(this.#bytes));
  }
}

const log = (...lines: string[]): string =>
  lines.map((it) => `INFO  jepsen.util - ${it}\n`).join("");

Deno.test("HistoryWriter writes what readHistory() reads back", () => {
  const sink = new Memory();
  const writer = new HistoryWriter(sink, "ns");
  const operations = [
    set("c1", 0, 1, "a", "ä\n", 3),
    cas("c2", 2, 3, "a", null, 5, "check-failed"),
    set("c3", 4, null, "b", 1, "unknown"),
    read("c1", 5, 6, { a: ["ä\n", 3], b: null }),
  ];
  for (const operation of operations) writer.write(operation);
  assertEquals(sink.text, "", "written before it must be");
  writer.flush();
  const history = readHistory(sink.text);
  assertEquals(history, { format: "kvorum", unit: "ns", operations, lines: [2, 3, 4, 5] });
});

Deno.test("HistoryRecorder records spans, and what is never answered as unknown", () => {
  let now = 0;
  const sink = new Memory();
  const writer = new HistoryWriter(sink, "ms");
  const recorder = new HistoryRecorder(() => now++, writer);
  const wrote = recorder.invoke("c1", {
    op: "write",
    checks: [],
    mutations: [{ type: "set", key: "a", value: 1 }],
  });
  const lost = recorder.invoke("c2", { op: "read", keys: ["a"] });
  recorder.complete(wrote, { outcome: "ok", versionstamp: "01" });
  const late = recorder.invoke("c1", {
    op: "write",
    checks: [],
    mutations: wrote.action.mutations,
  });
  recorder.complete(late, { outcome: "unknown" });
  const history = recorder.finish();
  const mutations = wrote.action.mutations;
  assertEquals(history, [
    {
      client: "c1",
      invokedAt: 0,
      completedAt: 2,
      op: "write",
      checks: [],
      mutations,
      outcome: "ok",
      versionstamp: "01",
    },
    {
      client: "c1",
      invokedAt: 3,
      completedAt: null,
      op: "write",
      checks: [],
      mutations,
      outcome: "unknown",
    },
    { client: "c2", invokedAt: 1, completedAt: null, op: "read", keys: ["a"], outcome: "unknown" },
  ]);
  assertThrows(() => recorder.complete(lost, { outcome: "failed" }), Error, "completed twice");
  writer.flush();
  assertEquals(readHistory(sink.text).operations, history);
});

const unreadable: Readonly<Record<string, readonly [string, string]>> = {
  "text that is no JSON": ['{"client":\n', "line 1: it is no JSON"],
  "an empty file": ["\n \n", "line 1: the file is empty"],
  "a file of another kind": [
    "hello\n",
    "line 1: the format is not known (docs/history-format.md): hello",
  ],
  "another version": [
    '{"format":"kvorum-history","version":2,"unit":"ms"}',
    "line 1: version 2 is not known",
  ],
  "a missing field": [
    '{"client":"c","invokedAt":0,"completedAt":1,"op":"read","keys":["a"],"outcome":"ok"}',
    "line 1: entries is no list of 1, one a key: nothing",
  ],
  "a field that nobody knows": [
    '\n{"client":"c","invokedAt":0,"completedAt":1,"op":"read","keys":["a"],"outcome":"failed","ok":1}',
    'line 2: unknown field "ok"',
  ],
  "an operation that ends before it begins": [
    '{"client":"c","invokedAt":2,"completedAt":1,"op":"read","keys":["a"],"outcome":"failed"}',
    "line 1: it completed at 1, before it was invoked at 2",
  ],
  "a check with two conditions": [
    '{"client":"c","invokedAt":0,"completedAt":1,"op":"write","checks":[{"key":"a","value":1,"versionstamp":"1"}],"mutations":[],"outcome":"ok"}',
    "line 1: a check has either a value or a versionstamp",
  ],
  "a sum of text": [
    '{"client":"c","invokedAt":0,"completedAt":1,"op":"write","checks":[],"mutations":[{"type":"sum","key":"a","value":"1"}],"outcome":"ok"}',
    'line 1: cannot sum this value: "1"',
  ],
  "a log where a process does two things at once": [
    log("0\t:invoke\t:read\tnil", "0\t:invoke\t:read\tnil"),
    "line 2: process 0 invokes while what it invoked on line 1 is not over",
  ],
  "a log with an answer to no question": [
    log("0\t:ok\t:read\t3"),
    "line 1: process 0 completes what it never invoked",
  ],
  "a log with an answer to another question": [
    log("0\t:invoke\t:read\tnil", "0\t:ok\t:write\t3"),
    "line 2: process 0 completes a write, but invoked a read on line 1",
  ],
  "a log with a value that is none": [log("0\t:invoke\t:write\t3x"), "line 1: no value: 3x"],
  "EDN that ends early": [
    "{:type :invoke\n, :f [1",
    "line 2: the text ends in the middle of a value",
  ],
  "EDN that closes what is not open": ["{:type ]", "line 1: ] closes nothing"],
  "EDN of another action": ["{:process 1, :type :invoke, :f :txn}", "line 1: :txn is none of"],
};

for (const [name, [text, message]] of Object.entries(unreadable)) {
  Deno.test(`readHistory() refuses ${name}, and says where and why`, () => {
    assertThrows(() => readHistory(text), HistoryUnreadable, message);
  });
}

Deno.test("readHistory() reads Jepsen's log lines", () => {
  const { format, unit, operations, lines } = readHistory(
    "some other line\n" + log(
      "0\t:invoke\t:read\tnil",
      "1\t:invoke\t:write\t4",
      ":nemesis\t:info\t:start\tnil",
      "0\t:ok\t:read\tnil",
      "1\t:ok\t:write\t4",
      "0\t:invoke\t:cas\t[4 2]",
      "1\t:invoke\t:cas\t[9 2]",
      "2\t:invoke\t:read\tnil",
      "2\t:fail\t:read\t:timed-out",
      "1\t:fail\t:cas\t[9 2]",
      "0\t:info\t:cas\t:timed-out",
      "3\t:invoke\t:write\t7",
    ),
  );
  assertEquals([format, unit], ["jepsen-log", "line"]);
  assertEquals(lines, [2, 3, 7, 8, 9, 13]);
  assertEquals(operations, [
    read("p0", 2, 5, { register: null }),
    set("p1", 3, 6, "register", 4),
    cas("p0", 7, null, "register", 4, 2, "unknown"),
    cas("p1", 8, 11, "register", 9, 2, "check-failed"),
    {
      client: "p2",
      invokedAt: 9,
      completedAt: 10,
      op: "read",
      keys: ["register"],
      outcome: "failed",
    },
    set("p3", 13, null, "register", 7, "unknown"),
  ]);
});

Deno.test("readHistory() reads Jepsen's EDN, with and without brackets, times and keys", () => {
  const lines = [
    "{:type :invoke, :f :write, :value [7 1], :process 0, :time 10, :index 0}",
    '; a comment, and the nemesis\n{:type :info, :f :start, :process :nemesis, :value #{"n1"}, :time 11}',
    "#jepsen.history.Op{:type :ok, :f :write, :value [7 1], :process 0, :time 12}",
    "{:type :invoke, :f :cas, :value [7 [1 2]], :process 0, :time 13N}",
    "{:type :invoke, :f :read, :value [7 nil], :process 1, :time 14}",
    "{:type :ok, :f :read, :value [7 2], :process 1, :time 15}",
    '{:type :fail, :f :cas, :value [7 [1 2]], :process 0, :time 16, :error [:x "a \\"b\\""]}',
  ];
  const expected = [
    set("p0", 10, 12, "7", 1),
    cas("p0", 13, 16, "7", 1, 2, "failed"),
    read("p1", 14, 15, { 7: 2 }),
  ];
  for (const text of [lines.join("\n"), `[${lines.join("\n ")}]\n`]) {
    const history = readHistory(text);
    assertEquals([history.format, history.unit], ["edn", "ns"]);
    assertEquals(history.operations, expected);
    assertEquals(history.lines, [1, 5, 6]);
    assertEquals(checkLinearizable(history.operations).result, "not-linearizable");
  }
  const untimed = readHistory(
    "{:type :invoke, :f :write, :value 1, :process 0}\n{:type :ok, :f :write, :value 1, :process 0}",
  );
  assertEquals(untimed.unit, "event");
  assertEquals(untimed.operations, [set("p0", 0, 1, "register", 1)]);
});

Deno.test("readHistory() reads a history of etcd's kind that is linearizable, and one that is not", () => {
  const common = [
    "0\t:invoke\t:write\t1",
    "0\t:ok\t:write\t1",
    "1\t:invoke\t:write\t2",
    "1\t:info\t:write\t:timed-out",
    "0\t:invoke\t:read\tnil",
    "0\t:ok\t:read\t2",
    "2\t:invoke\t:read\tnil",
  ];
  const verdictOf = (last: string) =>
    checkLinearizable(readHistory(log(...common, last)).operations);
  assertEquals(verdictOf("2\t:ok\t:read\t2").result, "linearizable");
  const verdict = verdictOf("2\t:ok\t:read\t1");
  assert(verdict.result === "not-linearizable");
  assertEquals(verdict.offence.until, 8);
});

Deno.test("readHistory() reads the examples of docs/history-format.md, each a good history", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/history-format.md", import.meta.url));
  const blocks = [...page.matchAll(/^```(\w*)\n(.*?)^```$/gms)].filter(([, name]) => name !== "sh");
  const verdicts = blocks.map(([, , text]) => {
    const { format, operations } = readHistory(text!);
    return [format, operations.length, checkLinearizable(operations).result];
  });
  assertEquals(verdicts, [
    ["kvorum", 0, "linearizable"],
    ["kvorum", 4, "linearizable"],
    ["jepsen-log", 3, "linearizable"],
    ["edn", 2, "linearizable"],
  ]);
});
