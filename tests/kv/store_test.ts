import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { encodeClock, encodeOpenSession } from "../../kv/command.ts";
import { prefixRange } from "../../kv/key_codec.ts";
import { EXPIRED_KEYS_PER_ENTRY_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX } from "../../kv/limits.ts";
import { OutOfOrder, Store } from "../../kv/store.ts";
import type { Mutation } from "../../kv/types.ts";
import { formatVersionstamp } from "../../kv/versionstamp.ts";
import { bytesValue, u64Value } from "../../kv/value_codec.ts";
import { command, Fed, hashFromScratch, key, remove, set, sum, text, write } from "./support.ts";

const [a, b, c] = [key("a"), key("b"), key("c")];

Deno.test("apply() stores a value under the versionstamp of its entry", () => {
  const fed = new Fed();
  const { result, changes, session, sequence } = fed.write([set(a, "1")]);
  assertEquals(result, { status: "applied", versionstamp: { index: 2, order: 1 } });
  assertEquals([session, sequence], [0xfeed_0000_0001, 1]);
  const entry = { key: a, value: text("1"), versionstamp: { index: 2, order: 1 } };
  assertEquals(fed.get(a), { ...entry, expiresMs: 0 } as never);
  assertEquals(changes.map(({ key, value, versionstamp }) => ({ key, value, versionstamp })), [
    entry,
  ]);
});

Deno.test("apply() takes entries one after the other and nothing else", () => {
  const store = new Store();
  const data = encodeClock();
  assertThrows(() => store.apply({ index: 2, timeMs: 1, data, isCommand: true }), OutOfOrder);
  store.apply({ index: 1, timeMs: 1, data, isCommand: true });
  assertThrows(() => store.apply({ index: 1, timeMs: 1, data, isCommand: true }), OutOfOrder);
  assertEquals(store.index, 1);
});

Deno.test("apply() keeps no view of the entry's frame", () => {
  const fed = new Fed();
  const frame = new Uint8Array(1000);
  const encoded = command(write([set(a, "kept")]), 0xfeed_0000_0001, 1);
  frame.set(encoded, 100);
  fed.data(frame.subarray(100, 100 + encoded.length));
  frame.fill(0);
  assertEquals(fed.text(a), "kept");
});

Deno.test("checks hold on exact versionstamps and on absence; all that fail are named", () => {
  const fed = new Fed();
  fed.write([set(a, "1")]);
  const { versionstamp } = fed.get(a)!;
  const absent = { key: b, versionstamp: null };
  const exact = { key: a, versionstamp };
  assertEquals(fed.write([set(c, "ok")], [absent, exact]).result.status, "applied");
  const wrong = [
    { key: a, versionstamp: null },
    { key: a, versionstamp: { index: versionstamp.index + 1, order: 1 } },
    { key: a, versionstamp: { index: versionstamp.index, order: 0 } },
    { key: b, versionstamp },
  ];
  for (const check of wrong) {
    const failed = fed.write([set(c, "no"), remove(a)], [absent, check, exact, check]);
    assertEquals(failed.result, { status: "check-failed", failedChecks: [1, 3] });
    assertEquals(failed.changes, []);
  }
  assertEquals(fed.text(c), "ok");
  assertEquals(fed.text(a), "1");
});

Deno.test("an atomic write reports one change a key, with what is there in the end", () => {
  const fed = new Fed();
  fed.write([set(a, "old"), set(b, "old")]);
  const { changes } = fed.write([
    set(c, "1"),
    remove(a),
    set(c, "2"),
    remove(key("never there")),
    set(b, "tmp"),
    remove(b),
    set(key("d"), "tmp"),
    remove(key("d")),
  ]);
  const seen = changes.map((it) => [it.key, it.value, it.versionstamp.index]);
  assertEquals(seen, [[c, text("2"), 3], [a, null, 3], [b, null, 3]]);
  assertEquals(fed.store.size, 1);
});

Deno.test("a write of nothing is applied, and so is a delete of nothing", () => {
  const fed = new Fed();
  for (const mutations of [[], [remove(a)]]) {
    const { result, changes } = fed.write(mutations);
    assertEquals([result.status, changes.length], ["applied", 0]);
  }
});

Deno.test("set-suffix-versionstamp appends the versionstamp as a string part", () => {
  const fed = new Fed();
  const suffixed = (): Mutation => ({
    type: "set-suffix-versionstamp",
    key: a,
    value: text("v"),
    expiry: { type: "in", ms: 10 },
  });
  const { result, changes } = fed.write([suffixed()]);
  assert(result.status === "applied");
  const full = key("a", formatVersionstamp(result.versionstamp));
  assertEquals(full, a + "\x02" + "00000000000000020001" + "\0");
  assertEquals([fed.text(full), fed.text(a)], ["v", undefined]);
  assertEquals(changes.map((it) => it.key), [full]);
  fed.tick(fed.timeMs + 10);
  assertEquals(fed.text(full), undefined);
});

