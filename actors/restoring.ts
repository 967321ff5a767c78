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
  // The disk reads the next chunk while this one is taken in.
  const readAhead = (chunk: number) => {
    const reading = read(chunk);
    reading.catch(() => {}); // Whoever gives up before does not want to know.
    return reading;
  };
  let ahead = readAhead(0);
  for (let chunk = 0; chunk < chunks; chunk++) {
    const data = await ahead;
    if (chunk + 1 < chunks) ahead = readAhead(chunk + 1);
    reader.push(data);
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
