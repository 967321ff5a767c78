/**
 * A full disk: what the stores say, and the room that they keep for it. A real one cannot be had without
 * mounting something, so that the file system's own words are put in at the seams: the database's, as
 * SQLite says them (seen on a tmpfs of 6 MB), and the writing of files.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { GROUP_DEFAULT, logIndex } from "../../raft/types.ts";
import { type Disk, diskAt } from "../../storage/disk.ts";
import { KvLogStore } from "../../storage/kv_log_store.ts";
import { MemoryDisk, MemoryLogStore } from "../../storage/memory_log_store.ts";
import { RESERVE_BYTES } from "../../storage/limits.ts";
import { StorageFull } from "../../storage/types.ts";
import {
  batch,
  chunks,
  entries,
  IDENTITY,
  infoOf,
  OWNER,
  received,
  RESERVE_BYTES_TEST,
  snapshotMeta,
  snapshotted,
  withKv,
} from "./places.ts";

/** A disk that is full while told so: neither its databases nor new files find room. */
class FullDisk implements Disk {
  readonly marks: Disk["marks"];
  readonly reserve: Disk["reserve"];
  readonly #disk: Disk;
  full = false;
  /** Whether atomics that only delete find no room, though others do; and in which databases one did. */
  keepsGarbage = false;
  readonly kept = new Set<string>();

  constructor(directory: string) {
    this.#disk = diskAt(directory, GROUP_DEFAULT, RESERVE_BYTES_TEST);
    this.marks = this.#disk.marks;
    this.reserve = this.#disk.reserve;
  }

  async openKv(): Promise<Deno.Kv> {
    return this.#withFull("log", await this.#disk.openKv());
  }

  async openChunkKv(): Promise<Deno.Kv> {
    return this.#withFull("chunks", await this.#disk.openChunkKv!());
  }

  #withFull(name: string, kv: Deno.Kv): Deno.Kv {
    return withKv(kv, {
      atomic: () => {
        const atomic = kv.atomic();
        const commit = atomic.commit.bind(atomic);
        const set = atomic.set.bind(atomic);
        let sets = false;
        atomic.set = (...parts) => {
          sets = true;
          return set(...parts);
        };
        atomic.commit = () => {
          const keeps = this.keepsGarbage && !sets;
          if (keeps) this.kept.add(name);
          const isFull = this.full || keeps;
          return isFull ? Promise.reject(new TypeError("database or disk is full")) : commit();
        };
        return atomic;
      },
    });
  }
}

async function withDisk(
  act: (store: KvLogStore, disk: FullDisk, path: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "kvorum-reserve-" });
  const disk = new FullDisk(directory);
  const store = new KvLogStore(disk, OWNER);
  try {
    await store.open();
    await act(store, disk, `${directory}/reserve.${GROUP_DEFAULT}`);
  } finally {
    await store.close();
    await Deno.remove(directory, { recursive: true });
  }
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Makes writes to files fail as on a full disk after so many bytes. */
async function withFullFiles(bytesLeft: number, act: () => Promise<void>): Promise<void> {
  const { write } = Deno.FsFile.prototype;
  let left = bytesLeft;
  Deno.FsFile.prototype.write = function (bytes) {
    left -= bytes.length;
    return left < 0
      ? Promise.reject(new Error("No space left on device (os error 28)"))
      : write.call(this, bytes);
  };
  try {
    await act();
  } finally {
    Deno.FsFile.prototype.write = write;
  }
}

Deno.test("open() makes the reserve, of bytes that are no hole", () =>
  withDisk(async (store, _, path) => {
    assertEquals([store.reserve.released, await sizeOf(path)], [false, RESERVE_BYTES_TEST]);
    assertEquals(await store.reserve.restore(), true);
    assertEquals(new Set(await Deno.readFile(path)).size, 256);
  }));

const WRITES: Readonly<Record<string, (store: KvLogStore) => Promise<unknown>>> = {
  "commit()": (store) => store.commit(batch({ entries: entries(6, 1) })),
  "a chunk": async (store) => {
    const writer = await store.snapshots.create(snapshotMeta(5));
    await writer.add(chunks(1)[0]);
  },
  "a snapshot on its way in": (store) =>
    store.snapshots.receive(infoOf(snapshotMeta(9), chunks(2))),
  "quarantine()": (store) => store.quarantine("x"),
};

for (const [name, write] of Object.entries(WRITES)) {
  Deno.test(`a full disk is StorageFull for ${name}, and the reserve is released`, () =>
    withDisk(async (store, disk, path) => {
      await store.commit(batch({ entries: entries(1, 5) }));
      disk.full = true;
      await assertRejects(() => write(store), StorageFull);
      assertEquals([store.reserve.released, await sizeOf(path)], [true, null]);
      // Its room makes the next opening and commit possible; so soon it does not come back.
      disk.full = false;
      await withFullFiles(RESERVE_BYTES_TEST, async () => {
        assertEquals((await store.open()).entries, entries(1, 5));
        assertEquals(store.reserve.released, true);
        await store.commit(batch({ entries: entries(6, 1) }));
        assertEquals(await store.reserve.restore(), false);
        assertEquals([await sizeOf(path), await sizeOf(`${path}.new`)], [null, null]);
      });
      assertEquals(await store.reserve.restore(), true);
      assertEquals([store.reserve.released, await sizeOf(path)], [false, RESERVE_BYTES_TEST]);
      await store.commit(batch({ entries: entries(7, 1) }));
      assertEquals((await store.open()).entries, entries(1, 7));
    }));
}

