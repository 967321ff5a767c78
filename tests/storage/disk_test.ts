/**
 * Places to open, and the errors of SQLite told apart.
 *
 * @module
 */
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { GROUP_DEFAULT, groupId } from "../../raft/types.ts";
import { CHUNKS_NONE, encodeChunk, endAfter } from "../../storage/chunk_codec.ts";
import {
  CHUNK_FILE_NAME,
  type Disk,
  diskAt,
  KV_FILE_NAME,
  refuseVolatileKv,
} from "../../storage/disk.ts";
import { storageError, whileBusy } from "../../storage/kv_error.ts";
import { KvLogStore, openKvLogStore } from "../../storage/kv_log_store.ts";
import { decodeState, encodeState } from "../../storage/record_codec.ts";
import { encodeStored } from "../../storage/snapshot_record.ts";
import { CorruptLog, CorruptSnapshot, Fenced, StorageFull } from "../../storage/types.ts";
import { withDirectory } from "./directory.ts";
import {
  batch,
  chunks,
  entries,
  IDENTITY,
  infoOf,
  OWNER,
  reread,
  snapshotMeta,
  snapshotted,
  storeAt,
  withKv,
} from "./places.ts";

Deno.test("refuseVolatileKv() refuses the one value that makes Deno forget", () => {
  assertThrows(() => refuseVolatileKv("memory"), Error, "DENO_KV_DB_MODE");
  for (const harmless of [undefined, "", "disk"]) refuseVolatileKv(harmless);
});

Deno.test("openKvLogStore() at :memory: forgets with its handle", async () => {
  const store = openKvLogStore({ directory: ":memory:", ...OWNER });
  await store.open();
  await store.commit(batch({ entries: entries(1, 2) }));
  assertEquals((await reread(store)).entries, []);
});

Deno.test("groups share a directory and nothing else", async () => {
  await withDirectory(async (directory) => {
    const stores = ["0", "1"].map((group) =>
      openKvLogStore({ directory, group: groupId(group), identity: IDENTITY, reserveBytes: 0 })
    );
    for (const [i, store] of stores.entries()) {
      await store.open();
      await store.commit(batch({ entries: entries(1, i + 1) }));
    }
    for (const [i, store] of stores.entries()) {
      const found = await store.open();
      assertEquals([found.entries.length, found.boot, found.damage], [i + 1, 2, null]);
      await store.close();
    }
  });
});

Deno.test("open() refuses a file that is no database, and holds nothing open", async () => {
  await withDirectory(async (directory) => {
    await Deno.writeTextFile(`${directory}/${KV_FILE_NAME}`, "no database ".repeat(1000));
    await assertRejects(() => storeAt(directory).open(), CorruptLog);
  });
});

Deno.test("open() refuses where the directory is a file", async () => {
  await withDirectory(async (directory) => {
    await Deno.writeTextFile(`${directory}/x`, "");
    await assertRejects(() => openKvLogStore({ directory: `${directory}/x`, ...OWNER }).open());
  });
});

Deno.test("open() refuses values and keys in the log that are not its own", async () => {
  const strange: [Deno.KvKey, unknown][] = [
    [["raft", "0", "log", 0, 3, 0], "text"],
    [["raft", "0", "log", 0, 3, 0], new Uint8Array(100)],
    [["raft", "0", "log", 0, "x", 0], new Uint8Array(1)],
    [["raft", "0", "log", 0, 1n, 0], new Uint8Array(1)],
    [["raft", "0", "log", 0, 1, 0, 0], new Uint8Array(1)],
    [["raft", "0", "log", 3, 0], new Uint8Array(1)],
    [["raft", "0", "log", 1, 1, 0], new Uint8Array(1)],
    [["raft", "0", "log", 0, 1, 1], new Uint8Array(1)],
    [["raft", "0", "log", 0, 1.5, 0], new Uint8Array(1)],
    [["raft", "0", "state"], 5],
    [["raft", "0", "snapshot"], "text"],
    [["raft", "0", "snapshot"], new Uint8Array(40)],
    [["raft", "0", "quarantine"], new Uint8Array(40)],
    [["raft", "0", "boot"], new Uint8Array(11)],
    [["raft", "0", "identity"], {}],
    [["raft", "0", "peers"], new Uint8Array(7)],
  ];
  for (const [key, value] of strange) {
    await withDirectory(async (directory) => {
      const store = storeAt(directory);
      await store.open();
      await store.commit(batch({ entries: entries(1, 2) }));
      await store.close();
      const kv = await diskAt(directory, GROUP_DEFAULT).openKv();
      await kv.set(key, value);
      kv.close();
      await assertRejects(() => store.open(), CorruptLog);
      await assertRejects(() => store.commit(batch({ entries: entries(3, 1) })), Error, "closed");
    });
  }
});

