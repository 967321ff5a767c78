/** Counting what a test run did, from reports as Deno 2.9 writes them. */
import { assertEquals } from "@std/assert";
import { closingLine, countRun, exitCodeFor, sum } from "../../tools/test_run/report.ts";

function report(...suites: string[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="9" failures="9" errors="9" time="0.019">
${suites.join("\n")}
</testsuites>
`;
}

function suite(...cases: string[]): string {
  return `    <testsuite name="./t/a_test.ts" tests="9" disabled="9" errors="9" failures="9">
${cases.join("\n")}
    </testsuite>`;
}

function testcase(name: string, content = ""): string {
  return `        <testcase name="${name}" classname="./t/a_test.ts" time="0.0" line="1" col="6">
${content}        </testcase>`;
}

const failure = `            <failure message="Uncaught Error: x &lt;/testcase&gt;">Error: x
  &lt;testcase name=&quot;no test&quot;&gt;
    at file:///a.ts:1:33</failure>
`;

Deno.test("countRun() counts what passed, failed, was cancelled and skipped", () => {
  const text = report(
    suite(testcase("a"), testcase("b", failure), testcase("c", "<skipped/>\n")),
    suite(testcase("a"), testcase("d", '<error message="Cancelled"/>\n')),
  );
  assertEquals(countRun({ report: text, exitCode: 1 }), { passed: 2, failed: 2, skipped: 1 });
});

Deno.test("countRun() counts a test with its steps once", () => {
  const text = report(suite(
    testcase("a"),
    testcase("a &gt; s1"),
    testcase("a &gt; s1 &gt; deep"),
    testcase("b &gt; c"),
    testcase("d", failure),
    testcase("d &gt; s1", failure),
  ));
  assertEquals(countRun({ report: text, exitCode: 1 }), { passed: 2, failed: 1, skipped: 0 });
});

Deno.test("countRun() counts a run without a report as failed, whatever its exit code", () => {
  for (const exitCode of [0, 1, 137]) {
    assertEquals(countRun({ report: undefined, exitCode }), { passed: 0, failed: 1, skipped: 0 });
  }
});

Deno.test("countRun() believes the exit code where the report names no failure", () => {
  const text = report(suite(testcase("a")));
  assertEquals(countRun({ report: text, exitCode: 1 }), { passed: 1, failed: 1, skipped: 0 });
  assertEquals(countRun({ report: report(), exitCode: 1 }), { passed: 0, failed: 1, skipped: 0 });
});

Deno.test("closingLine() speaks of skipped tests only if there are any", () => {
  assertEquals(closingLine({ passed: 3, failed: 0, skipped: 0 }), "3 passed, 0 failed");
  assertEquals(closingLine({ passed: 3, failed: 1, skipped: 2 }), "3 passed, 1 failed, 2 skipped");
});

Deno.test("exitCodeFor() wants a test that passed and none that failed", () => {
  assertEquals(exitCodeFor({ passed: 1, failed: 0, skipped: 1 }), 0);
  assertEquals(exitCodeFor({ passed: 1, failed: 1, skipped: 0 }), 1);
  assertEquals(exitCodeFor(sum([])), 1);
  assertEquals(exitCodeFor({ passed: 0, failed: 0, skipped: 1 }), 1);
});