Deno.test("a disk that is full for the switch to a snapshot leaves the old one", () =>
  withDisk(async (store, disk) => {
    await store.commit(batch({ entries: entries(1, 20) }));
    const { info } = await snapshotted(store, snapshotMeta(5), chunks(2));
    const writer = await store.snapshots.create(snapshotMeta(10));
    await writer.add(chunks(1)[0]);
    disk.full = true;
    await assertRejects(() => writer.finish(logIndex(10)), StorageFull);
    await assertRejects(() => store.commit(batch({ entries: entries(21, 1) })), Error, "anew");
    disk.full = false;
    const found = await store.open();
    assertEquals([found.snapshot, found.entries], [info, entries(found.baseIndex + 1, 20)]);
    const receiver = await received(store, infoOf(snapshotMeta(40), chunks(2)), chunks(2));
    disk.full = true;
    await assertRejects(() => receiver.install(false), StorageFull);
    disk.full = false;
    assertEquals((await store.open()).snapshot, info);
  }));

Deno.test("garbage that cannot be deleted on a full disk does not cost the reserve", () =>
  withDisk(async (store, disk, path) => {
    await store.commit(batch({ entries: entries(1, 5) }));
    await store.commit(batch({ entries: entries(6, 5) }));
    disk.keepsGarbage = true;
    for (const index of [5, 7, 10]) {
      await snapshotted(store, snapshotMeta(index), chunks(2));
      await store.garbageSettled();
    }
    assertEquals([...disk.kept].toSorted(), ["chunks", "log"]);
    // Nobody would hear of it, and so nobody would make it again.
    assertEquals([store.reserve.released, await sizeOf(path)], [false, RESERVE_BYTES_TEST]);
    await store.commit(batch({ entries: entries(11, 1) }));
    disk.keepsGarbage = false;
    assertEquals((await store.open()).entries, entries(11, 1));
  }));

Deno.test("open() on a full disk gives the reserve up and goes on", () =>
  withDisk(async (store, disk, path) => {
    await store.commit(batch({ entries: entries(1, 5) }));
    await store.close();
    const { remove } = Deno;
    disk.full = true;
    // Room appears when the reserve goes.
    Deno.remove = async (target, options) => {
      await remove(target, options);
      if (target === path) disk.full = false;
    };
    try {
      await withFullFiles(0, async () => {
        assertEquals((await store.open()).entries, entries(1, 5));
      });
    } finally {
      Deno.remove = remove;
    }
    assert(store.reserve.released);
    disk.full = true;
    await assertRejects(() => store.open(), StorageFull);
    disk.full = false;
  }));

Deno.test("open() removes a reserve that was not finished, and takes a cut one for none", () =>
  withDisk(async (store, _, path) => {
    await Deno.writeFile(`${path}.new`, new Uint8Array(10));
    await Deno.truncate(path, 10);
    await store.open();
    assertEquals([await sizeOf(path), await sizeOf(`${path}.new`)], [RESERVE_BYTES_TEST, null]);
  }));

Deno.test("no reserve where there is no directory, or none is wanted", async () => {
  for (const disk of [diskAt(":memory:", GROUP_DEFAULT), diskAt("x", GROUP_DEFAULT, 0)]) {
    assertEquals(disk.reserve, null);
  }
  const store = new KvLogStore(diskAt(":memory:", GROUP_DEFAULT), OWNER);
  assertEquals([store.reserve.released, await store.reserve.restore()], [false, true]);
});

Deno.test("memory twin: a disk that fills up, the reserve, and room again", async () => {
  const disk = new MemoryDisk();
  const store = new MemoryLogStore(disk, IDENTITY);
  await store.open();
  await store.commit(batch({ entries: entries(1, 100, 1, 1000) }));
  disk.fill(10_000);
  await store.commit(batch({ entries: entries(101, 1) }));
  const large = batch({ entries: entries(102, 100, 1, 1000) });
  await assertRejects(() => store.commit(large), StorageFull);
  assertEquals(store.reserve.released, true);
  assertEquals((await store.open()).entries.length, 101);
  assertEquals(store.reserve.released, true);
  await store.commit(large);
  assertEquals(await store.reserve.restore(), false);
  // Compaction makes room, but not for the reserve and as much again.
  await snapshotted(store, snapshotMeta(201), chunks(1), 201);
  assertEquals(await store.reserve.restore(), false);
  disk.enlarge();
  assertEquals([await store.reserve.restore(), store.reserve.released], [true, false]);
  disk.fill();
  await assertRejects(() => snapshotted(store, snapshotMeta(201), chunks(1)), StorageFull);
  assert(disk.usedBytes < RESERVE_BYTES);
  await store.open();
  disk.fill();
  await assertRejects(() => store.open(), StorageFull);
});
