/** What the simulator says of a file that holds no schedule: one line, whatever is in it. */
import { assertEquals, assertRejects } from "@std/assert";
import { UsageError } from "../../cli/args.ts";
import { keptSchedule } from "./kept.ts";
import { drawSchedule } from "./profiles.ts";

const whole = drawSchedule(1);

const rows: readonly [name: string, text: string, problem: RegExp][] = [
  ["no JSON", "seed: 7", /holds no schedule: Unexpected token/],
  [
    "lines of text",
    "# One\n\ntwo\n",
    /^[^\n]*Unexpected token '#', "# One two " is not valid JSON$/,
  ],
  ["nothing", "", /holds no schedule: Unexpected end of JSON input$/],
  ["null", "null", /holds no schedule: it is none of version 1$/],
  ["other JSON", "[1]", /holds no schedule: it is none of version 1$/],
  ["another version", JSON.stringify({ ...whole, version: 2 }), /it is none of version 1$/],
  ["no profile", JSON.stringify({ ...whole, profile: 1 }), /profile is no text$/],
  ["no nodes", JSON.stringify({ ...whole, nodes: undefined }), /nodes is no number: undefined$/],
  [
    "no network",
    JSON.stringify({ ...whole, network: null }),
    /network\.dropRate is no number: undefined$/,
  ],
  ["no faults", JSON.stringify({ ...whole, faults: {} }), /faults is no list$/],
  [
    "a fault that there is not",
    JSON.stringify({ ...whole, faults: [{ type: "toString", atMs: 1 }] }),
    /faults\[0\] is of no known type: toString$/,
  ],
  [
    "a fault at no time",
    JSON.stringify({ ...whole, faults: [{ type: "storm" }] }),
    /faults\[0\]\.atMs is no number: undefined$/,
  ],
];
for (const [name, text, problem] of rows) {
  Deno.test(`sim: a file with ${name} is no schedule`, async () => {
    const path = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(path, text);
      const { problems } = await assertRejects(() => keptSchedule(path), UsageError);
      assertEquals([problems.length, problem.test(problems[0]!)], [1, true], problems.join("\n"));
    } finally {
      await Deno.remove(path);
    }
  });
}

Deno.test("sim: a schedule that was kept is read as it was", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, JSON.stringify(whole));
    assertEquals(await keptSchedule(path), whole);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("sim: a schedule that is not there is said to be missing", async () => {
  const path = new URL("./corpus/none.json", import.meta.url).pathname;
  const { problems } = await assertRejects(() => keptSchedule(path), UsageError);
  assertEquals(problems, [`--schedule: there is no file ${path}`]);
});

Deno.test({
  name: "sim: a schedule that may not be read is said to be outside of the checkout",
  permissions: { read: [new URL("./corpus/", import.meta.url)] },
  fn: async () => {
    const { problems } = await assertRejects(() => keptSchedule("/etc/hosts"), UsageError);
    assertEquals(problems, ["--schedule: the file must be inside the checkout: /etc/hosts"]);
  },
});
