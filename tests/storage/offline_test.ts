/**
 * What is done to the data of a node that is not running.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { encodeConfiguration } from "../../raft/configuration_codec.ts";
import { EntryKind, GROUP_DEFAULT, logIndex, nodeId, term } from "../../raft/types.ts";
import { CHUNK_FILE_NAME, KV_FILE_NAME } from "../../storage/disk.ts";
import type { KvLogStore } from "../../storage/kv_log_store.ts";
import {
  DataPresent,
  describeData,
  forceNewCluster,
  foundFromSnapshot,
  NoData,
} from "../../storage/offline.ts";
import { Fenced, WrongIdentity } from "../../storage/types.ts";
import { withDirectory } from "./directory.ts";
import {
  batch,
  chunks,
  entries,
  entry,
  hardState,
  IDENTITY,
  infoOf,
  readAll,
  received,
  reread,
  snapshotMeta,
  snapshotted,
  storeAt,
} from "./places.ts";

const MARK_NAME = `mark.${GROUP_DEFAULT}`;
const NEW_IDENTITY = { clusterId: "a new cluster", nodeId: IDENTITY.nodeId };
const ADDRESS = { id: nodeId("n1"), url: "http://127.0.0.1:8000", peer: "127.0.0.1:9000" };
const SOLE = {
  voters: [nodeId("n1")],
  votersOutgoing: [],
  learners: [],
  promoting: [],
  addresses: [{ ...ADDRESS, since: logIndex(21) }],
};

/** A store with 20 entries and a snapshot at 10, closed again. */
async function filled(
  directory: string,
  besides: (store: KvLogStore) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const store = storeAt(directory);
  await store.open();
  await store.commit(batch({ hardState: hardState(4, "n2", 15), entries: entries(1, 10, 3) }));
  await store.commit(batch({ entries: entries(11, 10, 3) }));
  await snapshotted(store, snapshotMeta(10, 3), chunks(3), 10);
  await besides(store);
  await store.close();
}

async function filesOf(directory: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for await (const { name } of Deno.readDir(directory)) {
    files.set(name, await Deno.readFile(`${directory}/${name}`));
  }
  return files;
}

Deno.test("describeData() says what is there, and takes no fence", async () => {
  await withDirectory(async (directory) => {
    await filled(directory);
    const running = storeAt(directory);
    await running.open();
    assertEquals(await describeData(directory), {
      identity: IDENTITY,
      boot: 2,
      hardState: hardState(4, "n2", 15),
      baseIndex: snapshotMeta(10).index,
      baseTerm: term(3),
      lastIndex: snapshotMeta(20).index,
      lastTerm: term(3),
      snapshot: infoOf(snapshotMeta(10, 3), chunks(3)),
      configuration: snapshotMeta(10).configuration,
      lastTimeMs: entry(20).timeMs,
      damage: null,
    });
    const configuration = { ...entry(21, 4), kind: EntryKind.Configuration };
    const data = encodeConfiguration(SOLE);
    await running.commit(batch({ entries: [{ ...configuration, data }, entry(22, 4)] }));
    assertEquals((await describeData(directory)).configuration, SOLE);
    await running.commit(batch({ truncateFrom: 21 }));
    assertEquals((await describeData(directory)).configuration, snapshotMeta(10).configuration);
    await running.close();
  });
});

Deno.test("describeData() says what is missing", async () => {
  await withDirectory(async (directory) => {
    await filled(directory, (store) => store.quarantine("its hash differs"));
    const described = await describeData(directory);
    assertEquals(described.damage, "its hash differs");
    assertEquals([described.snapshot, described.lastTimeMs, described.configuration], [
      null,
      null,
      null,
    ]);
    await Deno.remove(`${directory}/${MARK_NAME}`);
    assert((await describeData(directory)).damage !== null);
  });
});

