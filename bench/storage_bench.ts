/**
 * What the log costs (docs/decisions/0004-storage.md, 0012-snapshot-storage.md): the checksum, one commit
 * and the ways of making the mark durable, one commit beside snapshots that are being written, and reading
 * 100,000 entries back.
 *
 * Run with `deno task bench`, which sets TMPDIR: the temporary directory must be on the disk in
 * question, since on a tmpfs a sync costs nothing.
 *
 * @module
 */
import { crc32c } from "../kv/crc32c.ts";
import { encodeEntries, ENTRY_HEADER_BYTES } from "../raft/entry_codec.ts";
import { configurationOf } from "../raft/configuration.ts";
import { type Entry, EntryKind, GROUP_DEFAULT, logIndex, nodeId, term } from "../raft/types.ts";
import { encodeBlock, LOG_EMPTY } from "../storage/block_codec.ts";
import { type Disk, diskAt } from "../storage/disk.ts";
import { KvLogStore } from "../storage/kv_log_store.ts";
import { ATOMIC_LIMITS, MARK_SLOT_BYTES, SNAPSHOT_CHUNK_BYTES_MAX } from "../storage/limits.ts";
import { encodeSlot, type Mark } from "../storage/mark.ts";
import { encodeState, STATE_EMPTY } from "../storage/record_codec.ts";

const BATCH_ENTRIES = 64;
const DATA_BYTES = 256;
const RECOVERY_ENTRIES = 100_000;
/** A snapshot of 100 MB. */
const SNAPSHOT_CHUNKS = 1_700;
const SNAPSHOT_COMMITS = 2_000;
/** Between two commits, as a node has that is not at its limit. */
const COMMIT_PAUSE_MS = 1;
/** No commit for so long: the measuring has ended. */
const IDLE_MS = 3_000;
/** The other work of an event loop, done beside commits: so many pieces of so long. */
const WORK_PIECES = 20;
const WORK_PIECE_US = 20;

const identity = { clusterId: "bench", nodeId: "n1" };
const owner = { group: GROUP_DEFAULT, identity };
const root = Deno.makeTempDirSync({ prefix: "kvorum-bench-" });
globalThis.addEventListener("unload", () => Deno.removeSync(root, { recursive: true }));

function entriesFrom(firstIndex: number, count: number): Entry[] {
  return Array.from({ length: count }, (_, i) => ({
    term: term(1),
    index: logIndex(firstIndex + i),
    timeMs: 1_700_000_000_000 + i,
    kind: EntryKind.Command,
    data: new Uint8Array(DATA_BYTES).fill(i),
  }));
}

function benchChecksum(): void {
  const block = crypto.getRandomValues(new Uint8Array(60 * 1024));
  Deno.bench("crc32c: 60 KiB", { group: "bytes" }, () => {
    crc32c(block);
  });
  const entries = entriesFrom(1, BATCH_ENTRIES);
  const payload = encodeEntries(entries);
  Deno.bench(
    `encodeBlock(): ${BATCH_ENTRIES} entries of ${DATA_BYTES} B`,
    { group: "bytes" },
    () => {
      encodeBlock(LOG_EMPTY, BATCH_ENTRIES, payload, term(1), 60 * 1024);
    },
  );
}

/** The ways of writing a mark that were weighed; the store's own is in mark_file.ts. */
type MarkWay = "none" | "own" | "unsynced" | "blocking" | "awaited" | "overlapped";

