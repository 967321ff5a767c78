/**
 * By what data are told from data that begin anew: kept with the mark, lost with the directory.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { nodeId } from "../../raft/types.ts";
import { KV_FILE_NAME } from "../../storage/disk.ts";
import { forceNewCluster, foundFromSnapshot } from "../../storage/offline.ts";
import { withDirectory } from "./directory.ts";
import { peersSuite } from "./peers_contract.ts";
import {
  batch,
  chunks,
  entries,
  IDENTITY,
  PLACE_KINDS,
  reread,
  snapshotMeta,
  storeAt,
} from "./places.ts";

for (const kind of PLACE_KINDS) peersSuite(kind);

const N2 = nodeId("n2");

/** Data with a few entries that remember n2; gives their incarnation. */
async function fill(directory: string): Promise<number> {
  const store = storeAt(directory);
  const { incarnation } = await store.open();
  await store.commit(batch({ entries: entries(1, 3) }));
  await store.rememberPeers(
    new Map([[N2, { incarnation: 7, boot: 1, since: 0, heldTerm: 0, heldIndex: 0 }]]),
  );
  await store.close();
  return incarnation;
}

async function removeFiles(directory: string, which: (name: string) => boolean): Promise<void> {
  for await (const { name } of Deno.readDir(directory)) {
    if (which(name)) await Deno.remove(`${directory}/${name}`);
  }
}

Deno.test("a database that is lost beside its mark is damage of the same incarnation", async () => {
  await withDirectory(async (directory) => {
    const incarnation = await fill(directory);
    await removeFiles(directory, (name) => name.startsWith(KV_FILE_NAME));
    const found = await reread(storeAt(directory));
    assertEquals([found.incarnation, found.entries, found.peers], [incarnation, [], new Map()]);
    assert(found.damage !== null);
  });
});

Deno.test("a mark that is lost beside its database is damage of the same incarnation", async () => {
  await withDirectory(async (directory) => {
    const incarnation = await fill(directory);
    await removeFiles(directory, (name) => name.startsWith("mark"));
    const found = await reread(storeAt(directory));
    assertEquals([found.incarnation, found.entries.length], [incarnation, 3]);
    assert(found.damage !== null);
  });
});

Deno.test("a directory that was lost begins as another incarnation", async () => {
  await withDirectory(async (directory) => {
    const incarnation = await fill(directory);
    await removeFiles(directory, () => true);
    const found = await reread(storeAt(directory));
    assertNotEquals(found.incarnation, incarnation);
    // Nothing but the incarnation shows that this node has had a life before.
    assertEquals([found.boot, found.damage, found.peers], [1, null, new Map()]);
  });
});

Deno.test("a directory whose mark and database are lost, but not its chunks, begins as another", async () => {
  await withDirectory(async (directory) => {
    const incarnation = await fill(directory);
    await removeFiles(
      directory,
      (name) => name.startsWith(KV_FILE_NAME) || name.startsWith("mark"),
    );
    const found = await reread(storeAt(directory));
    assertNotEquals(found.incarnation, incarnation);
    assertEquals(found.boot, 2);
  });
});

Deno.test("forceNewCluster() makes another incarnation that remembers nobody", async () => {
  await withDirectory(async (directory) => {
    const incarnation = await fill(directory);
    const address = { id: nodeId("n1"), url: "http://n1", peer: "n1:1" };
    const clusterId = "a new cluster";
    await forceNewCluster({ directory, nodeId: address.id, clusterId, address });
    const found = await reread(storeAt(directory, { ...IDENTITY, clusterId }));
    assertNotEquals(found.incarnation, incarnation);
    assertEquals([found.peers, found.damage], [new Map(), null]);
  });
});

Deno.test("foundFromSnapshot() makes another incarnation in each directory", async () => {
  const seen = new Set<number>();
  for (let i = 0; i < 2; i++) {
    await withDirectory(async (directory) => {
      const from = async function* () {
        yield* chunks(2);
      };
      await Deno.remove(directory);
      const meta = snapshotMeta(5);
      await foundFromSnapshot({ directory, identity: IDENTITY, meta, chunks: from() });
      const { incarnation } = await reread(storeAt(directory));
      assert(incarnation > 0);
      seen.add(incarnation);
    });
  }
  assertEquals(seen.size, 2);
});
