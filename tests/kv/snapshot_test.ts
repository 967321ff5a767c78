import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  encodeAtomicWrite,
  encodeClock,
  encodeHashMark,
  encodeOpenSession,
  stampCommand,
} from "../../kv/command.ts";
import {
  IDEMPOTENCY_FORGOTTEN_PER_ENTRY_MAX,
  IDEMPOTENCY_TTL_MS,
  KEY_BYTES_MAX,
  SESSION_TTL_MS,
  VALUE_BYTES_MAX,
} from "../../kv/limits.ts";
import { encodeSnapshot } from "../../kv/snapshot_encoder.ts";
import { MalformedSnapshot, SnapshotReader } from "../../kv/snapshot_reader.ts";
import { Store, type StoreCapture, type StoreOptions } from "../../kv/store.ts";
import type { AtomicWrite } from "../../kv/types.ts";
import { bytesValue, u64Value } from "../../kv/value_codec.ts";
import {
  atomicWrite,
  command,
  Fed,
  hashFromScratch,
  key,
  remove,
  set,
  sum,
  write,
} from "./support.ts";

const CHUNK_BYTES_MAX = 60 * 1024;

/** The snapshot as one piece, as hex, so that a difference can be shown. */
function hexOf(capture: StoreCapture, chunkBytesMax = CHUNK_BYTES_MAX): string {
  return [...encodeSnapshot(capture, chunkBytesMax)].map((chunk) => chunk.toHex()).join("");
}

function restore(chunks: Iterable<Uint8Array>, options: StoreOptions = {}): Store {
  const reader = new SnapshotReader(options);
  for (const chunk of chunks) reader.push(chunk);
  return reader.finish();
}

const copyOf = (store: Store, chunkBytesMax = CHUNK_BYTES_MAX, options: StoreOptions = {}) =>
  restore(encodeSnapshot(store.capture(), chunkBytesMax), options);

/** A store with something of everything in it. */
function example(): Fed {
  const fed = new Fed();
  fed.data(encodeOpenSession(2), 900);
  fed.write([set(key("b"), "bytes"), set(key("u"), u64Value(7n))]);
  fed.write([set(key("e"), "expires", { type: "in", ms: 500 })], [], "once");
  fed.write([set(key("b"), "x")], [{ key: key("b"), versionstamp: null }], "zwölf");
  fed.write([sum(key("b"), u64Value(1n))]);
  fed.data(command(write([set(key("s"), "")]), 2, 5, 3), 1_200);
  return fed;
}

Deno.test("a snapshot has these bytes", () => {
  const fed = new Fed();
  fed.write([set(key("k"), "v", { type: "at", timeMs: 5_000 })], [], "i");
  fed.write([], [{ key: key("k"), versionstamp: null }]);
  fed.write([sum(key("k"), u64Value(1n))]);
  const { fingerprint } = fed.store.remembered()[0]!;
  const u48 = (n: number) => n.toString(16).padStart(12, "0");
  const message = "Failed to perform 'sum' mutation on a non-U64 value in the database";
  const refused = "0200" + new TextEncoder().encode(message).toHex();
  const size = (hex: string) => (hex.length / 2).toString(16).padStart(8, "0") + hex;
  assertEquals(
    hexOf(fed.store.capture()),
    "4b56534e" + "0001" +
      "01" + size(u48(4) + u48(1_000)) +
      "02" + size(u48(0xfeed_0000_0001) + u48(3) + u48(1_000)) +
      "03" + size(u48(3) + refused) +
      "04" + size(
        "0001" + u48(1_000) + Uint8Array.from(fingerprint, (c) => c.charCodeAt(0)).toHex() + "69" +
          "00" + u48(2) + "0001",
      ) +
      "05" + size("03" + "0001" + u48(2) + u48(5_000) + "0003" + "026b00" + "76") +
      "06" + size(u48(4) + u48(1).repeat(4) + fed.store.hash().hash),
  );
});