Deno.test("a suffix that makes the key too long is refused, and nothing is changed", () => {
  const fed = new Fed();
  const long = key("x".repeat(KEY_BYTES_MAX - 22 - 1));
  const { result } = fed.write([
    set(a, "1"),
    { type: "set-suffix-versionstamp", key: long, value: text("v"), expiry: { type: "never" } },
  ]);
  assert(result.status === "refused" && result.code === "too-large");
  assertEquals(fed.store.size, 0);
});

Deno.test("what no door lets pass is refused by apply, too: a snapshot has no room for it", () => {
  const fed = new Fed();
  const long = key("x".repeat(KEY_BYTES_MAX - 1));
  const large = bytesValue(new Uint8Array(VALUE_BYTES_MAX + 1));
  const mutations = [set(a, large), set(long, "v"), sum(long, u64Value(1n))];
  for (const mutation of mutations) {
    const { result } = fed.write([set(b, "1"), mutation]);
    assert(result.status === "refused" && result.code === "too-large");
  }
  assertEquals(fed.store.size, 0);
});

Deno.test("a key is gone for reads, checks and sums from the ms in which it is due", () => {
  const fed = new Fed();
  const born = fed.timeMs;
  fed.write([set(a, u64Value(5n), { type: "in", ms: 100 })]);
  fed.write([set(b, "at", { type: "at", timeMs: born + 100 })]);
  const before = fed.get(a)!;
  assertEquals(fed.store.nextExpiryMs(), born + 100);
  fed.tick(born + 99);
  assertEquals([fed.get(a), fed.text(b)], [before, "at"]);
  // In one entry: time moves, the keys go, and only then is the command carried out.
  fed.timeMs = born + 100;
  const stale = fed.write([set(c, "no")], [{ key: a, versionstamp: before.versionstamp }]);
  assertEquals(stale.result.status, "check-failed");
  assertEquals([fed.get(a), fed.get(b)], [null, null]);
  fed.write([sum(a, u64Value(2n))], [{ key: b, versionstamp: null }]);
  assertEquals(fed.get(a)!.value, u64Value(2n));
  assertEquals(fed.store.nextExpiryMs(), null);
});

Deno.test("expired keys are reported as deletes, before what the command of their entry did", () => {
  const fed = new Fed();
  fed.write([set(b, "1", { type: "in", ms: 50 }), set(a, "1", { type: "in", ms: 50 })]);
  fed.write([set(c, "1", { type: "in", ms: 40 })]);
  fed.timeMs += 60;
  const { changes } = fed.write([set(a, "2")]);
  const index = fed.store.index;
  assertEquals(changes.map((it) => [it.key, it.value, it.versionstamp]), [
    [c, null, { index, order: 0 }],
    [a, null, { index, order: 0 }],
    [b, null, { index, order: 0 }],
    [a, text("2"), { index, order: 1 }],
  ]);
  assertEquals(fed.text(a), "2");
});

Deno.test("many keys due at once are hidden at once and removed a bounded number an entry", () => {
  const fed = new Fed();
  const count = 2 * EXPIRED_KEYS_PER_ENTRY_MAX + 10;
  const keys = Array.from({ length: count }, (_, i) => key("k", i));
  for (let i = 0; i < count; i += 100) {
    fed.write(keys.slice(i, i + 100).map((k) => set(k, "x", { type: "in", ms: 5 })));
  }
  const all = { ...prefixRange(["k"]), limit: 1000, reverse: false };
  assertEquals(fed.store.read({ type: "ranges", ranges: [all] }).results[0]!.length, count);
  const removed = [fed.data(encodeClock(), fed.timeMs + 5).changes.length];
  assertEquals(fed.store.read({ type: "ranges", ranges: [all] }).results[0]!.length, 0);
  // A key that is due but still there counts as absent for everything that a command may do to it.
  const last = keys.at(-1)!;
  assertEquals(fed.get(last), null);
  const { result, changes } = fed.write([sum(last, u64Value(1n))], [{
    key: last,
    versionstamp: null,
  }]);
  assertEquals(result.status, "applied");
  removed.push(changes.length - 1);
  removed.push(fed.tick(fed.timeMs).changes.length, fed.tick(fed.timeMs).changes.length);
  assertEquals(removed, [EXPIRED_KEYS_PER_ENTRY_MAX, EXPIRED_KEYS_PER_ENTRY_MAX, 9, 0]);
  assertEquals([fed.store.size, fed.store.nextExpiryMs()], [1, null]);
});

Deno.test("a value that is due when it is written is a delete", () => {
  const fed = new Fed();
  fed.write([set(a, "1")]);
  const past = { type: "at", timeMs: fed.timeMs } as const;
  const { result, changes } = fed.write([set(a, "2", past), set(b, "2", past)]);
  assertEquals(result.status, "applied");
  assertEquals(changes.map((it) => [it.key, it.value]), [[a, null]]);
  assertEquals(fed.store.size, 0);
});