class BenchMark implements Mark {
  readonly #file: Deno.FsFile;
  readonly #way: MarkWay;
  readonly #slot = encodeSlot({
    identity: { ...identity, incarnation: 1 },
    boot: 1,
    damaged: false,
    state: STATE_EMPTY,
  });

  constructor(path: string, way: MarkWay) {
    this.#file = Deno.openSync(path, { create: true, write: true });
    this.#file.writeSync(new Uint8Array(2 * MARK_SLOT_BYTES));
    this.#file.syncSync();
    this.#way = way;
  }

  async write(_state: Uint8Array, seq: number): Promise<void> {
    this.#file.seekSync((seq % 2) * MARK_SLOT_BYTES, Deno.SeekMode.Start);
    this.#file.writeSync(this.#slot);
    if (this.#way === "blocking") this.#file.syncDataSync();
    if (this.#way === "awaited" || this.#way === "overlapped") await this.#file.syncData();
  }

  repaired(): void {}

  close(): void {
    this.#file.close();
  }
}

function diskWith(way: MarkWay): Disk {
  const directory = `${root}/${way}-${crypto.randomUUID()}`;
  const disk = diskAt(directory, GROUP_DEFAULT);
  if (way === "own") return disk;
  if (way === "none" || way === "overlapped") {
    return { openKv: () => disk.openKv(), marks: null, openChunkKv: null, reserve: null };
  }
  return {
    openKv: () => disk.openKv(),
    openChunkKv: null,
    reserve: null,
    marks: {
      read: () => Promise.resolve(null),
      create: () => Promise.resolve(new BenchMark(`${directory}/mark`, way)),
    },
  };
}

async function work(): Promise<void> {
  for (let i = 0; i < WORK_PIECES; i++) {
    const endMs = performance.now() + WORK_PIECE_US / 1000;
    while (performance.now() < endMs);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** One commit of 64 entries, on an idle event loop or beside other work. */
async function benchCommit(way: MarkWay, busy: boolean): Promise<void> {
  const store = new KvLogStore(diskWith(way), owner);
  await store.open();
  const beside = way === "overlapped" ? new BenchMark(`${root}/beside-${busy}`, way) : null;
  let next = 1;
  const commit = async () => {
    const entries = entriesFrom(next, BATCH_ENTRIES);
    next += BATCH_ENTRIES;
    const written = store.commit({ hardState: null, truncateFrom: null, entries });
    if (beside === null) return await written;
    await Promise.all([written, beside.write(encodeState(STATE_EMPTY), next)]);
  };
  Deno.bench(`${busy ? "busy" : "idle"} loop, mark ${way}`, {
    group: busy ? "commit beside other work" : "commit",
    baseline: way === "own",
  }, async () => {
    await (busy ? Promise.all([commit(), work()]) : commit());
  });
}

/** Writes one snapshot of 100 MB after another, as fast as the disk takes them, while `goesOn` says so. */
async function writeSnapshots(
  store: KvLogStore,
  index: () => number,
  goesOn: () => boolean,
): Promise<void> {
  const chunk = crypto.getRandomValues(new Uint8Array(SNAPSHOT_CHUNK_BYTES_MAX));
  const [id, since] = [nodeId("n1"), logIndex(0)];
  const address = { id, url: "http://127.0.0.1:8000", peer: "127.0.0.1:9000", since };
  const configuration = configurationOf([id], { addresses: [address] });
  while (goesOn()) {
    const at = logIndex(index());
    const meta = { index: at, term: term(1), timeMs: 0, configuration };
    const writer = await store.snapshots.create(meta);
    for (let i = 0; i < SNAPSHOT_CHUNKS && goesOn(); i++) await writer.add(chunk);
    if (goesOn()) await writer.finish(at);
  }
  await store.close();
}

/** One commit of 64 entries, alone or while snapshots are written. */
function benchBeside(beside: boolean): void {
  let store: KvLogStore | null = null;
  let next = 1;
  let latestMs = 0;
  const goesOn = () => performance.now() - latestMs < IDLE_MS;
  Deno.bench(beside ? "beside a snapshot" : "alone", {
    group: "commit beside a snapshot",
    baseline: !beside,
    n: SNAPSHOT_COMMITS,
    warmup: 10,
  }, async (bench) => {
    const isFirst = store === null;
    store ??= new KvLogStore(diskAt(`${root}/snapshots-${beside}`, GROUP_DEFAULT, 0), owner);
    if (isFirst) await store.open();
    const entries = entriesFrom(next, BATCH_ENTRIES);
    bench.start();
    await store.commit({ hardState: null, truncateFrom: null, entries });
    bench.end();
    next += BATCH_ENTRIES;
    latestMs = performance.now();
    if (isFirst && beside) void writeSnapshots(store, () => next - 1, goesOn);
    await new Promise((resolve) => setTimeout(resolve, COMMIT_PAUSE_MS));
  });
}

async function benchRecovery(name: string, entriesPerBlock: number): Promise<void> {
  const disk = diskAt(`${root}/${name}`, GROUP_DEFAULT);
  const blockPayloadBytesMax = entriesPerBlock * (DATA_BYTES + ENTRY_HEADER_BYTES);
  const store = new KvLogStore(disk, owner, { ...ATOMIC_LIMITS, blockPayloadBytesMax });
  await store.open();
  await store.commit({
    hardState: null,
    truncateFrom: null,
    entries: entriesFrom(1, RECOVERY_ENTRIES),
  });
  await store.close();
  Deno.bench(`open(): ${RECOVERY_ENTRIES} entries, ${entriesPerBlock} a block`, {
    group: "recovery",
    n: 5,
    warmup: 1,
  }, async () => {
    await store.open();
    await store.close();
  });
}

benchChecksum();
for (const busy of [false, true]) {
  for (const way of ["own", "none", "unsynced", "blocking", "awaited", "overlapped"] as const) {
    await benchCommit(way, busy);
  }
}
for (const beside of [false, true]) benchBeside(beside);
await benchRecovery("packed", 200);
await benchRecovery("one-by-one", 1);
