/**
 * What every store promises of snapshots that come from a leader, of pins and of quarantine: one suite,
 * run against each kind.
 *
 * @module
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { InvariantError, logIndex } from "../../raft/types.ts";
import { CorruptSnapshot } from "../../storage/types.ts";
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
  snapshotMeta,
  snapshotted,
  type TestOf,
  testsOf,
} from "./places.ts";

/** Registers the suite for one kind of place. */
export function installSuite(kind: PlaceKind): void {
  const test = testsOf(kind);
  testReceiving(test);
  testInstalling(test);
  testPinning(test);
  testQuarantine(test);
}

function testReceiving(test: TestOf): void {
  const contents = chunks(6, 4);
  const info = infoOf(snapshotMeta(40, 3), contents);

  test("receive() takes the chunks in order, each once", async (place) => {
    await filled(place, 20, async (store) => {
      const receiver = await store.snapshots.receive(info);
      assertEquals([receiver.info, receiver.next], [info, 0]);
      await assertRejects(() => receiver.add(1, contents[1]), RangeError);
      const first = receiver.add(0, contents[0]);
      await assertRejects(() => receiver.add(0, contents[0]), RangeError);
      await first;
      await assertRejects(() => receiver.add(0, contents[0]), RangeError);
      await assertRejects(() => receiver.install(false), RangeError, "1 of 6");
      await received(store, info, contents);
      assertEquals(receiver.next, 6);
      await assertRejects(() => receiver.add(6, contents[0]), RangeError);
      for (const [i, chunk] of contents.entries()) assertEquals(await receiver.read(i), chunk);
      assertEquals(store.snapshots.current, null);
    });
  });

  test("receive() goes on where an earlier opening was, wherever that was", async (place) => {
    const store = place.store();
    for (let upTo = 0; upTo <= contents.length; upTo++) {
      await store.open();
      assertEquals((await store.snapshots.receive(info)).next, Math.max(0, upTo - 1));
      await received(store, info, contents, upTo);
    }
    await store.open();
    await (await received(store, info, contents)).install(false);
    assertEquals(await readAll(store, info), contents);
    await store.close();
  });

  test("receive() of another snapshot drops the one before", async (place) => {
    await filled(place, 20, async (store) => {
      const receiver = await received(store, info, contents, 3);
      const other = infoOf(snapshotMeta(50, 3), chunks(2, 8));
      assertEquals((await store.snapshots.receive(other)).next, 0);
      await assertRejects(() => receiver.add(3, contents[3]), RangeError, "gone");
      assertThrows(() => receiver.read(0), RangeError, "gone");
      // The same contents elsewhere in the log are another snapshot.
      await received(store, other, chunks(2, 8), 1);
      const elsewhere = infoOf(snapshotMeta(51, 3), chunks(2, 8));
      assertEquals((await store.snapshots.receive(elsewhere)).next, 0);
      await store.open();
      assertEquals((await store.snapshots.receive(info)).next, 0);
    });
  });

  const wrong: [string, Uint8Array[]][] = [
    ["another byte", contents.map((chunk, i) => i === 2 ? chunk.with(7, 1) : chunk)],
    ["chunks swapped", [contents[1], contents[0], ...contents.slice(2)]],
    ["a byte too few", contents.map((chunk, i) => i === 5 ? chunk.subarray(1) : chunk)],
  ];
  for (const [name, sent] of wrong) {
    test(`receive() refuses contents that do not fit the id: ${name}`, async (place) => {
      await filled(place, 20, async (store) => {
        const kept = await snapshotted(store, snapshotMeta(10), chunks(2));
        const receiver = await received(store, info, sent, 5);
        await assertRejects(() => receiver.add(5, sent[5]), CorruptSnapshot, info.id);
        await assertRejects(() => receiver.install(false), RangeError, "gone");
        await store.open();
        assertEquals(await readAll(store, kept.info), chunks(2));
        const again = await received(store, info, contents);
        assertEquals(again.next, 6);
        await again.install(false);
        assertEquals(await readAll(store, info), contents);
      });
    });
  }

  test("discard() forgets what was received", async (place) => {
    await filled(place, 20, async (store) => {
      const receiver = await received(store, info, contents, 4);
      await receiver.discard();
      await receiver.discard();
      assertEquals((await store.snapshots.receive(info)).next, 0);
      await store.open();
      assertEquals((await store.snapshots.receive(info)).next, 0);
    });
  });
}

