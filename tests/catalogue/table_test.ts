/** docs/reliability.md: its table names a test for each bug of the catalogue, and those exist. */
import { assert, assertEquals } from "@std/assert";
import { hasTest } from "./test_names.ts";

const ROOT = new URL("../../", import.meta.url);
/** The catalogue's. */
const BUGS = 36;

interface Row {
  readonly bug: number;
  readonly tests: readonly { readonly file: string; readonly name: string }[];
}

/** The rows of the table, each of whose last cell has files, and behind each the names of tests in it. */
function rowsOf(page: string): Row[] {
  return [...page.matchAll(/^\| (\d+) +\|[^|]*\|([^|]*)\|$/gm)].map(([, bug, cell]) => {
    const tests = cell!.split("<br>").flatMap((line) => {
      const file = /\]\(\.\.\/(tests\/[^)]+)\)/.exec(line)?.[1];
      const names = line.slice(line.indexOf("):") + 1).matchAll(/`([^`]+)`/g);
      return file === undefined ? [] : [...names].map(([, name]) => ({ file, name: name! }));
    });
    return { bug: Number(bug), tests };
  });
}

Deno.test("docs/reliability.md names tests for each bug of the catalogue, and all of them exist", () => {
  const rows = rowsOf(Deno.readTextFileSync(new URL("docs/reliability.md", ROOT)));
  assertEquals(rows.map(({ bug }) => bug), Array.from({ length: BUGS }, (_, at) => at + 1));
  for (const { bug, tests } of rows) {
    assert(tests.length > 0, `bug ${bug} has no test`);
    for (const { file, name } of tests) {
      const text = Deno.readTextFileSync(new URL(file, ROOT));
      assert(hasTest(text, name), `bug ${bug}: ${file} has no test "${name}"`);
    }
  }
});

Deno.test("hasTest() knows tests by their names, and those made from tables by what is fixed in them", () => {
  const text =
    'Deno.test("a \\"b\\" (5.2)", f); Deno.test(`node: a ${what({ a: 1 })} does so`, f); `${x} ${y}`;';
  assert(hasTest(text, 'a "b" (5.2)'));
  assert(hasTest(text, "node: a leader does so"));
  for (const name of ["a b (5.2)", "node: a leader does", "leader does so", "any name"]) {
    assert(!hasTest(text, name), name);
  }
});
