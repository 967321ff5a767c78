/**
 * Flipped bits and cut files: entries and snapshot come back whole, or the store refuses or reports
 * damage. Never is the log silently shorter, nor anything another.
 *
 * @module
 */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { GROUP_DEFAULT } from "../../raft/types.ts";
import { CHUNK_FILE_NAME, KV_FILE_NAME } from "../../storage/disk.ts";
import { startChild } from "./children.ts";
import {
  type Flip,
  FLIP_CHUNKS,
  FLIP_COMMIT_ENTRIES,
  FLIP_COMMITS_BEFORE,
  FLIP_ENTRIES,
  FLIP_HARD_STATE,
  FLIP_META,
} from "./flips.ts";
import { batch, snapshotted, storeAt } from "./places.ts";

const MARK_NAME = `mark.${GROUP_DEFAULT}`;
/** A frame of SQLite's write-ahead log: 24 bytes of header and a page. */
const WAL_HEADER_BYTES = 32;
const WAL_FRAME_BYTES = 24 + 4096;
const MARK_USED_BYTES = 170;

/** Writes the log and keeps the files twice: as a kill would leave them, and closed in good order. */
async function makeImages(directory: string): Promise<void> {
  const data = `${directory}/data`;
  const store = storeAt(data);
  await store.open();
  for (let at = 0; at < FLIP_ENTRIES.length; at += FLIP_COMMIT_ENTRIES) {
    const entries = FLIP_ENTRIES.slice(at, at + FLIP_COMMIT_ENTRIES);
    const last = at + FLIP_COMMIT_ENTRIES >= FLIP_ENTRIES.length;
    await store.commit(batch({ entries, hardState: last ? FLIP_HARD_STATE : undefined }));
    const commits = at / FLIP_COMMIT_ENTRIES + 1;
    if (commits === FLIP_COMMITS_BEFORE) await snapshotted(store, FLIP_META, FLIP_CHUNKS, 16);
  }
  await store.garbageSettled();
  await copy(data, `${directory}/open`);
  await store.close();
  await copy(data, `${directory}/closed`);
}

async function copy(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) {
    await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

/** `count` flips, evenly over the bytes from `start` to `end`, through all eight bits. */
function spread(
  base: Pick<Flip, "images" | "file">,
  start: number,
  end: number,
  count: number,
): Flip[] {
  return Array.from({ length: count }, (_, i) => ({
    ...base,
    at: Math.min(end - 1, start + Math.floor(i * (end - start) / count) + i % 7),
    bit: i % 8,
  }));
}

async function makeFlips(directory: string): Promise<Flip[]> {
  const bytesOf = async (path: string) => (await Deno.stat(`${directory}/${path}`)).size;
  const walName = `${KV_FILE_NAME}-wal`;
  const wal = { images: "open", file: walName } as const;
  const walBytes = await bytesOf(`open/${walName}`);
  const closed = { images: "closed", file: KV_FILE_NAME } as const;
  const closedBytes = await bytesOf(`closed/${KV_FILE_NAME}`);
  const chunkWal = `${CHUNK_FILE_NAME}-wal`;
  const chunkWalBytes = await bytesOf(`open/${chunkWal}`);
  const chunkBytes = await bytesOf(`closed/${CHUNK_FILE_NAME}`);
  const flips = [
    ...spread(wal, 0, WAL_HEADER_BYTES, 16),
    ...spread(wal, WAL_HEADER_BYTES, walBytes, 90),
    ...spread({ images: "open", file: KV_FILE_NAME }, 0, await bytesOf(`open/${KV_FILE_NAME}`), 30),
    ...spread(closed, 0, 100, 25),
    ...spread(closed, 100, closedBytes, 130),
    ...spread({ images: "open", file: chunkWal }, WAL_HEADER_BYTES, chunkWalBytes, 40),
    ...spread({ images: "closed", file: CHUNK_FILE_NAME }, 100, chunkBytes, 60),
  ];
  for (const images of ["open", "closed"] as const) {
    for (const slot of [0, 4096]) {
      flips.push(...spread({ images, file: MARK_NAME }, slot, slot + MARK_USED_BYTES, 15));
    }
    for (const at of [0, 100, 4096]) flips.push({ images, file: MARK_NAME, at, bit: "cut" });
  }
  const frames = Math.floor((walBytes - WAL_HEADER_BYTES) / WAL_FRAME_BYTES);
  for (let frame = 0; frame < frames; frame += Math.ceil(frames / 20)) {
    flips.push({ ...wal, at: WAL_HEADER_BYTES + frame * WAL_FRAME_BYTES, bit: "cut" });
  }
  for (const at of [0, 4096, closedBytes - 4096]) flips.push({ ...closed, at, bit: "cut" });
  return flips;
}

/** Runs all flips in children; a child that dies has refused that flip, and another goes on. */
async function runFlips(directory: string, count: number): Promise<string[]> {
  const outcomes: string[] = [];
  while (outcomes.length < count) {
    const child = startChild("./flip_child.ts", directory, [String(outcomes.length)]);
    for (let line = await child.nextLine(); line !== null; line = await child.nextLine()) {
      const [number, ...outcome] = line.split(" ");
      assertEquals(Number(number), outcomes.length, line);
      outcomes.push(outcome.join(" "));
    }
    const code = await child.ended();
    if (outcomes.length < count) {
      assert(code !== 0, `the child left ${count - outcomes.length} flips out`);
      outcomes.push("refused by a panic");
    }
  }
  return outcomes;
}

Deno.test("no flipped bit and no cut makes log or snapshot silently shorter or another", async () => {
  const directory = await Deno.makeTempDir({ prefix: "kvorum-flip-" });
  try {
    await makeImages(directory);
    const flips = await makeFlips(directory);
    await Deno.writeTextFile(`${directory}/flips.json`, JSON.stringify(flips));
    const outcomes = await runFlips(directory, flips.length);
    const counts = { whole: 0, refused: 0, damage: 0 };
    for (const [i, outcome] of outcomes.entries()) {
      const kind = outcome.split(" ")[0] as keyof typeof counts;
      assert(kind in counts, `${JSON.stringify(flips[i])}: ${outcome}`);
      counts[kind]++;
    }
    // If one of these never happens, the flips miss what they are for.
    for (const [kind, count] of Object.entries(counts)) assertGreater(count, 10, kind);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
