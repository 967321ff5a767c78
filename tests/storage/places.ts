/**
 * Places where a log can be kept, for suites that run against each kind of store, and entries to
 * keep there.
 *
 * @module
 */
import {
  type Entry,
  EntryKind,
  GROUP_DEFAULT,
  type HardState,
  logIndex,
  nodeId,
  type SnapshotInfo,
  type SnapshotMeta,
  term,
} from "../../raft/types.ts";
import { type Disk, diskAt } from "../../storage/disk.ts";
import { KvLogStore } from "../../storage/kv_log_store.ts";
import { ATOMIC_LIMITS, type AtomicLimits } from "../../storage/limits.ts";
import { MemoryDisk, MemoryLogStore } from "../../storage/memory_log_store.ts";
import { CHUNKS_NONE, endAfter, snapshotId } from "../../storage/chunk_codec.ts";
import type {
  Identity,
  LogBatch,
  LogStore,
  Recovery,
  SnapshotReceiver,
  SnapshotWriter,
} from "../../storage/types.ts";

export const IDENTITY: Identity = { clusterId: "a cluster", nodeId: "n1" };
export const OWNER = { group: GROUP_DEFAULT, identity: IDENTITY };

/** What tests keep free on disks: little, since each of them would write it. */
export const RESERVE_BYTES_TEST = 64 * 1024;

/** Limits so small that nearly every batch takes several blocks and several atomics. */
export const LIMITS_TINY: AtomicLimits = {
  blockPayloadBytesMax: 100,
  atomicMutationsMax: 9,
  atomicBytesMax: 1500,
};

/** One set of data that outlives the stores that use it. */
export interface Place {
  store(identity?: Identity): LogStore;
  remove(): Promise<void>;
}

export interface PlaceKind {
  readonly name: string;
  make(): Promise<Place>;
}

/** A database that stays when a store closes it, since one in memory lives no longer than its handle. */
export class KeptKv implements Disk {
  readonly marks = null;
  readonly openChunkKv = null;
  readonly reserve = null;
  readonly #kv: Deno.Kv;

  constructor(kv: Deno.Kv) {
    this.#kv = kv;
  }

