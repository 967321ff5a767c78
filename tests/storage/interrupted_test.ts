/**
 * Batches that take several atomics, cut off before and after each of them: nothing acknowledged is
 * lost, no gap appears, no commit hint vouches for an entry that the batch was about to forget, and
 * the store goes on from there.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Entry } from "../../raft/types.ts";
import { KvLogStore } from "../../storage/kv_log_store.ts";
import { ATOMIC_LIMITS, type AtomicLimits } from "../../storage/limits.ts";
import { Fenced, type LogBatch, type Recovery } from "../../storage/types.ts";
import { type Crash, MortalDisk } from "./mortal_disk.ts";
import { batch, entries, entry, hardState, LIMITS_TINY, OWNER, reread } from "./places.ts";

interface Case {
  readonly name: string;
  readonly limits: AtomicLimits;
  readonly before: readonly LogBatch[];
  readonly split: LogBatch;
  readonly atomicsMin: number;
}

const CASES: readonly Case[] = [
  {
    name: "appending many blocks",
    limits: LIMITS_TINY,
    before: [batch({ hardState: hardState(1, "n1"), entries: entries(1, 4) })],
    split: batch({ hardState: hardState(2, "n2", 30), entries: entries(5, 40, 2) }),
    atomicsMin: 2,
  },
  {
    name: "forgetting many blocks, cutting one, and appending",
    limits: LIMITS_TINY,
    before: [1, 11, 21, 31].map((first) => batch({ entries: entries(first, 10) })),
    split: batch({
      hardState: hardState(3, null, 20),
      truncateFrom: 6,
      entries: entries(6, 20, 3),
    }),
    atomicsMin: 4,
  },
  {
    name: "forgetting everything",
    limits: LIMITS_TINY,
    before: [1, 11, 21, 31].map((first) => batch({ entries: entries(first, 10) })),
    split: batch({ hardState: hardState(3), truncateFrom: 1 }),
    atomicsMin: 2,
  },
  {
    name: "an entry larger than an atomic",
    limits: LIMITS_TINY,
    before: [batch({ entries: entries(1, 3) })],
    split: batch({
      hardState: hardState(4, "n1", 5),
      truncateFrom: 3,
      entries: [entry(3, 4, 1800), entry(4, 4), entry(5, 4, 1500)],
    }),
    atomicsMin: 5,
  },
  {
    name: "more than 800 KiB at Deno KV's own limits",
    limits: ATOMIC_LIMITS,
    before: [batch({ entries: entries(1, 3) })],
    split: batch({ hardState: hardState(5, null, 20), entries: entries(4, 30, 5, 60_000) }),
    atomicsMin: 3,
  },
  {
    name: "more than 1000 blocks at Deno KV's own limits",
    limits: { ...ATOMIC_LIMITS, blockPayloadBytesMax: 50 },
    before: [batch({ entries: entries(1, 1500) })],
    split: batch({
      hardState: hardState(5, null, 4),
      truncateFrom: 3,
      entries: entries(3, 2, 5),
    }),
    atomicsMin: 3,
  },
  {
    name: "a stale tail within a block, and more than an atomic holds with a hint behind it",
    limits: ATOMIC_LIMITS,
    before: [[1, 40], [41, 20], [61, 30]].map(([first, count]) =>
      batch({ hardState: hardState(1, "n1", 40), entries: entries(first, count) })
    ),
    split: batch({
      hardState: hardState(2, "n2", 1500),
      truncateFrom: 51,
      entries: entries(51, 2850, 2, 300),
    }),
    atomicsMin: 3,
  },
];

/** Sets up the case in a fresh directory. */
async function withCase(
  { limits, before }: Case,
  act: (store: KvLogStore, disk: MortalDisk, old: readonly Entry[]) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "kvorum-interrupted-" });
  const disk = new MortalDisk(directory);
  const store = new KvLogStore(disk, OWNER, limits);
  try {
    await store.open();
    for (const written of before) await store.commit(written);
    await act(store, disk, before.flatMap(({ entries }) => entries));
  } finally {
    await store.close();
    await Deno.remove(directory, { recursive: true });
  }
}

