/**
 * Snapshots under real processes: a receiver killed in the middle, and the room that a directory takes
 * in the long run.
 *
 * @module
 */
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { CHUNK_FILE_NAME, KV_FILE_NAME } from "../../storage/disk.ts";
import type { KvLogStore } from "../../storage/kv_log_store.ts";
import { startChild } from "./children.ts";
import { withDirectory } from "./directory.ts";
import {
  batch,
  entries,
  infoOf,
  readAll,
  RECEIVED_CHUNKS,
  RECEIVED_META,
  reread,
  RESERVE_BYTES_TEST,
  snapshotMeta,
  snapshotted,
  storeAt,
} from "./places.ts";
import { hasStrace, syncsIn, tracer } from "./syncs.ts";

function nextOf(line: string | null): number | null {
  const match = /^next (\d+)$/.exec(line ?? "");
  return match === null ? null : Number(match[1]);
}

Deno.test("a receiver killed again and again goes on where it was, and installs the whole", async () => {
  await withDirectory(async (directory) => {
    let acknowledged = 0;
    let kills = 0;
    for (let installed = false; !installed;) {
      const child = startChild("./receiver_child.ts", directory);
      const first = nextOf(await child.nextLine())!;
      // At most the chunk whose acknowledgement was not heard is there besides.
      assert(first === acknowledged || first === acknowledged + 1, `${first}, ${acknowledged}`);
      const killAt = first + 40;
      acknowledged = first;
      for (let line = await child.nextLine(); line !== null; line = await child.nextLine()) {
        acknowledged = nextOf(line) ?? acknowledged;
        installed ||= line === "installed";
        if (acknowledged === killAt) child.process.kill("SIGKILL");
      }
      await child.ended();
      if (!installed) kills++;
    }
    assertGreater(kills, 2);
    const store = storeAt(directory);
    const { snapshot, baseIndex } = await store.open();
    assertEquals(snapshot, infoOf(RECEIVED_META, RECEIVED_CHUNKS));
    assertEquals(baseIndex, RECEIVED_META.index);
    assertEquals(await readAll(store, snapshot!), RECEIVED_CHUNKS);
    await store.close();
  });
});

/** Bytes of log between two snapshots, and of a snapshot. */
const THRESHOLD_BYTES = 2 * 1024 * 1024;
const SNAPSHOT_CHUNKS = 20;
const CHUNK_BYTES = 50_000;
const COMMIT_ENTRIES = 40;
const ENTRY_BYTES = 1000;
const ROUNDS = 10;

/** Writes as much as a threshold comes to, and then takes a snapshot and cuts the log off. */
async function writeRound(store: KvLogStore, round: number, last: number): Promise<number> {
  for (let bytes = 0; bytes < THRESHOLD_BYTES; bytes += COMMIT_ENTRIES * ENTRY_BYTES) {
    await store.commit(batch({ entries: entries(last + 1, COMMIT_ENTRIES, 1, ENTRY_BYTES) }));
    last += COMMIT_ENTRIES;
  }
  const contents = Array.from(
    { length: SNAPSHOT_CHUNKS },
    (_, i) => crypto.getRandomValues(new Uint8Array(CHUNK_BYTES)).fill(round, 0, i + 1),
  );
  await snapshotted(store, snapshotMeta(last), contents, last - COMMIT_ENTRIES);
  await store.garbageSettled();
  return last;
}

async function bytesIn(directory: string): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {};
  for await (const { name } of Deno.readDir(directory)) {
    const base = name.replace(/-(wal|shm)$/, "");
    sizes[base] = (sizes[base] ?? 0) + (await Deno.stat(`${directory}/${name}`)).size;
  }
  return sizes;
}

Deno.test("ten times the snapshot threshold leaves the directory no larger than two", async () => {
  await withDirectory(async (directory) => {
    const store = storeAt(directory);
    await store.open();
    let last = 0;
    const sizes: Record<string, number>[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      last = await writeRound(store, round, last);
      sizes.push(await bytesIn(directory));
    }
    await store.close();
    // SQLite's write-ahead log is cut off at 1000 pages, and goes on a little in a large commit.
    const walBytes = 6 * 1024 * 1024;
    const snapshotBytes = SNAPSHOT_CHUNKS * CHUNK_BYTES;
    const { [KV_FILE_NAME]: log, [CHUNK_FILE_NAME]: chunkFile } = sizes.at(-1)!;
    assertLess(log, 1.5 * THRESHOLD_BYTES + walBytes);
    // The one before stays until the switch.
    assertLess(chunkFile, 2.5 * snapshotBytes + walBytes);
    // From the third round on nothing grows any more: what is deleted is used again.
    const grown = (name: string) => sizes.at(-1)![name] - sizes[2][name];
    assertLess(grown(KV_FILE_NAME), THRESHOLD_BYTES / 4);
    assertLess(grown(CHUNK_FILE_NAME), snapshotBytes / 4);
    assertEquals(sizes.at(-1)!["reserve.0"], RESERVE_BYTES_TEST);
    const found = await reread(store);
    assertEquals([found.baseIndex, found.entries.length], [last - COMMIT_ENTRIES, COMMIT_ENTRIES]);
  });
});

Deno.test({
  name: "what is said of a snapshot is synced before: its chunks, then the switch, then the mark",
  ignore: !await hasStrace(),
  fn: () =>
    withDirectory(async (directory) => {
      const trace = `${directory}/trace`;
      const child = startChild("./snapshot_child.ts", directory, [], tracer(trace));
      assertEquals(await child.ended(), 0);
      const names = syncsIn(await Deno.readTextFile(trace)).map((files) =>
        [...new Set(files)].filter((name) => /-wal$|mark/.test(name)).join(" ")
      );
      const [chunk, log] = [`${CHUNK_FILE_NAME}-wal`, `${KV_FILE_NAME}-wal mark.0`];
      assertEquals(names, [chunk, chunk, log, chunk, chunk, chunk, log, log]);
    }),
});
