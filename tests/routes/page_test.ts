/** docs/http.md against the doors: it names every code with its status, and every address, and no other. */
import { assertEquals } from "@std/assert";
import { KEY_MOUNT } from "../../routes/address.ts";
import { PROBLEMS } from "../../routes/problem.ts";
import { quietApp } from "./answers.ts";
import { scripted } from "./scripted.ts";

const PAGE = await Deno.readTextFile(new URL("../../docs/http.md", import.meta.url));

Deno.test("docs/http.md lists every code of a problem with its status, and no other", () => {
  const table = PAGE.slice(PAGE.indexOf("## Errors"));
  const listed = [...table.matchAll(/^\| `([a-z0-9-]+)` +\| (\d{3}) /gm)]
    .map(([, code, status]) => `${code} ${status}`);
  const known = Object.entries(PROBLEMS).map(([code, { status }]) => `${code} ${status}`);
  assertEquals(listed.toSorted(), known.toSorted());
});

Deno.test("docs/http.md begins with every call that the doors take, and no other", () => {
  const start = PAGE.indexOf("| call ");
  const calls = PAGE.slice(start, PAGE.indexOf("\n\n", start));
  const documented = new Set<string>();
  for (const [, text] of calls.matchAll(/^\| (`.+?) +\|/gm)) {
    // "`GET`, `HEAD /path`" is both methods of one path; "`GET /a`, `GET /b`" are two paths.
    const methods: string[] = [];
    for (const [, method, path] of text.matchAll(/`([A-Z]+)(?: ([^`?]+)[^`]*)?`/g)) {
      methods.push(method);
      if (path === undefined) continue;
      const pattern = path.replace("{part}/{part}…", "").replace("{id}", ":id");
      for (const each of methods.splice(0)) documented.add(`${each} ${pattern}`);
    }
  }
  documented.delete(`HEAD ${KEY_MOUNT}`);
  const routes = quietApp(scripted({})).routes.map(({ method, path }) => `${method} ${path}`);
  assertEquals([...documented].toSorted(), routes.toSorted());
});