Deno.test("open() refuses a log that ends where its state says, but with other entries", async () => {
  await withDirectory(async (directory) => {
    const store = storeAt(directory);
    await store.open();
    await store.commit(batch({ entries: entries(1, 2) }));
    await store.close();
    const kv = await diskAt(directory, GROUP_DEFAULT).openKv();
    const key = ["raft", "0", "state"];
    const state = decodeState((await kv.get<Uint8Array>(key)).value!);
    const { end } = state;
    const chain = { ...end.chain, low: (end.chain.low ^ 1) >>> 0 };
    await kv.set(key, encodeState({ ...state, end: { ...end, chain } }));
    kv.close();
    await assertRejects(() => store.open(), CorruptLog, "its state says 2 with");
  });
});

Deno.test("open() refuses a gap between the snapshot and the log", async () => {
  const other = { serial: 9, info: infoOf(snapshotMeta(7), chunks(1)) };
  const beyond = { serial: 9, info: infoOf(snapshotMeta(31), chunks(1)) };
  for (const record of [null, encodeStored(other), encodeStored(beyond)]) {
    await withDirectory(async (directory) => {
      const store = storeAt(directory);
      await store.open();
      for (const first of [1, 11, 21]) await store.commit(batch({ entries: entries(first, 10) }));
      await snapshotted(store, snapshotMeta(15), chunks(2), 10);
      await store.close();
      const kv = await diskAt(directory, GROUP_DEFAULT).openKv();
      await (record === null
        ? kv.delete(["raft", "0", "snapshot"])
        : kv.set(["raft", "0", "snapshot"], record));
      kv.close();
      await assertRejects(() => store.open(), CorruptLog, "its snapshot is at");
    });
  }
});

Deno.test("chunks that are gone are CorruptSnapshot when they are read, and the log is whole", async () => {
  await withDirectory(async (directory) => {
    const store = storeAt(directory);
    await store.open();
    await store.commit(batch({ entries: entries(1, 10) }));
    const { info } = await snapshotted(store, snapshotMeta(10), chunks(2), 0);
    await store.close();
    await Deno.remove(`${directory}/${CHUNK_FILE_NAME}`);
    assertEquals((await store.open()).entries, entries(1, 10));
    await assertRejects(() => store.snapshots.read(info, 0), CorruptSnapshot, "missing");
    // A chunk that another snapshot left under this one's number is not taken for it.
    const chunkKv = await diskAt(directory, GROUP_DEFAULT).openChunkKv!();
    const foreign = encodeChunk(1, endAfter(CHUNKS_NONE, chunks(1, 5)[0]), chunks(1, 6)[0]);
    await chunkKv.set(["raft", "0", "chunk", 1, 1], foreign);
    chunkKv.close();
    await assertRejects(() => store.snapshots.read(info, 1), CorruptSnapshot, "another's");
    await store.close();
  });
});

Deno.test("an opening that was overtaken between the two fences is fenced off", async () => {
  await withDirectory(async (directory) => {
    const disk = diskAt(directory, GROUP_DEFAULT, 0);
    const rival = storeAt(directory);
    let overtaken = false;
    const slow: Disk = {
      openKv: async () => {
        const kv = await disk.openKv();
        return withKv(kv, {
          atomic: () => {
            const atomic = kv.atomic();
            const commit = atomic.commit.bind(atomic);
            atomic.commit = async () => {
              const result = await commit();
              if (!overtaken) {
                overtaken = true;
                await rival.open();
              }
              return result;
            };
            return atomic;
          },
        });
      },
      openChunkKv: () => disk.openChunkKv!(),
      marks: disk.marks,
      reserve: null,
    };
    await assertRejects(() => new KvLogStore(slow, OWNER).open(), Fenced);
    // The one that overtook it has not even noticed.
    await rival.commit(batch({ entries: entries(1, 5) }));
    const { info } = await snapshotted(rival, snapshotMeta(5), chunks(2));
    assertEquals((await reread(rival)).snapshot, info);
  });
});

Deno.test("storageError() tells a full disk and a damaged file from other errors", () => {
  const cases: [string, typeof StorageFull | typeof CorruptLog][] = [
    ["database or disk is full", StorageFull],
    ["No space left on device (os error 28)", StorageFull],
    ["database disk image is malformed", CorruptLog],
    ["file is not a database", CorruptLog],
    ["malformed database schema (kv)", CorruptLog],
    ["no such table: data_version", CorruptLog],
    ["Invalid column type Null at index: 0, name: version", CorruptLog],
  ];
  for (const [message, expected] of cases) {
    const cause = new TypeError(message);
    const error = storageError(cause, "write the log");
    assertInstanceOf(error, expected);
    assertStrictEquals((error as Error).cause, cause);
    assert((error as Error).message.startsWith("Cannot write the log"));
  }
  for (const error of [new Fenced("x"), new TypeError("disk I/O error"), "text"]) {
    assertStrictEquals(storageError(error, "write the log"), error);
  }
});

Deno.test("whileBusy() waits for a lock, and for nothing else", async () => {
  let calls = 0;
  const result = await whileBusy(() =>
    ++calls < 3 ? Promise.reject(new TypeError("database is locked")) : Promise.resolve(calls)
  );
  assertEquals(result, 3);
  calls = 0;
  await assertRejects(() => whileBusy(() => (calls++, Promise.reject(new Error("other")))), Error);
  assertEquals(calls, 1);
});
