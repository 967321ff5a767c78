/**
 * What the store costs: keys, commands, apply. `deno bench bench/kv_bench.ts`
 *
 * A bench of `apply` does {@linkcode BATCH} entries an iteration, since one is too short to be timed:
 * divide by that. Commands are made outside of the measurement.
 *
 * @module
 */
import { encodeAtomicWrite, encodeOpenSession, stampCommand } from "../kv/command.ts";
import { decodeCommand } from "../kv/command_decoder.ts";
import { encodeSnapshot } from "../kv/snapshot_encoder.ts";
import { SnapshotReader } from "../kv/snapshot_reader.ts";
import { decodeKey, encodeKey, keyFromBytes, keyToBytes } from "../kv/key_codec.ts";
import { MultisetHash } from "../kv/state_hash.ts";
import { Store, type StoreCapture } from "../kv/store.ts";
import type { AtomicWrite, EncodedKey, Mutation } from "../kv/types.ts";
import { checkAtomicWrite } from "../kv/validate.ts";
import { bytesValue, u64Value } from "../kv/value_codec.ts";

const BATCH = 1000;
/** In the benches of snapshots. */
const SNAPSHOT_KEYS = 200_000;
const SNAPSHOT_CHUNK_BYTES = 60 * 1024;
const SESSION = 0x1234_5678_9abc;
const KEYS = 10_000;

const value = bytesValue(new Uint8Array(256).fill(7));
const keyOf = (n: number): EncodedKey => encodeKey(["bench", `key${String(n).padStart(8, "0")}`]);
const keys = Array.from({ length: KEYS }, (_, n) => keyOf(n * 7919 % KEYS));
const setOf = (key: EncodedKey): Mutation => ({
  type: "set",
  key,
  value,
  expiry: { type: "never" },
});
const write = (
  mutations: Mutation[],
  idempotencyKey: string | null = null,
): AtomicWrite => ({ checks: [], mutations, idempotencyKey });
const oneSet = write([setOf(keys[0]!)]);
const mixedKey = encodeKey(["users", 42, 7n, true, new Uint8Array([1, 2, 3])]);
const mixedBytes = keyToBytes(mixedKey);
const encoded = encodeAtomicWrite(oneSet);

/** A store with all keys in it, and an endless log of commands for it. */
class Driver {
  readonly #store = new Store();
  readonly #make: (n: number) => AtomicWrite;
  #sequence = 0;

