/**
 * The faults of the in-memory twin, which other suites build on.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { logIndex } from "../../raft/types.ts";
import { MemoryDisk, MemoryLogStore } from "../../storage/memory_log_store.ts";
import { CorruptLog, CorruptSnapshot, Fenced, StorageFull } from "../../storage/types.ts";
import {
  batch,
  chunks,
  entries,
  hardState,
  IDENTITY,
  infoOf,
  readAll,
  received,
  reread,
  snapshotMeta,
  snapshotted,
} from "./places.ts";

/** A disk with four entries in two commits, and an open store on it. */
async function filled(): Promise<{ disk: MemoryDisk; store: MemoryLogStore }> {
  const disk = new MemoryDisk();
  const store = new MemoryLogStore(disk, IDENTITY);
  await store.open();
  await store.commit(batch({ hardState: hardState(1, "n1"), entries: entries(1, 2) }));
  await store.commit(batch({ hardState: hardState(2, "n2"), entries: entries(3, 2, 2) }));
  return { disk, store };
}

for (const point of ["before-landing", "after-landing"] as const) {
  Deno.test(`a commit that fails ${point} leaves the disk so, and the store shut`, async () => {
    const { disk, store } = await filled();
    disk.failNextCommit(point, new StorageFull("full"));
    const failing = batch({ hardState: hardState(3), entries: entries(5, 1, 3) });
    await assertRejects(() => store.commit(failing), StorageFull);
    await assertRejects(() => store.commit(failing), Error, "anew");
    const landed = point === "after-landing" ? 1 : 0;
    assertEquals([disk.commits, disk.entries.length], [2 + landed, 4 + landed]);
    const found = await store.open();
    assertEquals([found.damage, found.entries.length], [null, 4 + landed]);
    assertEquals(found.hardState.term, hardState(2 + landed).term);
    await store.commit(batch({ entries: entries(5 + landed, 1, 3) }));
  });
}

Deno.test("a crash is a store that is dropped: its commit on the way meets the fence", async () => {
  const { disk, store } = await filled();
  const { promise, resolve } = Promise.withResolvers<void>();
  disk.beforeCommit = () => promise;
  const late = store.commit(batch({ entries: entries(5, 1, 2) }));
  const heir = new MemoryLogStore(disk, IDENTITY);
  assertEquals((await heir.open()).entries.length, 4);
  resolve();
  await assertRejects(() => late, Fenced);
  assertEquals(disk.entries.length, 4);
});

Deno.test("lost commits are damage, with the newest vote, until repaired", async () => {
  const { disk, store } = await filled();
  await store.commit(batch({ hardState: hardState(3, "n3"), truncateFrom: 2 }));
  disk.loseCommits(2);
  const found = await store.open();
  assertMatch(found.damage!, /commit 1.*commit 3/);
  assertEquals([found.entries, found.hardState], [entries(1, 2), hardState(3, "n3")]);
  await store.commit(batch({ entries: entries(3, 1, 3) }));
  assertMatch((await store.open()).damage!, /not repaired/);
  await store.repaired();
  assertEquals((await reread(store)).damage, null);
});

Deno.test("the hint of a lost commit does not vouch for the entries that it had replaced", async () => {
  const { disk, store } = await filled();
  await store.commit(batch({ hardState: hardState(2, "n2", 2) }));
  const replacing = { hardState: hardState(3, "n3", 4), truncateFrom: 3 };
  await store.commit(batch({ ...replacing, entries: entries(3, 2, 3) }));
  disk.loseCommits(1);
  const found = await store.open();
  assert(found.damage !== null);
  assertEquals(found.entries.slice(2), entries(3, 2, 2));
  assertEquals(found.hardState, hardState(3, "n3", 2));
});

Deno.test("loseCommits() brings forgotten entries back, and refuses what it does not remember", async () => {
  const { disk, store } = await filled();
  await store.commit(batch({ truncateFrom: 1, entries: entries(1, 1, 9) }));
  disk.loseCommits(1);
  assertEquals(disk.entries, [...entries(1, 2), ...entries(3, 2, 2)]);
  assertEquals(disk.hardState, hardState(2, "n2"));
  assertThrows(() => disk.loseCommits(3), RangeError, "2 can be lost");
});

