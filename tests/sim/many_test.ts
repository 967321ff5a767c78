/**
 * Runs over many seeds: where they end, and what their summary says.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { runRange } from "./pool.ts";
import { drawSchedule } from "./profiles.ts";
import { MARKS_SEEDS_MIN, Report } from "./report.ts";
import { runSchedule } from "./run.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("runRange() begins no more seeds once it is told to stop, and waits for those that run", async () => {
  const range = { first: 1, seeds: 1_000, profile: "swarm", once: true, jobs: 2 };
  const done: number[] = [];
  await runRange(range, ({ seed }) => {
    done.push(seed);
    return done.length < 3;
  });
  // Three, and one that the other worker had begun.
  assertEquals(done.toSorted((a, b) => a - b), [1, 2, 3, 4]);
});

Deno.test("Report says what each row of the table of figures asks for", async () => {
  const report = new Report();
  for (let seed = 5; seed < 9; seed++) {
    report.add(seed, await runSchedule(drawSchedule(seed, "membership")));
  }
  const text = report.text(2_000, 2, 2);
  assertMatch(text, /^seeds 5 to 8: 4 seeds, 0 failed; \d+ crashes, \d+ operations, \d+ ack/m);
  assertMatch(text, /^faults that struck: .*membership [1-9]\d*, transfers [1-9]\d*/m);
  assertMatch(text, /^\d+ events \(0\.0 h of virtual time\), each run twice, in 2\.0 s: /m);
  assertMatch(text, /, 2\.0 seeds\/s$/m);
  assertMatch(report.progress(1_000, null), /^after 1 s: 4 seeds, 0 failed, .*, 4\.0 seeds\/s$/);
  assertMatch(report.progress(1_000, 10), /^after 1 s: 4 of 10 seeds, /);
});

Deno.test("sim: faults that find nobody are not counted", async () => {
  const { faults: _, ...schedule } = drawSchedule(1);
  const crash = { atMs: 1_000, type: "crash", landed: false, ms: 5 } as const;
  const faults = [{ ...crash, node: 0 }, { ...crash, node: 99 }];
  const { struck, crashes } = await runSchedule({ ...schedule, faults });
  assertEquals(struck, { crashes: 1 });
  assert(crashes >= 1);
});

Deno.test("deno task sim --minutes ends by time, and says which seeds it had", async () => {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--v8-flags=--allow-natives-syntax", "--allow-read=."],
      ...["tests/sim/main.ts", "--minutes", "0.01", "--first", "7", "--once"],
    ],
    cwd: ROOT,
  }).output();
  const text = new TextDecoder().decode(stdout);
  const [, last, seeds] = /^seeds 7 to (\d+): (\d+) seeds, 0 failed/m.exec(text) ?? [text];
  // As many as had begun within 0.6 s: a few, and far from as many as there could be.
  assert(Number(seeds) >= 1 && Number(seeds) < MARKS_SEEDS_MIN, text);
  assertEquals(Number(last), 7 + Number(seeds) - 1);
  assertEquals(code, 0, text);
});