  constructor(make: (n: number) => AtomicWrite, known: Iterable<Mutation> = keys.map(setOf)) {
    this.#make = make;
    this.#apply(encodeOpenSession(SESSION));
    for (const mutation of known) this.applyAll(this.#stamped([write([mutation])]));
  }

  /** The next commands, as followers see them: views into frames of a hundred. */
  next(): Uint8Array[] {
    const writes = Array.from({ length: BATCH }, (_, i) => this.#make(this.#sequence + i));
    const own = this.#stamped(writes);
    const views: Uint8Array[] = [];
    for (let i = 0; i < own.length; i += 100) {
      const part = own.slice(i, i + 100);
      const frame = new Uint8Array(part.reduce((size, it) => size + it.length, 0));
      let at = 0;
      for (const it of part) {
        frame.set(it, at);
        views.push(frame.subarray(at, at += it.length));
      }
    }
    return views;
  }

  get store(): Store {
    return this.#store;
  }

  applyAll(commands: readonly Uint8Array[]): void {
    for (const data of commands) this.#apply(data);
  }

  #apply(data: Uint8Array): void {
    const index = this.#store.index + 1;
    this.#store.apply({ index, timeMs: 1_800_000_000_000 + (index >> 6), data, isCommand: true });
  }

  #stamped(writes: readonly AtomicWrite[]): Uint8Array[] {
    return writes.map((it) => {
      const bytes = encodeAtomicWrite(it);
      this.#sequence++;
      stampCommand(bytes, SESSION, this.#sequence, Math.max(0, this.#sequence - 64));
      return bytes;
    });
  }
}

Deno.bench("encodeKey: two ASCII parts", { group: "keys" }, () => {
  encodeKey(["bench", "key00000042"]);
});
Deno.bench("encodeKey: five parts of every type", { group: "keys" }, () => {
  encodeKey(["users", 42, 7n, true, new Uint8Array([1, 2, 3])]);
});
Deno.bench("decodeKey: five parts of every type", { group: "keys" }, () => {
  decodeKey(mixedKey);
});
Deno.bench("keyFromBytes: five parts of every type", { group: "keys" }, () => {
  keyFromBytes(mixedBytes);
});

Deno.bench("encodeAtomicWrite and stampCommand: set of 256 B", { group: "commands" }, () => {
  stampCommand(encodeAtomicWrite(oneSet), SESSION, 1, 0);
});
Deno.bench("checkAtomicWrite: set of 256 B", { group: "commands" }, () => {
  checkAtomicWrite(oneSet);
});
Deno.bench("decodeCommand: set of 256 B", { group: "commands" }, () => {
  decodeCommand(encoded);
});

const hash = new MultisetHash();
Deno.bench("MultisetHash: a record of 256 B in and out", { group: "hash" }, () => {
  hash.add(3, 1, 12_345, 0, 0, keys[0]!, value.data);
  hash.remove(3, 1, 12_345, 0, 0, keys[0]!, value.data);
});

const workloads: [string, (n: number) => AtomicWrite][] = [
  ["set of 256 B, known keys", (n) => write([setOf(keys[n % KEYS]!)])],
  ["set of 256 B, new keys", (n) => write([setOf(keyOf(KEYS + n))])],
  ["set of 256 B with an idempotency key", (n) => write([setOf(keys[n % KEYS]!)], `key-${n}`)],
  [
    "set of 256 B that expires",
    (n) => write([{ ...setOf(keys[n % KEYS]!), expiry: { type: "in", ms: 60_000 } } as Mutation]),
  ],
  [
    "sum of U64",
    (n) => {
      const key = encodeKey(["counter", n % 100]);
      return write([{ type: "sum", key, value: u64Value(1n), min: null, max: null, clamp: false }]);
    },
  ],
  [
    "ten sets of 256 B in one write",
    (n) => write(Array.from({ length: 10 }, (_, i) => setOf(keys[(n * 10 + i) % KEYS]!))),
  ],
];

for (const [name, make] of workloads) {
  let driver: Driver | undefined;
  Deno.bench(`${BATCH} times apply: ${name}`, { group: "apply", n: 50, warmup: 10 }, (bench) => {
    driver ??= new Driver(make);
    const commands = driver.next();
    bench.start();
    driver.applyAll(commands);
    bench.end();
  });
}

/** Keys in the order of their numbers, with values of 100 B. */
function smallSet(n: number): Mutation {
  return { ...setOf(keyOf(n)), value: bytesValue(new Uint8Array(100).fill(n)) } as Mutation;
}

/** The key that is written next: all of them, in an order without neighbours. */
const scattered = (n: number): AtomicWrite => write([smallSet(n * 7919 % SNAPSHOT_KEYS)]);

let large: Driver | undefined;
/** A store of 100 B values, made when it is first asked for. */
function largeStore(): Driver {
  large ??= new Driver(scattered, Array.from({ length: SNAPSHOT_KEYS }, (_, n) => smallSet(n)));
  return large;
}

const snapshots = { group: "snapshots", n: 200, warmup: 20 };

Deno.bench(`Store.capture(): ${SNAPSHOT_KEYS} keys`, snapshots, (bench) => {
  const { store } = largeStore();
  bench.start();
  store.capture();
  bench.end();
});

let encoder: Generator<Uint8Array, void> | undefined;
Deno.bench("encodeSnapshot(): one chunk of values of 100 B", snapshots, (bench) => {
  encoder ??= encodeSnapshot(largeStore().store.capture(), SNAPSHOT_CHUNK_BYTES);
  bench.start();
  const { done } = encoder.next();
  bench.end();
  if (done) encoder = undefined;
});

let chunks: Uint8Array[] | undefined;
let reader = new SnapshotReader();
let pushed = 0;
Deno.bench("SnapshotReader.push(): one chunk of values of 100 B", snapshots, (bench) => {
  chunks ??= [...encodeSnapshot(largeStore().store.capture(), SNAPSHOT_CHUNK_BYTES)];
  if (pushed === chunks.length) {
    reader = new SnapshotReader();
    pushed = 0;
  }
  const chunk = chunks[pushed++]!;
  bench.start();
  reader.push(chunk);
  bench.end();
});

/** Kept, so that what is written meanwhile has to be copied at its first touch. */
const alive: StoreCapture[] = [];
for (const captured of [false, true]) {
  const name = captured ? "a new capture alive" : "no capture alive";
  Deno.bench(`${BATCH} times apply: set of 100 B, ${name}`, snapshots, (bench) => {
    const driver = largeStore();
    alive.length = 0;
    if (captured) alive.push(driver.store.capture());
    const commands = driver.next();
    bench.start();
    driver.applyAll(commands);
    bench.end();
  });
}