  openKv(): Promise<Deno.Kv> {
    return Promise.resolve(withKv(this.#kv, { close: () => {} }));
  }
}

/** The database with some methods replaced. */
export function withKv(kv: Deno.Kv, replaced: Partial<Deno.Kv>): Deno.Kv {
  return new Proxy(kv, {
    get(target, name) {
      if (name in replaced) return Reflect.get(replaced, name);
      const member = Reflect.get(target, name, target);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

/** Each of them is another. */
let memoryDisks = 0;

export const MEMORY_TWIN: PlaceKind = {
  name: "memory twin",
  make() {
    const disk = new MemoryDisk(++memoryDisks);
    return Promise.resolve({
      store: (identity = IDENTITY) => new MemoryLogStore(disk, identity),
      remove: () => Promise.resolve(),
    });
  },
};

export const KV_MEMORY: PlaceKind = {
  name: "Deno KV :memory:",
  async make() {
    const kv = await diskAt(":memory:", GROUP_DEFAULT).openKv();
    return {
      store: (identity = IDENTITY) => new KvLogStore(new KeptKv(kv), { ...OWNER, identity }),
      remove: () => Promise.resolve(kv.close()),
    };
  },
};

/** The store in a directory, with a small reserve. */
export function storeAt(directory: string, identity: Identity = IDENTITY): KvLogStore {
  const disk = diskAt(directory, GROUP_DEFAULT, RESERVE_BYTES_TEST);
  return new KvLogStore(disk, { ...OWNER, identity });
}

export const KV_FILE: PlaceKind = {
  name: "Deno KV file",
  async make() {
    const directory = await Deno.makeTempDir({ prefix: "kvorum-log-" });
    return {
      store: (identity = IDENTITY) => storeAt(directory, identity),
      remove: () => Deno.remove(directory, { recursive: true }),
    };
  },
};

export const KV_FILE_TINY: PlaceKind = kvFileWith("Deno KV file, everything split", LIMITS_TINY);

export function kvFileWith(name: string, limits: AtomicLimits): PlaceKind {
  return {
    name,
    async make() {
      const directory = await Deno.makeTempDir({ prefix: "kvorum-log-" });
      const disk = diskAt(directory, GROUP_DEFAULT, RESERVE_BYTES_TEST);
      return {
        store: (identity = IDENTITY) =>
          new KvLogStore(disk, { ...OWNER, identity }, { ...ATOMIC_LIMITS, ...limits }),
        remove: () => Deno.remove(directory, { recursive: true }),
      };
    },
  };
}

export const PLACE_KINDS: readonly PlaceKind[] = [MEMORY_TWIN, KV_MEMORY, KV_FILE, KV_FILE_TINY];

/** An entry with data that depend on its index and term. */
export function entry(index: number, termOf = 1, dataBytes = 20): Entry {
  return {
    term: term(termOf),
    index: logIndex(index),
    timeMs: 1_700_000_000_000 + index,
    kind: EntryKind.Command,
    data: new Uint8Array(dataBytes).fill(index * 31 + termOf),
  };
}

/** `count` entries from `first`. */
export function entries(first: number, count: number, termOf = 1, dataBytes = 20): Entry[] {
  return Array.from({ length: count }, (_, i) => entry(first + i, termOf, dataBytes));
}

export function hardState(termOf: number, vote: string | null = null, commit = 0): HardState {
  return {
    term: term(termOf),
    vote: vote === null ? null : nodeId(vote),
    commit: logIndex(commit),
  };
}

/** A batch with nothing but what is given. */
export function batch(
  given: { hardState?: HardState; truncateFrom?: number; entries?: readonly Entry[] },
): LogBatch {
  return {
    hardState: given.hardState ?? null,
    truncateFrom: given.truncateFrom === undefined ? null : logIndex(given.truncateFrom),
    entries: given.entries ?? [],
  };
}

/** What a snapshot at `index` says, in a cluster of three. */
export function snapshotMeta(index: number, termOf = 1): SnapshotMeta {
  const ids = ["n1", "n2", "n3"].map(nodeId);
  return {
    index: logIndex(index),
    term: term(termOf),
    timeMs: 1_700_000_000_000 + index,
    configuration: {
      voters: ids,
      votersOutgoing: [],
      learners: [],
      promoting: [],
      addresses: ids.map((id, i) => ({
        id,
        url: `http://127.0.0.1:800${i}`,
        peer: `127.0.0.1:900${i}`,
        since: logIndex(10 * i),
      })),
    },
  };
}

/** `count` chunks that `seed` determines. */
export function chunks(count: number, seed = 1, bytes = 500): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => new Uint8Array(bytes + i).fill(seed * 17 + i));
}

/** What receiver_child.ts receives. */
export const RECEIVED_META = snapshotMeta(1000, 5);
export const RECEIVED_CHUNKS = chunks(150, 7, 2000);

/** Takes a snapshot of these chunks. */
export async function snapshotted(
  store: LogStore,
  meta: SnapshotMeta,
  contents: readonly Uint8Array[],
  compactTo: number = meta.index,
): ReturnType<SnapshotWriter["finish"]> {
  const writer = await store.snapshots.create(meta);
  for (const chunk of contents) await writer.add(chunk);
  return await writer.finish(logIndex(compactTo));
}

/** Receives a snapshot of these chunks, from where it stood; all of them unless `upTo` says how many. */
export async function received(
  store: LogStore,
  info: SnapshotInfo,
  contents: readonly Uint8Array[],
  upTo = contents.length,
): Promise<SnapshotReceiver> {
  const receiver = await store.snapshots.receive(info);
  for (let i = receiver.next; i < upTo; i++) await receiver.add(i, contents[i]);
  return receiver;
}

/** What a snapshot of these chunks at this place is called. */
export function infoOf(meta: SnapshotMeta, contents: readonly Uint8Array[]): SnapshotInfo {
  const end = contents.reduce(endAfter, CHUNKS_NONE);
  return { meta, id: snapshotId(end), chunks: end.chunks, bytes: end.bytes };
}

/** All chunks of a snapshot, read back. */
export async function readAll(store: LogStore, info: SnapshotInfo): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  for (let i = 0; i < info.chunks; i++) found.push(await store.snapshots.read(info, i));
  return found;
}

/** What the opening of a log finds that was never compacted. */
export function recovery(
  found: Pick<Recovery, "hardState" | "entries" | "boot" | "damage" | "incarnation">,
): Recovery {
  return {
    ...found,
    baseIndex: logIndex(0),
    baseTerm: term(0),
    snapshot: null,
    peers: new Map(),
  };
}

/** What a store finds, opened and closed again. */
export async function reread(store: LogStore): Promise<Recovery> {
  try {
    return await store.open();
  } finally {
    await store.close();
  }
}

/** Runs with a place of the kind and removes it. */
export async function withPlace(
  kind: PlaceKind,
  act: (place: Place) => Promise<void>,
): Promise<void> {
  const place = await kind.make();
  try {
    await act(place);
  } finally {
    await place.remove();
  }
}

/** Registers a test with a place of its own. */
export type TestOf = (name: string, act: (place: Place) => Promise<void>) => void;

/** Registers tests under a kind's name, each with a place of its own. */
export function testsOf(kind: PlaceKind): TestOf {
  return (name, act) => Deno.test(`${kind.name}: ${name}`, () => withPlace(kind, act));
}

/** Opens with `count` entries of term 1 in commits of five, acts, closes. */
export async function filled(
  place: Place,
  count: number,
  act: (store: LogStore) => Promise<void>,
): Promise<void> {
  const store = place.store();
  await store.open();
  try {
    await store.commit(batch({ hardState: hardState(1, "n1") }));
    for (let at = 1; at <= count; at += 5) {
      await store.commit(batch({ entries: entries(at, Math.min(5, count - at + 1)) }));
    }
    await act(store);
  } finally {
    await store.close();
  }
}