Deno.test("a restored store has the state, the hash and the snapshot of the original", () => {
  const { store } = example();
  const copy = copyOf(store);
  assertEquals(copy.hash(), store.hash());
  assertEquals(hashFromScratch(copy), store.hash().hash);
  assertEquals([copy.index, copy.timeMs, copy.size], [store.index, store.timeMs, store.size]);
  assertEquals(
    [...copy.sessions()].map((it) => [it.id, it.lowWater, it.activeMs, it.results]),
    [
      ...store.sessions(),
    ].map((it) => [it.id, it.lowWater, it.activeMs, it.results]),
  );
  assertEquals(copy.remembered(), store.remembered());
  assertEquals(copy.nextExpiryMs(), store.nextExpiryMs());
  assertEquals(hexOf(copy.capture()), hexOf(store.capture()));
});

Deno.test("an empty store has a snapshot, too", () => {
  const copy = copyOf(new Store());
  assertEquals(copy.hash(), new Store().hash());
  assertEquals(
    copy.apply({ index: 1, timeMs: 1, data: encodeClock(), isCommand: true }).changes,
    [],
  );
});

Deno.test("encodeSnapshot() fills every chunk but the last, and pieces of any size are read back", () => {
  const fed = example();
  fed.write([set(key("large"), bytesValue(new Uint8Array(5_000).fill(7)))]);
  const whole = hexOf(fed.store.capture());
  for (const chunkBytesMax of [1, 7, 64, 1_000, whole.length / 2]) {
    const chunks = [...encodeSnapshot(fed.store.capture(), chunkBytesMax)];
    const sizes = chunks.map((chunk) => chunk.length);
    const last = sizes.pop()!;
    assert(last >= 1 && last <= chunkBytesMax, `${last}`);
    assert(sizes.every((size) => size === chunkBytesMax));
    assertEquals(chunks.map((chunk) => chunk.toHex()).join(""), whole);
    assertEquals(restore(chunks).hash(), fed.store.hash());
  }
});

Deno.test("the largest keys and values span chunks", () => {
  const fed = new Fed();
  const largest = bytesValue(new Uint8Array(VALUE_BYTES_MAX).map((_, i) => i * 31));
  for (const name of "abc") fed.write([set(key(name.repeat(KEY_BYTES_MAX - 2)), largest)]);
  const chunks = [...encodeSnapshot(fed.store.capture(), CHUNK_BYTES_MAX)];
  assertEquals(chunks.length, 4);
  const copy = restore(chunks);
  assertEquals(copy.hash(), fed.store.hash());
  assertEquals(hashFromScratch(copy), fed.store.hash().hash);
});

Deno.test("a capture stays what it was, whatever the store does before and while it is encoded", () => {
  const fed = example();
  const before = hexOf(fed.store.capture());
  const capture = fed.store.capture();
  const encoder = encodeSnapshot(capture, 16);
  let hex = "";
  let round = 0;
  for (const chunk of encoder) {
    hex += chunk.toHex();
    fed.write([set(key("b"), `${round}`), set(key("n", round), "new")], [], `later-${round}`);
    fed.write([remove(key(round % 2 === 0 ? "u" : "s"))]);
    if (round === 3) fed.tick(fed.timeMs + 600);
    round++;
  }
  assert(round > 10);
  assertEquals(hex, before);
  assertEquals(hexOf(capture), before);
  fed.tick(fed.timeMs + IDEMPOTENCY_TTL_MS + SESSION_TTL_MS);
  assertEquals(hexOf(capture), before);
  assertEquals(fed.store.hash().hash, hashFromScratch(fed.store));
});

