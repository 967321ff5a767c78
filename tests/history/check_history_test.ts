/** The command, as a process: what it prints and how it exits. */
import { assertEquals, assertMatch } from "@std/assert";

import { read, set } from "./build.ts";
import type { Operation } from "./mod.ts";
import { HistoryWriter } from "./recorder.ts";

const program = new URL("./check_history.ts", import.meta.url).pathname;

async function check(
  text: string,
  ...flags: string[]
): Promise<{ code: number; out: string; err: string }> {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/history`;
    await Deno.writeTextFile(path, text);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--no-check",
        `--allow-read=${directory}`,
        program,
        path,
        ...flags,
      ],
    }).output();
    const decoder = new TextDecoder();
    return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function fileOf(operations: readonly Operation[]): string {
  let text = "";
  const decoder = new TextDecoder();
  const writer = new HistoryWriter(
    { writeSync: (bytes) => (text += decoder.decode(bytes), bytes.length) },
    "ms",
  );
  for (const operation of operations) writer.write(operation);
  writer.flush();
  return text;
}

Deno.test("check-history says that a history is linearizable, and exits with 0", async () => {
  const { code, out } = await check(fileOf([set("c1", 0, 1, "a", 1), read("c2", 2, 3, { a: 1 })]));
  assertEquals(code, 0);
  assertMatch(out, /^linearizable: 2 operations on 1 key in 1 part, \d+ ms\n$/);
});

Deno.test("check-history prints the smallest offending prefix, and exits with 1", async () => {
  const bad = fileOf([
    set("c1", 0, 1, "a", 1),
    read("c2", 2, 3, { a: 2 }),
    set("c1", 4, 5, "a", 2),
  ]);
  const { code, out } = await check(bad);
  assertEquals(code, 1);
  assertMatch(out, /^not linearizable: 3 operations/);
  assertMatch(out, /Nothing explains operation 1: c2 reads a → 2 \[2 – 3\]/);
  assertMatch(
    out,
    /prefix is 2 operations on a, until 3 ms:\n.*line 2.*sets a = 1.*\n.*line 3 .*reads a.*\n$/,
  );
  const json = JSON.parse((await check(bad, "--json")).out);
  assertEquals([json.result, json.operations, json.keys], ["not-linearizable", 3, ["a"]]);
  assertEquals([json.offence.index, json.offence.line, json.offence.prefixLines], [1, 3, [2, 3]]);
});

Deno.test("check-history says where a file is wrong, and exits with 2", async () => {
  const broken = await check(fileOf([]) + '{"client":1}\n');
  assertEquals([broken.code, broken.err], [2, "line 2: client is no text: 1\n"]);
  const other = await check("INFO  jepsen.util - 0\t:ok\t:read\t1\n", "--format", "kvorum");
  assertEquals(other.code, 2);
  assertMatch(other.err, /^line 1: it is no JSON/);
  const cut = await check(fileOf([set("c1", 0, 1, "a", 1)]) + '{"client":"c1" 5}\n');
  assertEquals(cut.code, 2);
  assertMatch(cut.err, /^line 3: it is no JSON: .* at column 16\n$/);
  const format = await check("", "--format", "xml");
  assertEquals([format.code, format.err], [
    2,
    "--format is none of kvorum, jepsen-log, edn: xml\n",
  ]);
});

Deno.test("check-history --json says as JSON why there is no verdict", async () => {
  const broken = await check(fileOf([]) + '{"client":1}\n', "--json");
  assertEquals([broken.code, broken.err], [2, ""]);
  assertEquals(JSON.parse(broken.out), {
    result: "unreadable",
    line: 2,
    message: "line 2: client is no text: 1",
  });
  const format = await check("", "--json", "--format", "xml");
  assertEquals([format.code, format.err], [2, ""]);
  assertEquals(JSON.parse(format.out), {
    result: "unreadable",
    line: null,
    message: "--format is none of kvorum, jepsen-log, edn: xml",
  });
});

Deno.test("check-history takes a header alone for a history of nothing, and an empty file for none", async () => {
  const header = await check(fileOf([]));
  assertEquals(header.code, 0);
  assertMatch(header.out, /^linearizable: 0 operations on 0 keys in 0 parts, /);
  const empty = await check("");
  assertEquals([empty.code, empty.err], [2, "line 1: the file is empty\n"]);
});

Deno.test("check-history names the lines of a log as its moments", async () => {
  const log = ["0\t:invoke\t:read\tnil", "0\t:ok\t:read\t3"]
    .map((line) => `INFO  jepsen.util - ${line}\n`).join("");
  const { code, out } = await check(log);
  assertEquals(code, 1);
  assertMatch(out, /prefix is 1 operation on register, until line 2:\n/);
});
