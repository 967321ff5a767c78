/**
 * Random atomic operations on a real Deno KV and on a store: the same outcomes, entries and order.
 *
 * Left out are the two differences: expiry (Deno KV's is late) and what a failing mutation leaves
 * behind (Deno KV keeps the mutations before it; the store keeps none).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { serialize } from "node:v8";
import { deserialize } from "node:v8";
import { decodeKey, encodeKey } from "../../kv/key_codec.ts";
import {
  type Check,
  type KeyPart,
  type Mutation,
  type StoredEntry,
  type Value,
  ValueEncoding,
} from "../../kv/types.ts";
import { bytesValue, u64Of, u64Value } from "../../kv/value_codec.ts";
import { Fed } from "./support.ts";

/** A value as a program gives it to Deno KV, in the bytes that Deno's client makes of it. */
function valueOf(js: unknown): Value {
  if (js instanceof Deno.KvU64) return u64Value(js.value);
  if (js instanceof Uint8Array) return bytesValue(js);
  return { encoding: ValueEncoding.V8, data: new Uint8Array(serialize(js)) };
}

function jsOf({ encoding, data }: Value): unknown {
  if (encoding === ValueEncoding.Bytes) return data;
  return encoding === ValueEncoding.V8
    ? deserialize(data)
    : new Deno.KvU64(u64Of({ encoding, data })!);
}

const u64 = fc.oneof(fc.nat(20).map(BigInt), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }));
const jsValue = fc.oneof(
  { weight: 2, arbitrary: u64.map((n) => new Deno.KvU64(n)) },
  { weight: 2, arbitrary: fc.oneof(fc.integer({ min: -50, max: 50 }), fc.double()) },
  { weight: 2, arbitrary: fc.bigInt({ min: -(1n << 70n), max: 1n << 70n }) },
  fc.uint8Array({ maxLength: 5 }),
  fc.constantFrom<unknown>("text", null, { a: [1] }, true),
);
const keys: KeyPart[][] = [["a"], ["b"], ["b", 1], ["b", 2n], ["b", "c"], [true], [
  new Uint8Array([0]),
]];
const peerKey = fc.constantFrom(...keys);

type Op =
  | { type: "set"; key: KeyPart[]; value: unknown }
  | { type: "delete"; key: KeyPart[] }
  | { type: "sum" | "min" | "max"; key: KeyPart[]; value: unknown };

const plain: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant("set" as const), key: peerKey, value: jsValue }),
  },
  fc.record({ type: fc.constant("delete" as const), key: peerKey }),
);
const arithmetic: fc.Arbitrary<Op> = fc.record({
  type: fc.constantFrom(
    "sum" as const,
    "sum" as const,
    "sum" as const,
    "min" as const,
    "max" as const,
  ),
  key: peerKey,
  value: jsValue,
});
/** At most one mutation that may fail, and nothing before it that Deno KV would leave behind. */
const ops: fc.Arbitrary<Op[]> = fc.oneof(
  fc.array(plain, { minLength: 1, maxLength: 5 }),
  fc.tuple(arithmetic, fc.array(plain, { maxLength: 2 })).map(([op, rest]) => [op, ...rest]),
);
const operation = fc.record({
  ops,
  checks: fc.array(fc.record({ key: peerKey, want: fc.constantFrom("now", "absent", "old") }), {
    maxLength: 2,
  }),
});

function mutationOf(op: Op): Mutation {
  const key = encodeKey(op.key);
  switch (op.type) {
    case "delete":
      return { type: "delete", key };
    case "set":
      return { type: "set", key, value: valueOf(op.value), expiry: { type: "never" } };
    case "sum":
      return { type: "sum", key, value: valueOf(op.value), min: null, max: null, clamp: false };
    default:
      return { type: op.type, key, value: valueOf(op.value) };
  }
}

/** What a program sees of an entry, versionstamps aside: those count differently. */
const seen = (key: readonly unknown[], value: unknown) => ({ key: [...key], value });

async function compareListings(kv: Deno.Kv, fed: Fed): Promise<void> {
  const whole = { start: encodeKey([]), end: "\xff" as never, limit: 1000 };
  for (const reverse of [false, true]) {
    const theirs = (await Array.fromAsync(kv.list({ prefix: [] }, { reverse })))
      .map(({ key, value }) => seen(key, value));
    const { results } = fed.store.read({ type: "ranges", ranges: [{ ...whole, reverse }] });
    const ours = (results[0] as StoredEntry[]).map((it) => seen(decodeKey(it.key), jsOf(it.value)));
    assertEquals(ours, theirs);
  }
}

Deno.test("a store does what Deno KV does", async () => {
  const outcomes = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 12 }), async (operations) => {
      const kv = await Deno.openKv(":memory:");
      try {
        const fed = new Fed();
        for (const { ops, checks } of operations) {
          const atomic = kv.atomic();
          const ourChecks: Check[] = [];
          for (const { key, want } of checks) {
            const theirs = want === "absent"
              ? null
              : want === "old"
              ? "00000000000000000001"
              : (await kv.get(key)).versionstamp;
            atomic.check({ key, versionstamp: theirs });
            const ours = fed.get(encodeKey(key))?.versionstamp ?? null;
            ourChecks.push({
              key: encodeKey(key),
              versionstamp: want === "absent"
                ? null
                : want === "old"
                ? { index: 1, order: 0 }
                : ours,
            });
          }
          for (const op of ops) {
            atomic.mutate(
              op.type === "delete" ? op : { ...op, value: op.value as Deno.KvU64 },
            );
          }
          const theirs = await atomic.commit().then((it) => it.ok ? "applied" : "check-failed")
            .catch((error: Error) => error.message);
          const { result } = fed.write(ops.map(mutationOf), ourChecks);
          assertEquals(result.status === "refused" ? result.message : result.status, theirs);
          outcomes.set(theirs, (outcomes.get(theirs) ?? 0) + 1);
        }
        await compareListings(kv, fed);
      } finally {
        kv.close();
      }
    }),
    { numRuns: 120 },
  );
  assert(outcomes.get("applied")! > 100 && outcomes.get("check-failed")! > 50);
  const refusals = [...outcomes.keys()].filter((it) => it.includes("sum"));
  assert(refusals.length >= 3, `${[...outcomes.keys()]}`);
});

Deno.test("a value that the store computed reads back in Deno KV, and the other way about", async () => {
  const kv = await Deno.openKv(":memory:");
  try {
    const fed = new Fed();
    const key: KeyPart[] = ["n"];
    for (const [start, by] of [[5, 2.5], [-7n, 1n << 65n], [2 ** 31 - 1, 1], [0, -0]] as const) {
      await kv.set(key, start);
      await kv.atomic().mutate({ type: "sum", key, value: by as never }).commit();
      fed.write([
        mutationOf({ type: "set", key, value: start }),
        mutationOf({ type: "sum", key, value: by }),
      ]);
      const ours = jsOf(fed.get(encodeKey(key))!.value);
      assert(Object.is(ours, (await kv.get(key)).value));
      await kv.set(key, ours);
      assert(Object.is((await kv.get(key)).value, ours));
    }
  } finally {
    kv.close();
  }
});
