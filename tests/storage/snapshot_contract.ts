/**
 * What every store promises of snapshots that it takes, and of compaction: one suite, run against each kind.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { InvariantError, logIndex } from "../../raft/types.ts";
import { SNAPSHOT_CHUNK_BYTES_MAX } from "../../storage/limits.ts";
import { Fenced } from "../../storage/types.ts";
import {
  batch,
  chunks,
  entries,
  filled,
  hardState,
  infoOf,
  type PlaceKind,
  readAll,
  received,
  reread,
  snapshotMeta,
  snapshotted,
  type TestOf,
  testsOf,
} from "./places.ts";

/** Registers the suite for one kind of place. */
export function snapshotSuite(kind: PlaceKind): void {
  const test = testsOf(kind);
  testTaking(test);
  testCompaction(test);
  testDropping(test);
}

function testTaking(test: TestOf): void {
  test("a snapshot reads back, before and after opening anew", async (place) => {
    const contents = [...chunks(3), ...chunks(1, 2, SNAPSHOT_CHUNK_BYTES_MAX), ...chunks(1, 3, 1)];
    const meta = snapshotMeta(10);
    await filled(place, 20, async (store) => {
      assertEquals(store.snapshots.current, null);
      const { info } = await snapshotted(store, meta, contents);
      assertEquals(info, infoOf(meta, contents));
      assertEquals(store.snapshots.current, info);
      assertEquals(await readAll(store, info), contents);
      assertEquals((await store.open()).snapshot, info);
      assertEquals(await readAll(store, info), contents);
    });
  });

  test("the id of a snapshot is that of its chunks, not of where and when", async (place) => {
    await filled(place, 20, async (store) => {
      const ids = [];
      for (const [index, seed] of [[5, 1], [10, 1], [15, 2]]) {
        ids.push((await snapshotted(store, snapshotMeta(index), chunks(4, seed))).info.id);
      }
      assertEquals(ids[0], ids[1]);
      assert(ids[1] !== ids[2]);
    });
  });

  test("a later snapshot replaces the current one; so does one at the same place", async (place) => {
    await filled(place, 20, async (store) => {
      for (const [index, seed] of [[5, 1], [10, 2], [10, 3]]) {
        await snapshotted(store, snapshotMeta(index), chunks(4, seed));
      }
      const { snapshot } = await store.open();
      assertEquals(snapshot, infoOf(snapshotMeta(10), chunks(4, 3)));
      assertEquals(await readAll(store, snapshot!), chunks(4, 3));
      const earlier = infoOf(snapshotMeta(5), chunks(4, 1));
      await assertRejects(() => store.snapshots.read(earlier, 0), RangeError, "gone");
    });
  });

  test("a snapshot needs chunks of a size, an end within the log, and a number that it has", async (place) => {
    await filled(place, 20, async (store) => {
      const writer = await store.snapshots.create(snapshotMeta(20));
      for (const size of [0, SNAPSHOT_CHUNK_BYTES_MAX + 1]) {
        await assertRejects(() => writer.add(new Uint8Array(size)), RangeError, `${size} bytes`);
      }
      await assertRejects(() => writer.finish(logIndex(5)), RangeError, "no chunk");
      const { info } = await snapshotted(store, snapshotMeta(20), chunks(2));
      for (const number of [-1, 2, 0.5, NaN]) {
        await assertRejects(() => store.snapshots.read(info, number), RangeError);
      }
      const beyond = snapshotted(store, snapshotMeta(21), chunks(2));
      await assertRejects(() => beyond, InvariantError);
      await assertRejects(() => store.commit(batch({ entries: entries(21, 1) })), Error, "anew");
      assertEquals((await store.open()).snapshot, info);
    });
  });

  test("commits go on while a snapshot is written and switched to", async (place) => {
    await filled(place, 20, async (store) => {
      const writer = await store.snapshots.create(snapshotMeta(20));
      const adding = chunks(30).map((chunk) => writer.add(chunk));
      for (let i = 21; i <= 40; i++) await store.commit(batch({ entries: entries(i, 1) }));
      await Promise.all(adding);
      const finished = writer.finish(logIndex(20));
      for (let i = 41; i <= 60; i++) await store.commit(batch({ entries: entries(i, 1) }));
      assertEquals((await finished).baseIndex, 20);
      const found = await store.open();
      assertEquals(found.entries, entries(21, 40));
      assertEquals(await readAll(store, found.snapshot!), chunks(30));
    });
  });
}