function testInstalling(test: TestOf): void {
  const contents = chunks(4, 6);

  test("install() without the log leaves it empty behind the snapshot", async (place) => {
    await filled(place, 20, async (store) => {
      await store.commit(batch({ hardState: hardState(3, "n2", 15) }));
      const info = infoOf(snapshotMeta(40, 3), contents);
      await (await received(store, info, contents)).install(false);
      assertEquals(store.snapshots.current, info);
      const more = entries(41, 3, 4);
      await store.commit(batch({ entries: more }));
      const found = await store.open();
      assertEquals([found.baseIndex, found.baseTerm], [info.meta.index, info.meta.term]);
      assertEquals([found.snapshot, found.entries, found.damage], [info, more, null]);
      assertEquals(found.hardState, hardState(3, "n2", 40));
      assertEquals(await readAll(store, info), contents);
      await assertRejects(() => store.commit(batch({ truncateFrom: 40 })), InvariantError);
    });
  });

  test("install() may cut a log off that reaches further", async (place) => {
    await filled(place, 20, async (store) => {
      const info = infoOf(snapshotMeta(12, 3), contents);
      await (await received(store, info, contents)).install(false);
      await store.commit(batch({ entries: entries(13, 2, 3) }));
      const found = await store.open();
      assertEquals([found.baseIndex, found.entries], [info.meta.index, entries(13, 2, 3)]);
    });
  });

  for (const index of [5, 8, 20]) {
    test(`install() with the log keeps what follows ${index}`, async (place) => {
      await filled(place, 20, async (store) => {
        const info = infoOf(snapshotMeta(index), contents);
        await (await received(store, info, contents)).install(true);
        await store.commit(batch({ entries: entries(21, 2) }));
        const found = await store.open();
        assert(found.baseIndex <= index && found.baseIndex > index - 6, `${found.baseIndex}`);
        const kept = entries(found.baseIndex + 1, 22 - found.baseIndex);
        assertEquals([found.entries, found.snapshot], [kept, info]);
        assertEquals(found.hardState, hardState(1, "n1", index));
      });
    });
  }

  test("install() refuses to keep a log that has not the snapshot's last entry", async (place) => {
    for (const meta of [snapshotMeta(8, 2), snapshotMeta(10, 2), snapshotMeta(21)]) {
      await filled(place, 20, async (store) => {
        await store.commit(batch({ truncateFrom: 1, entries: entries(1, 20) }));
        const receiver = await received(store, infoOf(meta, contents), contents);
        await assertRejects(() => receiver.install(true), InvariantError);
        const found = await store.open();
        assertEquals([found.snapshot, found.entries], [null, entries(1, 20)]);
        await store.commit(batch({ truncateFrom: 1 }));
      });
    }
  });

  test("what is under way and not later than the current snapshot is gone", async (place) => {
    await filled(place, 20, async (store) => {
      const own = await store.snapshots.create(snapshotMeta(15));
      await own.add(chunks(1)[0]);
      const leaders = infoOf(snapshotMeta(18), contents);
      const installed = await received(store, leaders, contents);
      await installed.install(true);
      await assertRejects(() => own.finish(logIndex(5)), RangeError, "gone");
      const late = await received(store, infoOf(snapshotMeta(19), contents), contents);
      const { info } = await snapshotted(store, snapshotMeta(20), chunks(2));
      await assertRejects(() => late.install(true), RangeError, "gone");
      assertEquals((await store.open()).snapshot, info);
      assertEquals(await readAll(store, info), chunks(2));
    });
  });

  test("of a switch and an install at the same time the later snapshot stays", async (place) => {
    for (const installFirst of [false, true]) {
      await filled(place, 20, async (store) => {
        await store.commit(batch({ truncateFrom: 1, entries: entries(1, 20) }));
        const own = await store.snapshots.create(snapshotMeta(15));
        await own.add(chunks(1)[0]);
        const info = infoOf(snapshotMeta(18), contents);
        const leaders = await received(store, info, contents);
        const switches = [() => own.finish(logIndex(5)), () => leaders.install(true)];
        if (installFirst) switches.reverse();
        await Promise.allSettled(switches.map((run) => run()));
        assertEquals(store.snapshots.current, info);
        assertEquals((await store.open()).snapshot, info);
        assertEquals(await readAll(store, info), contents);
        await store.quarantine("the next round begins with nothing");
        await store.open();
        await store.repaired();
      });
    }
  });
}

