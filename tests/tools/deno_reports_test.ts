/**
 * Holds the counting of tests against the `deno test` that runs it: what it reports of test files
 * that pass, fail, do not compile, throw while they load, or die.
 */
import { assertEquals } from "@std/assert";
import { countRun, type Counts } from "../../tools/test_run/report.ts";

const files: readonly { what: string; source: string; counts: Counts; typed?: true }[] = [
  {
    what: "tests that pass, with steps and a skipped one",
    source: `
      Deno.test("one", () => {});
      Deno.test("two > three", async (t) => { await t.step("four", () => {}); });
      Deno.test({ name: "five", ignore: true, fn() {} });`,
    counts: { passed: 2, failed: 0, skipped: 1 },
  },
  {
    what: "a test that fails and a test whose step fails",
    source: `
      Deno.test("one", () => { throw new Error("</testcase>"); });
      Deno.test("two", async (t) => { await t.step("three", () => { throw new Error("x"); }); });
      Deno.test("four", () => {});`,
    counts: { passed: 1, failed: 2, skipped: 0 },
  },
  {
    what: "a leaked timer",
    source: `Deno.test("one", () => { setTimeout(() => {}, 10_000); });`,
    counts: { passed: 0, failed: 1, skipped: 0 },
  },
  {
    what: "a module that throws while it loads",
    source: `Deno.test("one", () => {}); throw new Error("x");`,
    counts: { passed: 0, failed: 1, skipped: 0 },
  },
  {
    what: "a module that does not compile",
    source: `Deno.test("one", () => { const x: number = "1"; x; });`,
    counts: { passed: 0, failed: 1, skipped: 0 },
    typed: true,
  },
  {
    what: "a process that dies before it can report",
    source: `Deno.test("one", () => { Deno.kill(Deno.pid, "SIGKILL"); });`,
    counts: { passed: 0, failed: 1, skipped: 0 },
  },
];

for (const { what, source, counts, typed } of files) {
  Deno.test(`deno test reports ${what}, so that countRun() counts it`, async () => {
    const directory = await Deno.makeTempDir();
    const path = `${directory}/a_test.ts`;
    const reportPath = `${directory}/report.xml`;
    await Deno.writeTextFile(path, source);
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: [
        "test",
        "--no-config",
        "--no-prompt",
        // Checking types takes longer than all the rest.
        ...typed ? [] : ["--no-check"],
        // The process that dies ends itself, which takes the permission to run anything.
        "--allow-run",
        "--sanitize-ops",
        "--sanitize-resources",
        `--junit-path=${reportPath}`,
        path,
      ],
      stdout: "null",
      stderr: "null",
    }).output();
    const report = await Deno.readTextFile(reportPath).catch(() => undefined);
    assertEquals(countRun({ report, exitCode: code }), counts);
    await Deno.remove(directory, { recursive: true });
  });
}
