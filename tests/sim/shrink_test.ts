import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseOptions, SEEDS_DEFAULT, SEEDS_MAX, UsageError } from "./options.ts";
import { drawSchedule, PROFILES } from "./profiles.ts";
import { CLASS_OF, parseSchedule, type Schedule } from "./schedule.ts";
import { shrink, SHRINK_RUNS_MAX } from "./shrink.ts";

/** A schedule with many faults. */
function rich(): Schedule {
  for (let seed = 1;; seed++) {
    const schedule = drawSchedule(seed);
    const crashes = schedule.faults.filter(({ type }) => type === "crash");
    if (schedule.faults.length > 8 && crashes.length > 0 && schedule.nodes > 3) return schedule;
  }
}

Deno.test("shrink() keeps only what the failure needs", async () => {
  const isNeeded = (schedule: Schedule) =>
    schedule.faults.some(({ type }) => type === "crash") ? "it" : null;
  const { schedule } = await shrink(rich(), "it", (each) => Promise.resolve(isNeeded(each)));
  assertEquals(schedule.faults.map(({ type }) => type), ["crash"]);
  const { clients, keys, nodes, spares, batch } = schedule;
  assertEquals({ clients, keys, nodes, spares, batch }, {
    clients: 1,
    keys: 1,
    nodes: 3,
    spares: 0,
    batch: 0,
  });
});

Deno.test("shrink() does not take another failure for the same one", async () => {
  const schedule = rich();
  const judge = (each: Schedule) =>
    Promise.resolve(each.faults.length === schedule.faults.length ? "it" : "another");
  const { schedule: smallest } = await shrink(schedule, "it", judge);
  assertEquals(smallest.faults, schedule.faults);
});

Deno.test("shrink() ends, however long that takes", async () => {
  let runs = 0;
  const found = await shrink(rich(), "it", () => {
    runs++;
    return Promise.resolve(runs % 2 === 0 ? "it" : null);
  });
  assert(found.runs <= SHRINK_RUNS_MAX);
  assertEquals(found.runs, runs);
});

Deno.test("drawSchedule() leaves each class of faults out of about half of the swarm's seeds", () => {
  const seeds = 400;
  const counts = new Map<string, number>();
  const nodes = new Set<number>();
  for (let seed = 0; seed < seeds; seed++) {
    const schedule = drawSchedule(seed);
    nodes.add(schedule.nodes);
    for (const each of new Set(schedule.faults.map(({ type }) => CLASS_OF[type]))) {
      counts.set(each, (counts.get(each) ?? 0) + 1);
    }
  }
  assertEquals([...nodes].sort(), [1, 3, 5, 7]);
  assertEquals(counts.size, new Set(Object.values(CLASS_OF)).size);
  for (const [each, count] of counts) {
    assert(count > seeds * 0.2 && count < seeds * 0.6, `${each} is in ${count} of ${seeds}`);
  }
});

Deno.test("drawSchedule() gives each profile what it is about", () => {
  for (const [name, { always }] of Object.entries(PROFILES)) {
    const found = new Set<string>();
    for (let seed = 0; seed < 50; seed++) {
      for (const { type } of drawSchedule(seed, name).faults) found.add(CLASS_OF[type]);
    }
    for (const each of always) assert(found.has(each), `${name} has no ${each}`);
  }
  assertThrows(() => drawSchedule(1, "none"), RangeError);
});

Deno.test("parseSchedule() refuses what is none", () => {
  for (const text of ["null", "{}", '{"version":2,"faults":[],"seed":1}']) {
    assertThrows(() => parseSchedule(text), TypeError);
  }
});

Deno.test("parseOptions() refuses what makes no sense", () => {
  const args = [
    ["--minutes", "0"],
    ["--minutes", "x"],
    ["--minutes", ""],
    ["--seeds", "0"],
    ["--seed", "x"],
    ["--profile", "none"],
    ["--no-such"],
    [
      "--jobs",
      "",
    ],
  ];
  for (const each of args) assertThrows(() => parseOptions(each, 2), UsageError);
  const { seeds, jobs, profile, shrink } = parseOptions(["--seeds", "10", "--profile", "disk"], 2);
  assertEquals({ seeds, jobs, profile, shrink }, {
    seeds: 10,
    jobs: 2,
    profile: "disk",
    shrink: true,
  });
  assertEquals(parseOptions(["--no-shrink"], 2).shrink, false);
  assertEquals(minutesAndSeeds([]), [null, SEEDS_DEFAULT]);
  assertEquals(minutesAndSeeds(["--minutes", "60"]), [60, SEEDS_MAX]);
  assertEquals(minutesAndSeeds(["--minutes", "0.5", "--seeds", "7"]), [0.5, 7]);
});

function minutesAndSeeds(args: string[]) {
  const { minutes, seeds } = parseOptions(args, 2);
  return [minutes, seeds];
}