/** The log once the whole batch is written. */
function targetOf(old: readonly Entry[], { truncateFrom, entries }: LogBatch): Entry[] {
  return [...truncateFrom === null ? old : old.slice(0, truncateFrom - 1), ...entries];
}

/** The log is the old one's beginning, or what stays of it and a beginning of the new entries. */
function assertBetween(found: readonly Entry[], old: readonly Entry[], split: LogBatch): void {
  const kept = split.truncateFrom === null ? old.length : split.truncateFrom - 1;
  assert(found.length >= kept, `${found.length} entries, of which ${kept} had to stay`);
  const target = targetOf(old, split);
  const source = found.length > kept && found[kept].term === target[kept]?.term ? target : old;
  assertEquals(found, source.slice(0, found.length));
}

for (const each of CASES) {
  Deno.test(`commit() may be cut off anywhere: ${each.name}`, async () => {
    let atomics = 0;
    await withCase(each, async (store, disk, old) => {
      disk.arm(null);
      await store.commit(each.split);
      atomics = disk.writes;
      const found = await reread(store);
      assertEquals(found.entries, targetOf(old, each.split));
      assertEquals(found.hardState, each.split.hardState);
    });
    assert(atomics >= each.atomicsMin, `${atomics} atomics`);
    for (let atomic = 0; atomic < atomics; atomic++) {
      for (const landed of [false, true]) await cutOff(each, { write: atomic, landed });
    }
  });
}

async function cutOff(each: Case, crash: Crash): Promise<void> {
  await withCase(each, async (store, disk, old) => {
    disk.arm(crash);
    await assertRejects(() => store.commit(each.split), Error, "crash");
    disk.arm(null);
    const found = await store.open();
    assertEquals(found.damage, null);
    assertBetween(found.entries, old, each.split);
    // Never the new entries under the old term: a vote is not older than what it let in.
    const newest = found.entries.at(-1)?.term ?? 0;
    if (each.split.entries.some(({ term }) => term === newest)) {
      const { term, vote } = each.split.hardState!;
      assertEquals([found.hardState.term, found.hardState.vote], [term, vote]);
    }
    assertHintHolds(found, targetOf(old, each.split));
    const more = entries(found.entries.length + 1, 3, 9);
    await store.commit(batch({ entries: more }));
    assertEquals((await store.open()).entries, [...found.entries, ...more]);
  });
}

/** A replica applies what it finds up to the hint, so that all of it must be what was committed. */
function assertHintHolds({ hardState: { commit }, entries }: Recovery, target: Entry[]): void {
  const applied = entries.slice(0, commit);
  assertEquals(applied, target.slice(0, applied.length));
  assert(commit <= entries.length, `the hint ${commit} lies beyond the end ${entries.length}`);
}

Deno.test("open() removes the parts of a block that never got its head, under its fence", async () => {
  const each = CASES[3];
  await withCase(each, async (store, disk, old) => {
    disk.arm({ write: 2, landed: true });
    await assertRejects(() => store.commit(each.split), Error, "crash");
    // The fences are the first atomics of an opening, the removal is the next; it dies before that.
    disk.arm({ write: 2, landed: false });
    await assertRejects(() => store.open(), Error, "crash");
    disk.arm(null);
    const found = await store.open();
    const kept = old.slice(0, each.split.truncateFrom! - 1);
    assertEquals(found.entries.slice(0, 2), kept);
    const other = entry(found.entries.length + 1, 9, 250);
    await store.commit(batch({ entries: [other] }));
    assertEquals((await reread(store)).entries, [...found.entries, other]);
  });
});

Deno.test("a batch of several atomics stops at the fence", async () => {
  await withCase(CASES[0], async (store, disk) => {
    const rival = new KvLogStore(disk, OWNER, LIMITS_TINY);
    const committed = store.commit(CASES[0].split);
    const opened = rival.open();
    const outcome = await committed.then(() => null, (error) => error);
    const found = await opened;
    assert(outcome === null || outcome instanceof Fenced, String(outcome));
    if (outcome === null) assertEquals(found.entries.length, 44);
    assertEquals((await reread(rival)).entries, found.entries);
  });
});