function testPinning(test: TestOf): void {
  test("a pinned snapshot stays readable after a switch, until it is released as often", async (place) => {
    await filled(place, 20, async (store) => {
      const { info } = await snapshotted(store, snapshotMeta(5), chunks(40));
      store.snapshots.pin(info);
      store.snapshots.pin(info);
      await snapshotted(store, snapshotMeta(10), chunks(3, 2));
      await snapshotted(store, snapshotMeta(12), chunks(3, 3));
      store.snapshots.release(info);
      assertEquals(await readAll(store, info), chunks(40));
      store.snapshots.release(info);
      await assertRejects(() => store.snapshots.read(info, 0), RangeError, "gone");
      assertThrows(() => store.snapshots.pin(info), RangeError, "gone");
    });
  });

  test("a pin on the current snapshot comes and goes; one too many is refused", async (place) => {
    await filled(place, 20, async (store) => {
      const { info } = await snapshotted(store, snapshotMeta(5), chunks(4));
      store.snapshots.pin(info);
      store.snapshots.release(info);
      assertThrows(() => store.snapshots.release(info), RangeError, "not pinned");
      assertEquals(await readAll(store, info), chunks(4));
      store.snapshots.pin(info);
      await store.open();
      await snapshotted(store, snapshotMeta(6), chunks(4));
      await assertRejects(() => store.snapshots.read(info, 0), RangeError, "gone");
    });
  });
}

function testQuarantine(test: TestOf): void {
  test("quarantine() leaves term and vote, nothing else, and the reason until repaired", async (place) => {
    await filled(place, 20, async (store) => {
      await store.commit(batch({ hardState: hardState(7, "n3", 18) }));
      const { info } = await snapshotted(store, snapshotMeta(10), chunks(3));
      await store.quarantine("its hash differs");
      await assertRejects(() => store.commit(batch({ entries: entries(21, 1) })), Error, "quarant");
      for (let round = 0; round < 2; round++) {
        const found = await store.open();
        assertEquals([found.damage, found.snapshot], ["its hash differs", null]);
        assertEquals([found.baseIndex, found.entries], [logIndex(0), entries(1, round)]);
        assertEquals(found.hardState, hardState(7, "n3", 0));
        await assertRejects(() => store.snapshots.read(info, 0), RangeError, "gone");
        await store.commit(batch({ entries: entries(round + 1, 1) }));
      }
      await (await received(store, info, chunks(3))).install(false);
      await store.repaired();
      await store.commit(batch({ entries: entries(11, 2, 7) }));
      const found = await store.open();
      assertEquals([found.damage, found.snapshot, found.baseIndex], [null, info, info.meta.index]);
      assertEquals(found.entries, entries(11, 2, 7));
      assertEquals(await readAll(store, info), chunks(3));
    });
  });

  test("quarantine() again, before the repair, says the newest reason", async (place) => {
    await filled(place, 20, async (store) => {
      for (const reason of ["first", "second: ü"]) {
        await store.quarantine(reason);
        assertEquals((await store.open()).damage, reason);
        await store.commit(batch({ entries: entries(1, 4) }));
      }
      await store.repaired();
      const found = await store.open();
      assertEquals([found.damage, found.entries], [null, entries(1, 4)]);
    });
  });
}