Deno.test("setting a key anew replaces its expiry", () => {
  const fed = new Fed();
  fed.write([set(a, "1", { type: "in", ms: 10 })]);
  fed.write([set(a, "2")]);
  fed.write([set(b, "1", { type: "in", ms: 10 })]);
  fed.write([set(b, "2", { type: "in", ms: 30 })]);
  fed.tick(fed.timeMs + 20);
  assertEquals([fed.text(a), fed.text(b)], ["2", "2"]);
  fed.tick(fed.timeMs + 10);
  assertEquals([fed.text(a), fed.text(b)], ["2", undefined]);
});

Deno.test("replicated time moves with every entry and never back", () => {
  const fed = new Fed();
  fed.tick(5_000);
  assertEquals(fed.store.timeMs, 5_000);
  fed.write([set(a, "1", { type: "in", ms: 100 })]);
  fed.tick(100);
  assertEquals(fed.store.timeMs, 5_000);
  fed.data(encodeClock(), 5_099);
  assertEquals([fed.text(a), fed.store.timeMs], ["1", 5_099]);
  fed.tick(5_100);
  assertEquals(fed.text(a), undefined);
});

Deno.test("read() answers all of a query from one state, in either direction", () => {
  const fed = new Fed();
  fed.write("dabc".split("").map((name) => set(key("r", name), name)));
  const names = (reverse: boolean, limit: number, end?: string) => {
    const range = end === undefined ? prefixRange(["r"]) : prefixRange(["r"], { end: ["r", end] });
    const { results, index } = fed.store.read({
      type: "ranges",
      ranges: [{ ...range, limit, reverse }],
    });
    assertEquals(index, fed.store.index);
    return results[0]!.map((it) => new TextDecoder().decode(it!.value.data)).join("");
  };
  assertEquals(names(false, 100), "abcd");
  assertEquals(names(true, 100), "dcba");
  assertEquals(names(false, 2), "ab");
  assertEquals(names(true, 2), "dc");
  assertEquals(names(true, 100, "c"), "ba");
  const { results } = fed.store.read({ type: "get", keys: [key("r", "b"), a, key("r", "a")] });
  assertEquals(results[0]!.map((it) => it?.key), [key("r", "b"), undefined, key("r", "a")]);
});

Deno.test("read() does not count hidden keys against a limit", () => {
  const fed = new Fed();
  const count = EXPIRED_KEYS_PER_ENTRY_MAX + 20;
  const gone = Array.from(
    { length: count },
    (_, i) => set(key("r", i), "x", { type: "in", ms: 5 }),
  );
  fed.write(gone);
  fed.write([set(key("r", 9999), "y")]);
  fed.tick(fed.timeMs + 5);
  assertEquals(fed.store.size, 21);
  const range = { ...prefixRange(["r"]), limit: 1, reverse: false };
  const { results } = fed.store.read({ type: "ranges", ranges: [range] });
  assertEquals(results[0]!.map((it) => it!.key), [key("r", 9999)]);
});

Deno.test("hash() says when two states differ in anything at all", () => {
  const build = (...steps: ((fed: Fed) => unknown)[]) => {
    const fed = new Fed();
    for (const step of steps) step(fed);
    assertEquals(fed.store.hash(), { index: fed.store.index, hash: hashFromScratch(fed.store) });
    return fed.store.hash().hash;
  };
  const hashes = [
    build((it) => it.write([set(a, "1")])),
    build((it) => it.write([set(a, "2")])),
    build((it) => it.write([set(b, "1")])),
    build((it) => it.write([set(a, bytesValue(new Uint8Array(8)))])),
    build((it) => it.write([set(a, u64Value(0n))])),
    build((it) => it.write([set(a, "1", { type: "in", ms: 9 })])),
    build((it) => it.write([set(a, "1", { type: "in", ms: 8 })])),
    build((it) => it.write([set(a, "1")], [], "once")),
    build((it) => it.write([set(a, "1")], [], "twice")),
    build((it) => it.write([sum(a, u64Value(1n))], [], "once")),
    build((it) => it.write([])),
    build((it) => it.write([], [{ key: a, versionstamp: { index: 1, order: 1 } }])),
    build((it) => it.tick(it.timeMs), (it) => it.write([set(a, "1")])),
    build((it) => it.write([set(a, "1")]), (it) => it.tick(it.timeMs + 1)),
    build((it) => it.data(encodeOpenSession(2)), (it) => it.write([])),
    build((it) => it.data(encodeOpenSession(3)), (it) => it.write([])),
    build(),
  ];
  assertEquals(new Set(hashes).size, hashes.length);
  assertEquals(build((it) => it.write([set(a, "1")])), hashes[0]);
});

Deno.test("a store whose values are tampered with no longer agrees with its own records", () => {
  const fed = new Fed();
  fed.write([set(a, "1234")]);
  fed.get(a)!.value.data[2]! ^= 1;
  assertNotEquals(fed.store.hash().hash, hashFromScratch(fed.store));
});
