/** The lint plugin of the house: each rule red on bad fixtures, and green on the good ones beside. */
import { assertEquals } from "@std/assert";
import plugin from "../../tools/lint/plugin.ts";
import { FUNCTION_LINES_MAX } from "../../tools/lint/short_functions.ts";

/** The names of the rules that a fixture breaks, without the plugin's own. */
function broken(path: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, path, source)
    .map((diagnostic) => diagnostic.id.replace("house/", ""));
}

const impure: readonly string[] = [
  "export async function f() {}",
  "export const f = async () => {};",
  "export class A { async f() {} }",
  "export async function* f() { yield 1; }",
  "for await (const a of []) a;",
  "await g();",
  "type T = Promise<number>;",
  "new Promise(() => {});",
  "Promise.resolve(1);",
  "queueMicrotask(f);",
  "Date.now();",
  "new Date();",
  "const { Date: D } = x; Date;",
  "Temporal.Now.instant();",
  "performance.now();",
  "setTimeout(f, 1);",
  "setInterval(f, 1);",
  "clearTimeout(t);",
  "Math.random();",
  "Math['random']();",
  "crypto.getRandomValues(b);",
  "Deno.readFileSync('x');",
  "fetch('x');",
  "console.log(1);",
  "const x = { console };",
  "x[console];",
  "globalThis.x;",
  "eval('1');",
  "new Function('1');",
  "import.meta.url;",
  "'a'.localeCompare('b');",
  "new Intl.Collator();",
  "new WeakRef(x);",
];

for (const source of impure) {
  Deno.test(`house/pure refuses in raft and kv: ${source}`, () => {
    assertEquals(broken("raft/core.ts", source).includes("pure"), true);
    assertEquals(broken("kv/store.ts", source).includes("pure"), true);
    assertEquals(broken("storage/x.ts", source).includes("pure"), false);
    assertEquals(broken("tests/raft/x_test.ts", source).includes("pure"), false);
  });
}

Deno.test("house/pure refuses each thing once", () => {
  assertEquals(broken("raft/core.ts", "Math.random();"), ["pure"]);
  assertEquals(broken("raft/core.ts", "export const f = () => Date.now();"), ["pure"]);
});

Deno.test("house/pure lets pass what only has the name of something impure", () => {
  const source = `
    interface Effect { Date: number; fetch(): void; performance: string }
    export class A { console = 1; process() { return this.console; } }
    export function f(x: Effect) {
      x.fetch();
      const made = { Date: 1, crypto: x.Date };
      const generate = function* () { yield Math.max(made.crypto, x.Date); };
      return generate();
    }
    export const random = "Math.random";
  `;
  assertEquals(broken("kv/store.ts", source), []);
});

const crossing: readonly string[] = [
  "import { x } from '../actors/replica.ts';",
  "import '../actors/replica.ts';",
  "import type { X } from '../actors/replica.ts';",
  "export { x } from '../actors/replica.ts';",
  "export type { X } from '../actors/replica.ts';",
  "export * from '../actors/replica.ts';",
  "let x: import('../actors/replica.ts').X;",
  "let x: typeof import('../actors/replica.ts');",
  "const x = await import('../actors/replica.ts');",
  "const x = await import(`../actors/${name}.ts`);",
];

for (const source of crossing) {
  Deno.test(`house/layers sees: ${source}`, () => {
    assertEquals(broken("storage/x.ts", source), ["layers"]);
  });
}

Deno.test("house/layers lets kv import types of raft, if nothing is left of it at run time", () => {
  assertEquals(broken("kv/x.ts", "import type { Term } from '../raft/types.ts';"), []);
  assertEquals(broken("kv/x.ts", "export type { Term } from '../raft/types.ts';"), []);
  assertEquals(broken("kv/x.ts", "import { type Term } from '../raft/types.ts';"), ["layers"]);
  assertEquals(broken("kv/x.ts", "import { Term } from '../raft/types.ts';"), ["layers"]);
});

Deno.test("house/layers finds the room of an absolute path in this checkout", () => {
  const path = decodeURIComponent(new URL("../../raft/x.ts", import.meta.url).pathname);
  assertEquals(broken(path, "import '../kv/store.ts';"), ["layers"]);
  assertEquals(broken(path, "import './core.ts';"), []);
});

const ambient: readonly string[] = [
  "Deno.env.get('X');",
  "Deno.args;",
  "Deno['args'];",
  "const { env } = Deno;",
  "const { args: mine } = Deno;",
  "process.env.X;",
  "process.argv;",
  "import process from 'node:process';",
];

for (const source of ambient) {
  Deno.test(`house/ambient refuses outside the entries: ${source}`, () => {
    assertEquals(broken("storage/x.ts", source), ["ambient"]);
    assertEquals(broken("routes/x.ts", source), ["ambient"]);
    for (const path of ["main.ts", "cli/x.ts", "tests/x_test.ts", "tools/x.ts", "bench/x.ts"]) {
      assertEquals(broken(path, source), []);
    }
  });
}

Deno.test("house/ambient lets pass other members", () => {
  assertEquals(broken("storage/x.ts", "Deno.openKv(); x.env; x.args; x.toString();"), []);
});

const notWhole: readonly string[] = [
  "Deno.test.only('x', () => {});",
  "Deno.test.ignore('x', () => {});",
  "Deno.test({ name: 'x', only: true, fn() {} });",
  "Deno.test({ name: 'x', ignore: true, fn() {} });",
  "Deno.test('x', { ignore: true }, () => {});",
  "Deno.test('x', { sanitizeOps: false }, () => {});",
  "Deno.test('x', { sanitizeResources: false }, () => {});",
  "Deno.test('x', { sanitizeExit: false }, () => {});",
  "Deno.test.sanitizer({ ops: false });",
  "Deno.test.sanitizer({ ops: true, resources: false });",
  "t.step({ name: 'x', ignore: true, fn() {} });",
  "Deno.bench({ name: 'x', only: true, fn() {} });",
  "Deno.bench.only('x', () => {});",
];

for (const source of notWhole) {
  Deno.test(`house/whole-tests refuses: ${source}`, () => {
    assertEquals(broken("tests/x_test.ts", source), ["whole-tests"]);
  });
}

Deno.test("house/whole-tests lets a test depend on what the machine has", () => {
  const source = `
    Deno.test({ name: "x", ignore: !hasWrk, fn() {} });
    Deno.test("y", { permissions: { net: false } }, () => {});
    Deno.test("z", (t) => { t.step("s", () => {}); x.only(1); });
  `;
  assertEquals(broken("tests/x_test.ts", source), []);
});

Deno.test("house/short-functions counts the lines of functions, methods and arrow functions", () => {
  const body = (lines: number) => `{\n${"x();\n".repeat(lines - 2)}}`;
  for (const start of ["function f() ", "const f = () => ", "class A { f() "]) {
    const end = start.startsWith("class") ? " }" : "";
    const ofLines = (lines: number) => start + body(lines) + end;
    assertEquals(broken("kv/x.ts", ofLines(FUNCTION_LINES_MAX)), []);
    assertEquals(broken("kv/x.ts", ofLines(FUNCTION_LINES_MAX + 1)), ["short-functions"]);
    assertEquals(broken("tests/kv/x_test.ts", ofLines(FUNCTION_LINES_MAX + 1)), []);
  }
});
