/**
 * From a snapshot's chunks, wherever they are read, to the store that they hold: in slices, so that
 * nothing else waits for it.
 *
 * @module
 */
import { MalformedSnapshot, SnapshotReader } from "../kv/snapshot_reader.ts";
import type { Store } from "../kv/store.ts";
import type { SnapshotInfo } from "../raft/types.ts";

/**
 * Builds the store. `breathe` is awaited after each chunk.
 *
 * @throws {MalformedSnapshot} if the chunks are not a whole snapshot of that position, or the state in
 * them has not the hash that it is said to have; and what `read` throws.
 */
export async function restoreStore(
  { chunks, meta }: SnapshotInfo,
  read: (chunk: number) => Promise<Uint8Array>,
  breathe: () => Promise<void>,
): Promise<Store> {
  const reader = new SnapshotReader();
  for (let chunk = 0; chunk < chunks; chunk++) {
    reader.push(await read(chunk));
    await breathe();
  }
  const store = reader.finish();
  if (store.index !== meta.index || store.timeMs !== meta.timeMs) {
    throw new MalformedSnapshot(
      `Cannot restore snapshot of index ${meta.index} and time ${meta.timeMs}: its state is of ` +
        `${store.index} and ${store.timeMs}`,
    );
  }
  return store;
}