function testCompaction(test: TestOf): void {
  for (const compactTo of [0, 1, 5, 7, 12, 15, 20]) {
    test(`the log is cut at ${compactTo} or shortly before`, async (place) => {
      await filled(place, 30, async (store) => {
        const cut = await snapshotted(store, snapshotMeta(15), chunks(2), compactTo);
        const { baseIndex, baseTerm } = cut;
        assert(baseIndex <= Math.min(15, compactTo) && baseIndex > compactTo - 6, `${baseIndex}`);
        assertEquals(baseTerm, hardState(baseIndex === 0 ? 0 : 1).term);
        const found = await store.open();
        assertEquals([found.baseIndex, found.baseTerm], [baseIndex, baseTerm]);
        assertEquals(found.entries, entries(baseIndex + 1, 30 - baseIndex));
        // Forgetting and appending go on, down to the base.
        await store.commit(
          batch({ truncateFrom: baseIndex + 1, entries: entries(baseIndex + 1, 30, 2) }),
        );
        assertEquals((await store.open()).entries, entries(baseIndex + 1, 30, 2));
        const below = batch({ truncateFrom: baseIndex });
        await assertRejects(() => store.commit(below), InvariantError);
      });
    });
  }

  test("compaction never takes the base back, and may empty the log", async (place) => {
    await filled(place, 20, async (store) => {
      await snapshotted(store, snapshotMeta(15), chunks(2), 15);
      assertEquals((await snapshotted(store, snapshotMeta(18), chunks(2), 3)).baseIndex, 15);
      assertEquals((await snapshotted(store, snapshotMeta(20), chunks(2), 20)).baseIndex, 20);
      const found = await store.open();
      assertEquals([found.baseIndex, found.entries], [20, []]);
      await store.commit(batch({ entries: entries(21, 3) }));
      assertEquals((await store.open()).entries, entries(21, 3));
    });
  });

  test("compaction in the middle of a history: damage, votes and hint stay what they are", async (place) => {
    await filled(place, 20, async (store) => {
      await store.commit(batch({ hardState: hardState(4, "n2", 17) }));
      await snapshotted(store, snapshotMeta(15), chunks(2), 10);
      const { hardState: found, damage } = await store.open();
      assertEquals([found, damage], [hardState(4, "n2", 17), null]);
    });
  });
}

function testDropping(test: TestOf): void {
  test("create() drops what was begun before, and abort() what was begun", async (place) => {
    await filled(place, 20, async (store) => {
      const { info } = await snapshotted(store, snapshotMeta(5), chunks(3));
      const first = await store.snapshots.create(snapshotMeta(10));
      await first.add(chunks(1)[0]);
      const second = await store.snapshots.create(snapshotMeta(12));
      await assertRejects(() => first.add(chunks(1)[0]), RangeError, "gone");
      await assertRejects(() => first.finish(logIndex(1)), RangeError, "gone");
      await second.add(chunks(1)[0]);
      await second.abort();
      await second.abort();
      await assertRejects(() => second.finish(logIndex(1)), RangeError, "gone");
      assertEquals(store.snapshots.current, info);
      assertEquals((await store.open()).snapshot, info);
      assertEquals(await readAll(store, info), chunks(3));
    });
  });

  test("what was begun and not finished is not there after opening anew", async (place) => {
    await filled(place, 20, async (store) => {
      const writer = await store.snapshots.create(snapshotMeta(10));
      for (const chunk of chunks(5)) await writer.add(chunk);
      assertEquals((await store.open()).snapshot, null);
      await assertRejects(() => writer.add(chunks(1)[0]), Error, "closed");
      await assertRejects(() => writer.finish(logIndex(10)), Error);
      const { info } = await snapshotted(store, snapshotMeta(10), chunks(2, 9));
      assertEquals(await readAll(store, info), chunks(2, 9));
    });
  });

  test("a store that was fenced off writes no chunk and makes nothing current", async (place) => {
    await filled(place, 20, async (older) => {
      const { info } = await snapshotted(older, snapshotMeta(5), chunks(3));
      const writer = await older.snapshots.create(snapshotMeta(10));
      const complete = await received(older, infoOf(snapshotMeta(30), chunks(2, 5)), chunks(2, 5));
      await writer.add(chunks(1)[0]);
      const newer = place.store();
      assertEquals((await newer.open()).snapshot, info);
      await assertRejects(() => writer.add(chunks(1)[0]), Fenced);
      await assertRejects(() => complete.install(false), Fenced);
      await newer.commit(batch({ entries: entries(21, 2) }));
      assertEquals(await readAll(newer, info), chunks(3));
      await newer.close();
      const found = await reread(place.store());
      assertEquals([found.snapshot, found.entries], [info, entries(6, 17)]);
    });
  });
}