Deno.test("there is nothing to describe or to force where no node has been", async () => {
  await withDirectory(async (directory) => {
    const missing = `${directory}/missing`;
    for (const path of [directory, missing]) {
      await assertRejects(() => describeData(path), NoData);
      const options = { directory: path, nodeId: nodeId("n1"), clusterId: "x", address: ADDRESS };
      await assertRejects(() => forceNewCluster(options), NoData);
    }
    assertEquals((await filesOf(directory)).size, 0);
    const kv = await Deno.openKv(`${directory}/${KV_FILE_NAME}`);
    kv.close();
    await assertRejects(() => describeData(directory), NoData, "nobody");
  });
});

async function* from(list: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of list) yield await Promise.resolve(chunk);
}

const FOUNDING = { identity: NEW_IDENTITY, meta: snapshotMeta(70, 6) };

Deno.test("foundFromSnapshot() makes data whose state is the snapshot", async () => {
  await withDirectory(async (root) => {
    for (const directory of [root, `${root}/a/b`]) {
      const info = await foundFromSnapshot({ directory, ...FOUNDING, chunks: from(chunks(5)) });
      assertEquals(info, infoOf(snapshotMeta(70, 6), chunks(5)));
      assertEquals((await describeData(directory)).damage, null);
      const store = storeAt(directory, NEW_IDENTITY);
      const found = await store.open();
      const { incarnation } = found;
      assertEquals(found, {
        hardState: hardState(6, null, 70),
        baseIndex: info.meta.index,
        baseTerm: info.meta.term,
        entries: [],
        snapshot: info,
        incarnation,
        peers: new Map(),
        boot: 2,
        damage: null,
      });
      assertEquals(await readAll(store, info), chunks(5));
      await store.commit(batch({ entries: entries(71, 3, 7) }));
      await snapshotted(store, snapshotMeta(73, 7), chunks(2), 73);
      assertEquals((await store.open()).damage, null);
      await store.close();
    }
  });
});

Deno.test("foundFromSnapshot() refuses a directory that holds data, and leaves it alone", async () => {
  await withDirectory(async (directory) => {
    await filled(directory);
    const before = await describeData(directory);
    const options = { directory, ...FOUNDING };
    const found = () => foundFromSnapshot({ ...options, chunks: from(chunks(5)) });
    await assertRejects(found, DataPresent);
    assertEquals(await describeData(directory), before);
    assertEquals((await reread(storeAt(directory))).entries, entries(11, 10, 3));
    // The mark alone remembers votes.
    await Deno.remove(`${directory}/${KV_FILE_NAME}`);
    await assertRejects(found, DataPresent);
  });
});

Deno.test("foundFromSnapshot() leaves nothing behind when it fails", async () => {
  await withDirectory(async (root) => {
    const failing = async function* () {
      yield* chunks(2);
      await Promise.resolve();
      throw new Error("the file is cut short");
    };
    const cases: [() => AsyncIterable<Uint8Array>, string][] = [
      [failing, "cut short"],
      [() => from([]), "no chunk"],
      [() => from([new Uint8Array(70_000)]), "70000 bytes"],
    ];
    for (const [contents, message] of cases) {
      for (const directory of [root, `${root}/new`]) {
        const options = { directory, ...FOUNDING, chunks: contents() };
        await assertRejects(() => foundFromSnapshot(options), Error, message);
      }
      assertEquals((await filesOf(root)).size, 0);
    }
    await foundFromSnapshot({ directory: root, ...FOUNDING, chunks: from(chunks(1)) });
  });
});

Deno.test("foundFromSnapshot() begins anew over what a crash of it has left", async () => {
  await withDirectory(async (directory) => {
    // Chunks without the record that makes them anybody's.
    for (const name of [KV_FILE_NAME, CHUNK_FILE_NAME]) {
      const kv = await Deno.openKv(`${directory}/${name}`);
      if (name === CHUNK_FILE_NAME) await kv.set(["raft", "0", "chunk", 1, 7], new Uint8Array(9));
      kv.close();
    }
    const info = await foundFromSnapshot({ directory, ...FOUNDING, chunks: from(chunks(2)) });
    const store = storeAt(directory, NEW_IDENTITY);
    await store.open();
    assertEquals(await readAll(store, info), chunks(2));
    await store.close();
  });
});