Deno.test("a capture of a capture's time is not changed by results that the session forgets", () => {
  const fed = new Fed();
  fed.data(encodeOpenSession(9));
  for (let sequence = 1; sequence <= 50; sequence++) {
    fed.data(command(write([set(key("k"), `${sequence}`)]), 9, sequence, 1));
  }
  const capture = fed.store.capture();
  const before = hexOf(capture);
  fed.data(command(write([set(key("k"), "last")]), 9, 51, 51));
  const results = capture.sessions.find((it) => it.id === 9)!.results;
  assertEquals([results.size, [...fed.store.sessions()].at(-1)!.results.size], [50, 1]);
  assertEquals(hexOf(capture), before);
});

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      act: fc.constant("write" as const),
      write: atomicWrite,
      session: fc.constantFrom(1, 2, 3),
      sequence: fc.nat(12),
      lowWater: fc.nat(6),
      passMs: fc.constantFrom(0, 0, 1, 15),
    }),
  },
  fc.record({
    act: fc.constantFrom("clock" as const, "no-op" as const, "hash-mark" as const),
    passMs: fc.constantFrom(0, 1, 40, 40, IDEMPOTENCY_TTL_MS, SESSION_TTL_MS),
  }),
  fc.record({
    act: fc.constant("open" as const),
    session: fc.constantFrom(1, 2, 3),
    passMs: fc.constantFrom(0, 0, 7),
  }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function dataOf(it: Step): Uint8Array {
  switch (it.act) {
    case "write": {
      const data = encodeAtomicWrite(it.write as AtomicWrite);
      stampCommand(data, it.session, it.sequence, it.lowWater);
      return data;
    }
    case "open":
      return encodeOpenSession(it.session);
    case "clock":
      return encodeClock();
    case "hash-mark":
      return encodeHashMark();
    case "no-op":
      return new Uint8Array(0);
  }
}

Deno.test("a store restored at any point goes on as the original does, to the last byte", () => {
  const scenario = fc.record({
    steps: fc.array(step, { minLength: 5, maxLength: 60 }),
    /** After which steps the copy is replaced by one that is restored anew. */
    cuts: fc.array(fc.nat(20), { minLength: 1, maxLength: 3 }),
    chunkBytesMax: fc.integer({ min: 1, max: 300 }),
    // So few that the memory is full now and then, which shows how many were forgotten.
    idempotencyKeysMax: fc.constantFrom(1, 2, 100),
  });
  let restored = 0;
  fc.assert(
    fc.property(scenario, ({ steps, cuts, chunkBytesMax, idempotencyKeysMax }) => {
      const options = { idempotencyKeysMax };
      const original = new Store(options);
      let copy = new Store(options);
      let timeMs = 1_000;
      for (const [at, it] of steps.entries()) {
        if (cuts.includes(at)) {
          copy = copyOf(copy, chunkBytesMax, options);
          restored++;
        }
        timeMs += it.passMs;
        const entry = { index: at + 1, timeMs, data: dataOf(it), isCommand: it.act !== "no-op" };
        assertEquals(copy.apply(entry), original.apply(entry));
        assertEquals(copy.hash(), original.hash());
        assertEquals(copy.nextExpiryMs(), original.nextExpiryMs());
      }
      assertEquals(hashFromScratch(copy), original.hash().hash);
      assertEquals(hexOf(copy.capture()), hexOf(original.capture()));
    }),
    { numRuns: 300 },
  );
  assert(restored > 200, `${restored}`);
});

Deno.test("a restored store forgets due idempotency keys at the pace of the original", () => {
  const fed = new Fed();
  const count = 5 * IDEMPOTENCY_FORGOTTEN_PER_ENTRY_MAX;
  for (let i = 0; i < count; i++) fed.write([], [], `k${i}`);
  fed.timeMs += IDEMPOTENCY_TTL_MS;
  // These are due but not forgotten yet, and used again: their old places are still queued.
  const [soon, last] = [2 * IDEMPOTENCY_FORGOTTEN_PER_ENTRY_MAX + 50, count - 1];
  fed.write([], [], `k${soon}`);
  fed.write([], [], `k${last}`);
  const capture = fed.store.capture();
  const before = hexOf(capture);
  const copy = copyOf(fed.store);
  for (let i = 0; i < 4; i++) {
    const entry = {
      index: fed.store.index + 1,
      timeMs: fed.timeMs,
      data: new Uint8Array(0),
      isCommand: false,
    };
    copy.apply(entry);
    fed.store.apply(entry);
    assertEquals(copy.hash(), fed.store.hash());
    assertEquals(hexOf(copy.capture()), hexOf(fed.store.capture()));
  }
  assertEquals(copy.remembered().map((it) => it.key), [`k${soon}`, `k${last}`]);
  assertEquals(hexOf(capture), before);
});

Deno.test("sessions that are equally long idle come in one order, whatever order they were opened in", () => {
  const stores = [[1, 2, 3], [3, 1, 2]].map((ids) => {
    const store = new Store();
    ids.forEach((id, i) =>
      store.apply({ index: i + 1, timeMs: 50, data: encodeOpenSession(id), isCommand: true })
    );
    return store;
  });
  const [a, b] = stores.map((store) => hexOf(store.capture()));
  assertEquals(a, b);
});

Deno.test("SnapshotReader refuses what is cut short at any byte", () => {
  const [whole] = encodeSnapshot(example().store.capture(), CHUNK_BYTES_MAX) as Iterable<
    Uint8Array
  >;
  for (let size = 0; size < whole!.length; size++) {
    const reader = new SnapshotReader();
    reader.push(whole!.subarray(0, size));
    assertThrows(() => reader.finish(), MalformedSnapshot);
  }
});

Deno.test("SnapshotReader refuses a flip of any bit", () => {
  const [whole] = encodeSnapshot(example().store.capture(), CHUNK_BYTES_MAX) as Iterable<
    Uint8Array
  >;
  // The words of a refusal are for people: the state hash leaves them out, and so they may differ.
  const text = new TextEncoder().encode("Failed to perform 'sum'").toHex();
  const words = whole!.toHex().indexOf(text) / 2;
  const wordsEnd = words +
    "Failed to perform 'sum' mutation on a non-U64 value in the database".length;
  for (let bit = 0; bit < 8 * whole!.length; bit++) {
    const at = bit >> 3;
    if (at >= words && at < wordsEnd) continue;
    const bytes = whole!.slice();
    bytes[at]! ^= 1 << (bit & 7);
    assertThrows(() => restore([bytes]), MalformedSnapshot, "", `byte ${at}`);
  }
});

Deno.test("SnapshotReader refuses random bytes behind a good beginning, and never anything else", () => {
  const [whole] = encodeSnapshot(example().store.capture(), CHUNK_BYTES_MAX) as Iterable<
    Uint8Array
  >;
  const damage = fc.record({
    keep: fc.nat(whole!.length - 1),
    then: fc.uint8Array({ minLength: 1, maxLength: 80 }),
    resume: fc.nat(whole!.length),
    pieceBytes: fc.integer({ min: 1, max: 100 }),
  });
  fc.assert(
    fc.property(damage, ({ keep, then, resume, pieceBytes }) => {
      const bytes = Uint8Array.from([
        ...whole!.subarray(0, keep),
        ...then,
        ...whole!.subarray(resume),
      ]);
      if (bytes.toHex() === whole!.toHex()) return;
      assertThrows(() => {
        const reader = new SnapshotReader();
        for (let at = 0; at < bytes.length; at += pieceBytes) {
          reader.push(bytes.subarray(at, at + pieceBytes));
        }
        // A change of a refusal's words alone is none of the state.
        if (reader.finish().hash().hash === example().store.hash().hash) {
          throw new MalformedSnapshot("words");
        }
      }, MalformedSnapshot);
    }),
    { numRuns: 3_000 },
  );
});

const u48 = (n: number) => n.toString(16).padStart(12, "0");
const element = (kind: number, body: string) =>
  kind.toString(16).padStart(2, "0") + (body.length / 2).toString(16).padStart(8, "0") + body;
const begin = "4b56534e0001" + element(1, u48(9) + u48(100));
const session = (id: number, activeMs: number) => element(2, u48(id) + u48(4) + u48(activeMs));
const result = (sequence: number, rest = "00" + u48(3) + "0001") =>
  element(3, u48(sequence) + rest);
const remembered = (name: string, appliedMs: number) =>
  element(4, "0001" + u48(appliedMs) + "ab".repeat(16) + name + "00" + u48(3) + "0001");
const record = (
  { encoding = "03", index = 3, keyHex = "026b00", data = "00", keyBytes = 0 } = {},
) =>
  element(
    5,
    encoding + "0001" + u48(index) + u48(0) +
      (keyBytes || keyHex.length / 2).toString(16).padStart(4, "0") + keyHex +
      data,
  );
const end = (counts: number[], hash = "00".repeat(16)) =>
  element(6, [9, ...counts].map(u48).join("") + hash);

const malformed: [string, string, RegExp][] = [
  ["another magic", "4b56534f0001", /magic/],
  ["another version", "4b56534e0002", /version 2/],
  ["no beginning", "4b56534e0001" + session(1, 5), /kind 2 after one of 0/],
  ["two beginnings", begin + element(1, u48(9) + u48(100)), /kind 1 after one of 1/],
  ["an unknown element", begin + element(7, ""), /kind 7/],
  ["an element of 4 GB", begin + "05ffffffff", /4294967295 bytes/],
  ["an element with bytes left", begin + element(2, u48(1) + u48(4) + u48(5) + "00"), /left/],
  ["an element cut short", begin + element(2, u48(1) + u48(4)), /cut short/],
  ["session 0", begin + session(0, 5), /session 0/],
  ["a session of the future", begin + session(1, 101), /to come/],
  ["sessions out of order", begin + session(1, 5) + session(2, 4), /order/],
  ["equally idle sessions out of order", begin + session(2, 5) + session(1, 5), /order/],
  ["a session that is there twice", begin + session(2, 4) + session(2, 5), /twice/],
  ["a result without a session", begin + result(5), /kind 3 after one of 1/],
  ["a result below the low water", begin + session(1, 5) + result(3), /order/],
  ["results out of order", begin + session(1, 5) + result(6) + result(5), /order/],
  ["an unknown result", begin + session(1, 5) + result(5, "05"), /result 5/],
  [
    "a result of the future",
    begin + session(1, 5) + result(5, "00" + u48(10) + "0001"),
    /index 10/,
  ],
  ["no failed check", begin + session(1, 5) + result(5, "01"), /no check/],
  ["failed checks out of order", begin + session(1, 5) + result(5, "0100010001"), /checks/],
  ["an unknown refusal", begin + session(1, 5) + result(5, "0206"), /refusal/],
  ["a refusal that is not UTF-8", begin + session(1, 5) + result(5, "0200ff"), /refusal/],
  [
    "a session behind what is remembered",
    begin + remembered("61", 5) + session(1, 5),
    /kind 2 after/,
  ],
  ["remembered out of order", begin + remembered("61", 5) + remembered("62", 4), /order/],
  ["remembered twice", begin + remembered("61", 5) + remembered("61", 6), /twice/],
  ["remembered in the future", begin + remembered("61", 101), /to come/],
  ["an unknown encoding", begin + record({ encoding: "04" }), /encoding 4/],
  ["an LE64 of one byte", begin + record({ encoding: "02" }), /encoding 2/],
  ["a record of index 0", begin + record({ index: 0 }), /index 0/],
  ["a record of the future", begin + record({ index: 10 }), /index 10/],
  ["an empty key", begin + record({ keyHex: "" }), /order/],
  ["a key longer than the element", begin + record({ keyBytes: 200 }), /cut short/],
  ["a key that is too long", begin + record({ keyHex: "01".repeat(2049) }), /key of 2049/],
  ["a value that is too long", begin + record({ data: "01".repeat(65_537) }), /65537 bytes/],
  ["records out of order", begin + record() + record({ keyHex: "026a00" }), /order/],
  ["a record twice", begin + record() + record(), /order/],
  ["another count of records", begin + record() + end([0, 0, 0, 2]), /1 records, not 2/],
  ["another index at the end", begin + element(6, [8, 0, 0, 0, 0].map(u48).join("")), /index 8/],
  ["another state hash", begin + record() + end([0, 0, 0, 1]), /has the hash/],
  ["bytes behind the end", begin + end([0, 0, 0, 0]) + "00", /left/],
  ["an element behind the end", begin + end([0, 0, 0, 0]) + session(1, 5), /left/],
];

for (const [what, hex, message] of malformed) {
  Deno.test(`SnapshotReader refuses ${what}`, () => {
    const bytes = Uint8Array.fromHex(hex);
    const error = assertThrows(() => restore([bytes]), MalformedSnapshot);
    assert(message.test(error.message), error.message);
    const inBytes = assertThrows(
      () => restore(Array.from(bytes, (byte) => Uint8Array.of(byte))),
      MalformedSnapshot,
    );
    assert(message.test(inBytes.message), inBytes.message);
  });
}

Deno.test("SnapshotReader is of no use after an exception, nor after it has finished", () => {
  const good = [...encodeSnapshot(example().store.capture(), CHUNK_BYTES_MAX)];
  const failed = new SnapshotReader();
  assertThrows(() => failed.push(new Uint8Array(6)), MalformedSnapshot);
  assertThrows(() => failed.push(good[0]!), MalformedSnapshot);
  assertThrows(() => failed.finish(), MalformedSnapshot);
  const done = new SnapshotReader();
  done.push(good[0]!);
  done.finish();
  assertThrows(() => done.finish(), MalformedSnapshot);
});