Deno.test("what open() returns is the caller's own", async () => {
  const { disk, store } = await filled();
  const { entries: found } = await store.open();
  (found as unknown[]).length = 0;
  assertEquals(disk.entries.length, 4);
});

Deno.test("corruptChunk() makes one chunk of a snapshot unreadable", async () => {
  const { disk, store } = await filled();
  const { info } = await snapshotted(store, snapshotMeta(4, 2), chunks(3));
  disk.corruptChunk(1);
  assertEquals(await store.snapshots.read(info, 0), chunks(3)[0]);
  await assertRejects(() => store.snapshots.read(info, 1), CorruptSnapshot);
  await store.open();
  await assertRejects(() => store.snapshots.read(info, 1), CorruptSnapshot);
  assertThrows(() => disk.corruptChunk(3), RangeError);
  const receiver = await received(store, infoOf(snapshotMeta(9, 3), chunks(4)), chunks(4), 2);
  disk.corruptChunk(1, "incoming");
  await assertRejects(() => receiver.read(1), CorruptSnapshot);
  // What cannot be read is received anew from the start.
  await store.open();
  assertEquals((await store.snapshots.receive(receiver.info)).next, 0);
});

for (const point of ["before-landing", "after-landing"] as const) {
  Deno.test(`a chunk or a switch that fails ${point} leaves the disk so`, async () => {
    const { disk, store } = await filled();
    const writer = await store.snapshots.create(snapshotMeta(4, 2));
    disk.failNextChunk(point);
    await assertRejects(() => writer.add(chunks(1)[0]), Error, point);
    await assertRejects(() => writer.add(chunks(1)[0]), Error, "earlier");
    await writer.abort();
    const again = await store.snapshots.create(snapshotMeta(4, 2));
    await again.add(chunks(1)[0]);
    disk.failNextCommit(point);
    await assertRejects(() => again.finish(logIndex(4)), Error, point);
    const found = await store.open();
    const landed = point === "after-landing";
    assertEquals(found.snapshot, landed ? infoOf(snapshotMeta(4, 2), chunks(1)) : null);
    assertEquals([found.baseIndex as number, found.damage], [landed ? 4 : 0, null]);
  });
}

Deno.test("loseCommits() takes an install and a compaction back; their chunks stay lost", async () => {
  const { disk, store } = await filled();
  const own = (await snapshotted(store, snapshotMeta(3, 2), chunks(2), 2)).info;
  const info = infoOf(snapshotMeta(50, 5), chunks(3));
  await (await received(store, info, chunks(3))).install(false);
  disk.loseCommits(1);
  let found = await store.open();
  assert(found.damage !== null);
  assertEquals([found.snapshot, found.baseIndex as number], [own, 2]);
  assertEquals(found.entries, entries(3, 2, 2));
  await assertRejects(() => readAll(store, own), CorruptSnapshot, "missing");
  disk.loseCommits(1);
  found = await store.open();
  assertEquals([found.snapshot, found.baseIndex as number], [null, 0]);
  assertEquals(found.entries, [...entries(1, 2), ...entries(3, 2, 2)]);
  await store.quarantine("its snapshot is missing");
  const { damage, hardState: kept } = await store.open();
  assertEquals([damage, kept.term], ["its snapshot is missing", hardState(2).term]);
});

Deno.test("beforeChunk delays the chunks, and no commit", async () => {
  const { disk, store } = await filled();
  const { promise, resolve } = Promise.withResolvers<void>();
  disk.beforeChunk = () => promise;
  const writer = await store.snapshots.create(snapshotMeta(4, 2));
  const added = writer.add(chunks(1)[0]);
  await store.commit(batch({ entries: entries(5, 3, 2) }));
  resolve();
  await added;
  assertEquals((await writer.finish(logIndex(4))).baseIndex, logIndex(4));
});

