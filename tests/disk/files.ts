/**
 * Damage to the files of a node that is down, as bytes.
 *
 * @module
 */
import { assert, assertGreater } from "@std/assert";
import { GROUP_DEFAULT } from "../../raft/types.ts";
import { CHUNK_FILE_NAME, KV_FILE_NAME, markFileName } from "../../storage/disk.ts";

export const MARK_NAME = markFileName(GROUP_DEFAULT);
/** The files of the log's database, and of the snapshots'. */
export const KV_FILES = [KV_FILE_NAME, `${KV_FILE_NAME}-wal`, `${KV_FILE_NAME}-shm`];
export const CHUNK_FILES = [CHUNK_FILE_NAME, `${CHUNK_FILE_NAME}-wal`, `${CHUNK_FILE_NAME}-shm`];
/** SQLite's write-ahead log: its header, and a frame with a page. */
const WAL_HEADER_BYTES = 32;
const WAL_FRAME_BYTES = 24 + 4096;

/** Some files of a directory, by name; those that are not there are left out. */
export async function read(
  directory: string,
  names: readonly string[],
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const name of names) {
    try {
      files.set(name, await Deno.readFile(`${directory}/${name}`));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return files;
}

/** Puts files in the place of those of these names. */
export async function replace(
  directory: string,
  names: readonly string[],
  files: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  await remove(directory, names);
  for (const [name, bytes] of files) await Deno.writeFile(`${directory}/${name}`, bytes);
}

/** Removes files, of which at least one must be there. */
export async function remove(directory: string, names: readonly string[]): Promise<void> {
  let removed = 0;
  for (const name of names) {
    try {
      await Deno.remove(`${directory}/${name}`);
      removed++;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  assertGreater(removed, 0, `${directory} has none of ${names}`);
}

/** Flips a bit in every place of some files where a text stands; it must stand somewhere. */
export async function flipText(
  directory: string,
  names: readonly string[],
  text: string,
): Promise<void> {
  const wanted = new TextEncoder().encode(text);
  let flipped = 0;
  for (const [name, bytes] of await read(directory, names)) {
    for (let at = find(bytes, wanted, 0); at >= 0; at = find(bytes, wanted, at + 1)) {
      bytes[at + 1] ^= 1;
      flipped++;
    }
    await Deno.writeFile(`${directory}/${name}`, bytes);
  }
  assertGreater(flipped, 0, `${directory}: ${text} stands in none of ${names}`);
}

/** Flips a bit in the frame of a write-ahead log that is so far from its end. */
export async function flipFrame(path: string, fromEnd: number): Promise<void> {
  const bytes = await Deno.readFile(path);
  const frames = Math.floor((bytes.length - WAL_HEADER_BYTES) / WAL_FRAME_BYTES);
  assert(frames > fromEnd, `${path} has ${frames} frames`);
  bytes[WAL_HEADER_BYTES + (frames - 1 - fromEnd) * WAL_FRAME_BYTES + 1000] ^= 1;
  await Deno.writeFile(path, bytes);
}

/** Cuts so many frames off the end of a write-ahead log. */
export async function cutFrames(path: string, count: number): Promise<void> {
  const { size } = await Deno.stat(path);
  assertGreater(size, WAL_HEADER_BYTES + count * WAL_FRAME_BYTES, path);
  await Deno.truncate(path, size - count * WAL_FRAME_BYTES);
}

/** Flips a bit in each slot of a mark. */
export async function flipMark(directory: string): Promise<void> {
  const path = `${directory}/${MARK_NAME}`;
  const bytes = await Deno.readFile(path);
  for (let at = 20; at < bytes.length; at += 4096) bytes[at] ^= 1;
  await Deno.writeFile(path, bytes);
}

function find(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  const last = bytes.length - wanted.length;
  for (let at = bytes.indexOf(wanted[0], from); at >= 0 && at <= last;) {
    if (wanted.every((byte, i) => bytes[at + i] === byte)) return at;
    at = bytes.indexOf(wanted[0], at + 1);
  }
  return -1;
}
