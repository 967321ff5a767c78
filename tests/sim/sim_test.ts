/**
 * The simulator's quick run, its determinism, and the corpus of schedules that once failed.
 *
 * `deno task sim` runs more, and faster.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { MARKS } from "./marks.ts";
import { drawSchedule, PROFILES } from "./profiles.ts";
import { Report } from "./report.ts";
import { runSchedule } from "./run.ts";
import { parseSchedule } from "./schedule.ts";
import { runTwice } from "./twice.ts";

/** About 20 s on one core, together. */
const SWARM_SEEDS = 60;
const PROFILE_SEEDS = 12;
const CORPUS = new URL("./corpus/", import.meta.url);
const ROOT = new URL("../../", import.meta.url);

function complaintsOf({ failures }: Report, profile: string): string {
  return failures.map(({ seed, violation }) =>
    `seed ${seed}: ${violation.invariant}: ${violation.message}\n` +
    `deno task sim --seed ${seed} --profile ${profile} --trace`
  ).join("\n");
}

for (const profile of Object.keys(PROFILES)) {
  const seeds = profile === "swarm" ? SWARM_SEEDS : PROFILE_SEEDS;
  Deno.test(`sim: ${profile}, ${seeds} seeds`, async () => {
    const report = new Report();
    for (let seed = 1; seed <= seeds; seed++) {
      report.add(seed, await runSchedule(drawSchedule(seed, profile)));
    }
    assertEquals(complaintsOf(report, profile), "");
    const hit = Object.keys(MARKS).length - report.missed.length;
    assert(hit >= 20, `too little happened: ${hit} marks`);
  });
}

for (const { name } of Deno.readDirSync(CORPUS)) {
  if (!name.endsWith(".json")) continue;
  Deno.test(`sim: the kept schedule ${name} passes`, async () => {
    const schedule = parseSchedule(Deno.readTextFileSync(new URL(name, CORPUS)));
    const { violation } = await runTwice(schedule);
    assertEquals(violation, null, `deno task sim --schedule tests/sim/corpus/${name} --trace`);
  });
}

Deno.test("sim: a seed gives one run, and other seeds give others", async () => {
  const hashes = new Set<string>();
  for (let seed = 1; seed <= 8; seed++) {
    const { violation, hash } = await runTwice(drawSchedule(seed));
    assertEquals(violation, null);
    hashes.add(hash);
  }
  assertEquals(hashes.size, 8);
});

Deno.test("sim: a kept schedule is the same run as the drawn one", async () => {
  const schedule = drawSchedule(11);
  const kept = parseSchedule(JSON.stringify(schedule));
  assertEquals((await runSchedule(kept)).hash, (await runSchedule(schedule)).hash);
  const other = await runSchedule({ ...kept, clients: kept.clients + 1 });
  assertNotEquals(other.hash, (await runSchedule(schedule)).hash);
});

Deno.test("sim: a run that is not watched is the same one, and is not judged", async () => {
  for (const seed of [3, 5, 11]) {
    const { hash, events, operations } = await runSchedule(drawSchedule(seed));
    const second = await runSchedule(drawSchedule(seed), { isWatched: false });
    assertEquals([second.hash, second.events, second.operations], [hash, events, operations]);
    assertEquals([second.violation, second.marks["log-truncated"]], [null, 0]);
  }
});

Deno.test("sim: promises run at once or in laps make one trace", async () => {
  const { hash, events } = await runSchedule(drawSchedule(5), { settle: null });
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--v8-flags=--allow-natives-syntax", "--allow-read=."],
      ...["tests/sim/main.ts", "--seed", "5", "--once"],
    ],
    cwd: ROOT,
  }).output();
  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 0, text);
  assert(text.includes(`hash ${hash}`), text);
  assert(text.includes(` ${events} events`), text);
  assert(!text.includes("Without"), text);
});

Deno.test("sim: a trace can be read, and keeping it changes nothing", async () => {
  const schedule = drawSchedule(3);
  const { trace, hash } = await runSchedule(schedule, { isReadable: true });
  assertEquals(hash, (await runSchedule(schedule)).hash);
  for (const part of ["starts", "hears", "is leader", "asks", "comes to", "HEALED"]) {
    assert(trace.some((line) => line.includes(part)), `no line with "${part}"`);
  }
});