Deno.test("finish() waits for the chunks under way, and fails if one of them does", async () => {
  for (const fails of [false, true]) {
    const { disk, store } = await filled();
    const { promise, resolve } = Promise.withResolvers<void>();
    disk.beforeChunk = () => promise;
    const writer = await store.snapshots.create(snapshotMeta(4, 2));
    const added = Promise.allSettled(chunks(2).map((chunk) => writer.add(chunk)));
    const finished = Promise.allSettled([writer.finish(logIndex(4))]);
    // A commit goes past all of it.
    await store.commit(batch({ entries: entries(5, 1, 2) }));
    assertEquals([disk.commits, store.snapshots.current], [3, null]);
    if (fails) disk.failNextChunk("before-landing");
    resolve();
    await added;
    const [{ status }] = await finished;
    assertEquals(status, fails ? "rejected" : "fulfilled");
    const { snapshot } = await store.open();
    assertEquals(snapshot, fails ? null : infoOf(snapshotMeta(4, 2), chunks(2)));
  }
});

for (const landed of [false, true]) {
  const what = landed ? "keeps" : "loses";
  Deno.test(`a power failure ${what} the commit on its way, which nobody was told of`, async () => {
    const { disk, store } = await filled();
    const { promise, resolve } = Promise.withResolvers<void>();
    let changes = 0;
    disk.onLanded = () => changes++;
    disk.beforeCommit = () => promise;
    const late = store.commit(batch({ hardState: hardState(3, "n3"), entries: entries(5, 1, 3) }));
    assertEquals(disk.hasPending, true);
    disk.crash(landed);
    assertEquals([disk.hasPending, changes], [false, landed ? 1 : 0]);
    resolve();
    await assertRejects(() => late, Fenced);
    disk.beforeCommit = null;
    const found = await new MemoryLogStore(disk, IDENTITY).open();
    assertEquals([found.damage, found.entries.length], [null, landed ? 5 : 4]);
    assertEquals(found.hardState.term, hardState(landed ? 3 : 2).term);
  });
}

Deno.test("a log with a flipped bit does not open", async () => {
  const { disk, store } = await filled();
  disk.corruptLog();
  assertEquals(disk.isLogCorrupt, true);
  await assertRejects(() => store.open(), CorruptLog);
});

Deno.test("a healed disk has room, and fails no more", async () => {
  const { disk, store } = await filled();
  disk.failNextCommit("before-landing");
  disk.fill();
  disk.heal();
  await store.commit(batch({ entries: entries(5, 1, 2) }));
  assertEquals(disk.entries.length, 5);
});

Deno.test("a chunk that is flipped as it comes in is found", async () => {
  const { disk, store } = await filled();
  const parts = chunks(2);
  disk.chunks.corruptNext();
  await assertRejects(
    () => received(store, infoOf(snapshotMeta(9, 2), parts), parts).then((it) => it.read(0)),
    CorruptSnapshot,
  );
});

Deno.test("putBack() makes one file an older one, or none, and the other tells", async () => {
  const { disk, store } = await filled();
  const old = disk.image();
  for (let i = 5; i <= 7; i++) await store.commit(batch({ entries: entries(i, 1, 2) }));
  const whole = disk.image();
  assertEquals([old.log.entries.length, whole.log.entries.length], [4, 7]);
  for (
    const { file, image, damage, left } of [
      { file: "log", image: old, damage: /commit 5 .* was acknowledged/, left: 4 },
      { file: "log", image: null, damage: /ends at index 0/, left: 0 },
      { file: "mark", image: old, damage: /a mark that was synced is lost/, left: 7 },
      { file: "mark", image: null, damage: /is missing/, left: 7 },
    ] as const
  ) {
    disk.putBack(file, image);
    const found = await store.open();
    assertMatch(found.damage!, damage);
    assertEquals([found.entries.length, found.hardState.term], [left, hardState(2).term]);
    assertEquals(found.incarnation, 1);
    disk.putBack("log", whole);
    disk.putBack("mark", whole);
    assertEquals((await store.open()).damage, null);
  }
});

Deno.test("a damaged log deletes no chunk before it is repaired", async () => {
  const { disk, store } = await filled();
  await snapshotted(store, snapshotMeta(4, 2), chunks(2), 4);
  disk.putBack("log", null);
  await store.open();
  await store.open();
  assertEquals(disk.chunks.snapshots, 1);
  await store.repaired();
  assertEquals(disk.chunks.snapshots, 0);
});

Deno.test("failOpening() fails so many openings, and no more", async () => {
  const { disk, store } = await filled();
  disk.failOpening(2, new Error("EIO"));
  for (let i = 0; i < 2; i++) await assertRejects(() => store.open(), Error, "EIO");
  assertEquals((await store.open()).entries.length, 4);
});
