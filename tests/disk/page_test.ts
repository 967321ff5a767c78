/** docs/reliability/disk.md: its table has a row for each damage that is tested, and names tests that exist. */
import { assert, assertStringIncludes } from "@std/assert";
import { DAMAGES } from "./damages.ts";
import { hasTest } from "../catalogue/test_names.ts";

const ROOT = new URL("../../", import.meta.url);
const page = Deno.readTextFileSync(new URL("docs/reliability/disk.md", ROOT));

Deno.test("docs/reliability/disk.md has a row for each damage, and says where it is tested", () => {
  const rows = page.split("\n").filter((line) => line.startsWith("| "));
  for (const { name } of DAMAGES) {
    const row = rows.find((line) => line.startsWith(`| ${name} `));
    assert(row !== undefined, `there is no row "${name}"`);
    assertStringIncludes(row, "minority, majority");
  }
});

Deno.test("docs/reliability/disk.md names files and tests that exist", () => {
  const files = [...page.matchAll(/`(tests\/[\w/]+\.ts)`/g)].map(([, file]) => file!);
  assert(files.length > 3);
  const texts = files.map((file) => Deno.readTextFileSync(new URL(file, ROOT)));
  texts.push(Deno.readTextFileSync(new URL("tests/disk/unnoticed_test.ts", ROOT)));
  for (const [, name] of page.matchAll(/`(disk: [^`]+)`/g)) {
    assert(texts.some((text) => hasTest(text, name!)), `there is no test "${name}"`);
  }
});
