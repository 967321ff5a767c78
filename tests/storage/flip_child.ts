/**
 * A child that opens a damaged copy of a data directory, one after another, and prints what came of
 * each: `<number> whole`, `refused` or `damage`, or `silent` and why if it was none of these. A
 * child, because Deno KV's own housekeeping may panic on a malformed file and end the process.
 *
 * Arguments: directory with `images/` and `flips.json`, number of the first flip.
 *
 * @module
 */
import { equal } from "@std/assert";
import type { SnapshotInfo } from "../../raft/types.ts";
import { CorruptSnapshot, type LogStore, type Recovery } from "../../storage/types.ts";
import { type Flip, FLIP_CHUNKS, FLIP_ENTRIES, FLIP_HARD_STATE, FLIP_META } from "./flips.ts";
import { storeAt } from "./places.ts";

const [directory, start] = Deno.args;
const flips: Flip[] = JSON.parse(await Deno.readTextFile(`${directory}/flips.json`));

async function lay(target: string, flip: Flip): Promise<void> {
  const images = `${directory}/${flip.images}`;
  await Deno.mkdir(target);
  for await (const { name } of Deno.readDir(images)) {
    const bytes = await Deno.readFile(`${images}/${name}`);
    if (name === flip.file && flip.bit === "cut") {
      await Deno.writeFile(`${target}/${name}`, bytes.subarray(0, flip.at));
      continue;
    }
    if (name === flip.file) bytes[flip.at] ^= 1 << Number(flip.bit);
    await Deno.writeFile(`${target}/${name}`, bytes);
  }
}

/** Whether all chunks of the snapshot are there; null if one is another. */
async function judgeChunks(store: LogStore, info: SnapshotInfo): Promise<boolean | null> {
  for (const [i, chunk] of FLIP_CHUNKS.entries()) {
    try {
      if (!equal(await store.snapshots.read(info, i), chunk)) return null;
    } catch (error) {
      if (!(error instanceof CorruptSnapshot)) throw error;
      return false;
    }
  }
  return true;
}

async function judge(store: LogStore, found: Recovery): Promise<string> {
  const { baseIndex, entries, snapshot, hardState, damage } = found;
  const expected = FLIP_ENTRIES.slice(baseIndex);
  if (!equal(entries, expected.slice(0, entries.length))) return "silent: other entries";
  if (snapshot !== null && !equal(snapshot.meta, FLIP_META)) return "silent: another snapshot";
  const readable = snapshot === null ? true : await judgeChunks(store, snapshot);
  if (readable === null) return "silent: another chunk";
  if (damage !== null) {
    return hardState.term === FLIP_HARD_STATE.term ? "damage" : "silent: an older term";
  }
  if (entries.length < expected.length) return `silent: ${entries.length} entries`;
  if (!equal(hardState, FLIP_HARD_STATE)) return "silent: another hard state";
  if (snapshot === null) return "silent: no snapshot";
  return readable ? "whole" : "refused to read a chunk";
}

for (let i = Number(start); i < flips.length; i++) {
  const target = `${directory}/copy-${i}`;
  await lay(target, flips[i]);
  const store = storeAt(target);
  let outcome: string;
  try {
    outcome = await judge(store, await store.open());
  } catch (error) {
    outcome = `refused ${(error as Error).name}`;
  } finally {
    await store.close();
  }
  console.log(`${i} ${outcome}`);
  await Deno.remove(target, { recursive: true });
}