function force(directory: string) {
  const { clusterId } = NEW_IDENTITY;
  return forceNewCluster({ directory, nodeId: nodeId("n1"), clusterId, address: ADDRESS });
}

Deno.test("forceNewCluster() appends the sole voter in a later term, and keeps the rest", async () => {
  await withDirectory(async (directory) => {
    await filled(directory);
    const forced = await force(directory);
    assertEquals(forced, { index: snapshotMeta(21).index, term: term(5), damage: null });
    await assertRejects(() => storeAt(directory).open(), WrongIdentity);
    const found = await reread(storeAt(directory, NEW_IDENTITY));
    assertEquals(found.entries.slice(0, -1), entries(11, 10, 3));
    assertEquals(found.entries.at(-1), {
      index: snapshotMeta(21).index,
      term: term(5),
      timeMs: entry(20).timeMs,
      kind: EntryKind.Configuration,
      data: encodeConfiguration(SOLE),
    });
    assertEquals(found.hardState, hardState(5, null, 15));
    assertEquals(found.snapshot, infoOf(snapshotMeta(10, 3), chunks(3)));
    assertEquals([found.damage, found.boot], [null, 3]);
    assertEquals((await describeData(directory)).configuration, SOLE);
  });
});

Deno.test("forceNewCluster() fences off whoever has the data open", async () => {
  await withDirectory(async (directory) => {
    await filled(directory);
    const running = storeAt(directory);
    await running.open();
    await force(directory);
    await assertRejects(() => running.commit(batch({ entries: entries(21, 1, 4) })), Fenced);
    await running.close();
  });
});

Deno.test("forceNewCluster() says what is missing, and makes what is there the reference", async () => {
  await withDirectory(async (directory) => {
    await filled(directory);
    const mark = await Deno.readFile(`${directory}/${MARK_NAME}`);
    await Deno.remove(`${directory}/${MARK_NAME}`);
    assert((await force(directory)).damage !== null);
    assertEquals((await reread(storeAt(directory, NEW_IDENTITY))).damage, null);
    // A mark of the same node's earlier commits means a crash before the new one.
    await Deno.writeFile(`${directory}/${MARK_NAME}`, mark);
    assertEquals((await reread(storeAt(directory, NEW_IDENTITY))).damage, null);
  });
});

Deno.test("forceNewCluster() is all or nothing: a crash before its mark is not damage", async () => {
  await withDirectory(async (directory) => {
    await filled(directory, (store) => store.quarantine("its hash differs"));
    const store = storeAt(directory);
    await store.open();
    const info = infoOf(snapshotMeta(30, 6), chunks(2));
    await (await received(store, info, chunks(2))).install(false);
    await store.close();
    const old = await Deno.readFile(`${directory}/${MARK_NAME}`);
    assertEquals((await force(directory)).damage, "its hash differs");
    await Deno.writeFile(`${directory}/${MARK_NAME}`, old);
    const found = await reread(storeAt(directory, NEW_IDENTITY));
    assertEquals([found.damage, found.snapshot], [null, info]);
    assertEquals(found.entries.length, 1);
  });
});

Deno.test("forceNewCluster() refuses another's data, its own cluster id, and an empty log", async () => {
  await withDirectory(async (directory) => {
    await filled(directory);
    const before = await describeData(directory);
    const options = { directory, nodeId: nodeId("n1"), clusterId: "x", address: ADDRESS };
    const other = { ...options, nodeId: nodeId("n2") };
    await assertRejects(() => forceNewCluster(other), WrongIdentity);
    const same = { ...options, clusterId: IDENTITY.clusterId };
    await assertRejects(() => forceNewCluster(same), RangeError);
    assertEquals(await describeData(directory), before);
    const empty = `${directory}/empty`;
    await reread(storeAt(empty));
    await assertRejects(() => forceNewCluster({ ...options, directory: empty }), NoData);
  });
});
