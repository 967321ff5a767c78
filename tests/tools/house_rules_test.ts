/** The house rules on text and configuration, each red on a bad fixture. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { checkProject } from "../../tools/check.ts";
import {
  CODE_LINES_MAX,
  judgeConfig,
  judgeSource,
  TEST_LINES_MAX,
} from "../../tools/house_rules.ts";

const header = "/** What it is. */\n";
// As in the rules themselves: this file must not hold what it is about.
const todo = "TO" + "DO";
const ignore = "// deno-lint-" + "ignore";

function messages(path: string, text: string): string[] {
  return judgeSource(path, text).map((complaint) => complaint.message);
}

Deno.test("judgeSource() has nothing against a short module with a header", () => {
  assertEquals(judgeSource("kv/store.ts", `${header}export const x = 1;\n`), []);
  assertEquals(judgeSource("std/x.d.ts", header), []);
  assertEquals(judgeSource("deploy/x.ts", `#!/usr/bin/env deno\n${header}`), []);
});

Deno.test("judgeSource() counts lines, and grants tests more", () => {
  const lines = (count: number) => header + "x;\n".repeat(count - 1);
  assertEquals(messages("kv/store.ts", lines(CODE_LINES_MAX)), []);
  assertEquals(messages("kv/store.ts", lines(CODE_LINES_MAX + 1)).length, 1);
  assertEquals(messages("tests/kv/store_test.ts", lines(TEST_LINES_MAX)), []);
  assertEquals(messages("tests/kv/store_test.ts", lines(TEST_LINES_MAX + 1)).length, 1);
});

Deno.test("judgeSource() wants a header, except of a suite of tests", () => {
  assertEquals(messages("kv/store.ts", "export const x = 1;\n").length, 1);
  assertEquals(messages("tests/cluster/harness.ts", "export const x = 1;\n").length, 1);
  assertEquals(messages("tests/kv/store_test.ts", "export const x = 1;\n").length, 0);
});

Deno.test("judgeSource() wants snake_case names", () => {
  for (const name of ["logStore.ts", "LogStore.ts", "log-store.ts", "log__store.ts"]) {
    assertEquals(messages(`kv/${name}`, header).length, 1, name);
  }
});

Deno.test("judgeSource() finds what is left to do, and says where", () => {
  const [complaint] = judgeSource("kv/store.ts", `${header}// ${todo}: more\n`);
  assertEquals(complaint?.line, 2);
  assertStringIncludes(complaint.message, todo);
  assertEquals(messages("kv/store.ts", `${header}const ${todo}S = 1;\n`), []);
});

Deno.test("judgeSource() lets lint be silenced by name, and the house rules not at all", () => {
  const text = (comment: string) => `${header}${comment}\n`;
  assertEquals(messages("kv/x.ts", text(`${ignore} no-explicit-any`)), []);
  assertEquals(messages("kv/x.ts", text(`${ignore} no-explicit-any -- a reason`)), []);
  assertEquals(messages("kv/x.ts", text(`${ignore} house/pure`)).length, 1);
  assertEquals(messages("kv/x.ts", text(`${ignore}-file`)).length, 1);
  assertEquals(messages("kv/x.ts", text(`${ignore} -- a reason`)).length, 1);
});

/** A good configuration with one task. */
function config(command: string): string {
  return JSON.stringify({
    tasks: { x: { description: "d", command } },
    lint: { plugins: ["./tools/lint/plugin.ts"] },
    lock: { frozen: true },
    test: { sanitizeOps: true, sanitizeResources: true },
  });
}

const badCommands: readonly string[] = [
  "deno run --no-prompt -A main.ts",
  "deno run --no-prompt -qA main.ts",
  "deno run --no-prompt --allow-all main.ts",
  "deno run --no-prompt --allow-run main.ts",
  'deno run --no-prompt "--allow-run" main.ts',
  "deno run --allow-read main.ts",
  "deno fmt && deno test --allow-read",
  "deno bench bench/",
  "deno run --no-prompt --allow-run=$(deno eval 1) main.ts",
];

for (const command of badCommands) {
  Deno.test(`judgeConfig() refuses the task: ${command}`, () => {
    assertEquals(judgeConfig("deno.json", config(command)).length, 1);
  });
}

Deno.test("judgeConfig() has nothing against narrow tasks", () => {
  const command = "deno fmt && deno run --no-prompt --allow-net=a --allow-run=$(deno run " +
    "--no-prompt x.ts) -P main.ts -Y";
  assertEquals(judgeConfig("deno.json", config(command)), []);
  assertEquals(
    judgeConfig("deno.json", config("x").replace(/\{"description[^}]*\}/, '"deno lint"')),
    [],
  );
});

Deno.test("judgeConfig() wants the plugin, the frozen lock and the sanitizers", () => {
  assertEquals(judgeConfig("deno.json", "{}").length, 3);
});

Deno.test("checkProject() finds a bad file in a directory, and skips what is no source", async () => {
  const directory = await Deno.makeTempDir();
  const root = new URL(`file://${directory}/`);
  Deno.mkdirSync(new URL("kv/", root));
  Deno.mkdirSync(new URL("data/", root));
  Deno.writeTextFileSync(new URL("deno.json", root), config("deno lint"));
  Deno.writeTextFileSync(new URL("kv/good.ts", root), header);
  Deno.writeTextFileSync(new URL("kv/Bad.ts", root), header);
  Deno.writeTextFileSync(new URL("data/Worse.ts", root), "x");
  assertEquals(checkProject(root).map((complaint) => complaint.path), ["kv/Bad.ts"]);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("deno.json keeps the rules", () => {
  const text = Deno.readTextFileSync(new URL("../../deno.json", import.meta.url));
  assertEquals(judgeConfig("deno.json", text), []);
  assert(Object.keys(JSON.parse(text).tasks).length > 0);
});
