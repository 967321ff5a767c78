/**
 * Random logs against a naive model of the store: plain maps, no index, no hash, nothing incremental.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  encodeAtomicWrite,
  encodeClock,
  encodeOpenSession,
  stampCommand,
} from "../../kv/command.ts";
import { decodeKey, prefixRange } from "../../kv/key_codec.ts";
import { IDEMPOTENCY_TTL_MS } from "../../kv/limits.ts";
import { Store } from "../../kv/store.ts";
import type { ApplyResult, AtomicWrite, EncodedKey, Mutation, Value } from "../../kv/types.ts";
import { u64Of, u64Value, v8Of, v8Value } from "../../kv/value_codec.ts";
import { decodeV8 } from "../../kv/v8_codec.ts";
import { formatVersionstamp } from "../../kv/versionstamp.ts";
import { atomicWrite, hashFromScratch } from "./support.ts";

interface Row {
  value: Value;
  stamp: string;
  dies: number;
}

/** A result without the words meant for people. */
const brief = (result: ApplyResult): unknown =>
  result.status === "refused" ? { status: "refused", code: result.code } : result;

class Model {
  rows = new Map<EncodedKey, Row>();
  now = 0;
  answered = new Map<string, unknown>();
  once = new Map<string, { body: string; answer: unknown; until: number }>();

  sweep(timeMs: number): void {
    this.now = Math.max(this.now, timeMs);
    for (const [k, row] of this.rows) if (row.dies <= this.now) this.rows.delete(k);
  }

  command(index: number, name: string, write: AtomicWrite): unknown {
    if (this.answered.has(name)) return this.answered.get(name);
    const answer = this.underKey(index, write);
    this.answered.set(name, answer);
    return answer;
  }

  underKey(index: number, write: AtomicWrite): unknown {
    if (write.idempotencyKey === null) return this.carryOut(index, write);
    const known = this.once.get(write.idempotencyKey);
    const body = encodeAtomicWrite(write).toHex();
    if (known !== undefined && known.until > this.now) {
      return known.body === body
        ? known.answer
        : { status: "refused", code: "idempotency-key-reused" };
    }
    const answer = this.carryOut(index, write);
    this.once.set(write.idempotencyKey, { body, answer, until: this.now + IDEMPOTENCY_TTL_MS });
    return answer;
  }

  carryOut(index: number, write: AtomicWrite): unknown {
    const failedChecks = write.checks.flatMap((check, i) => {
      const stamp = check.versionstamp === null
        ? undefined
        : formatVersionstamp(check.versionstamp);
      return this.rows.get(check.key)?.stamp === stamp ? [] : [i];
    });
    if (failedChecks.length > 0) return { status: "check-failed", failedChecks };
    const former = new Map(this.rows);
    const versionstamp = { index, order: 1 };
    for (const mutation of write.mutations) {
      const code = this.mutate(mutation, formatVersionstamp(versionstamp));
      if (code !== null) {
        this.rows = former;
        return { status: "refused", code };
      }
    }
    return { status: "applied", versionstamp };
  }

  mutate(mutation: Mutation, stamp: string): string | null {
    if (mutation.type === "delete") {
      this.rows.delete(mutation.key);
      return null;
    }
    let key = mutation.key;
    if (mutation.type === "set" || mutation.type === "set-suffix-versionstamp") {
      if (mutation.type !== "set") key = key + `\x02${stamp}\0` as EncodedKey;
      const { expiry } = mutation;
      const dies = expiry.type === "never"
        ? Infinity
        : expiry.type === "at"
        ? expiry.timeMs
        : this.now + expiry.ms;
      if (dies <= this.now) this.rows.delete(key);
      else this.rows.set(key, { value: mutation.value, stamp, dies });
      return null;
    }
    const value = this.arithmetic(mutation, this.rows.get(key)?.value);
    if (typeof value === "string") return value;
    this.rows.set(key, { value, stamp, dies: Infinity });
    return null;
  }

  arithmetic(
    mutation: Extract<Mutation, { type: "sum" | "min" | "max" }>,
    stored: Value | undefined,
  ): Value | string {
    const operand = u64Of(mutation.value);
    const current = stored === undefined ? undefined : u64Of(stored);
    if (mutation.type !== "sum") {
      if (operand === null || current === null) return "sum-type-mismatch";
      if (current === undefined) return mutation.value;
      const [low, high] = operand < current ? [operand, current] : [current, operand];
      return u64Value(mutation.type === "min" ? low : high);
    }
    const bounds = [mutation.min, mutation.max].map((it) => it === null ? undefined : decodeV8(it));
    const bounded = bounds.some((it) => it !== undefined);
    if (operand !== null) {
      if (bounded || current === null) return "sum-type-mismatch";
      return u64Value((current ?? 0n) + operand);
    }
    const by = v8Of(mutation.value);
    if (by === null || bounds.some((it) => it !== undefined && typeof it !== typeof by)) {
      return "sum-type-mismatch";
    }
    if (stored === undefined) return v8Value(by);
    if (current !== null && typeof by === "bigint" && by >= 0n && by < 1n << 64n) {
      if (!bounded && !mutation.clamp) return u64Value(current! + by);
    }
    const from = v8Of(stored);
    if (from === null || typeof from !== typeof by) return "sum-type-mismatch";
    let total = (from as number) + (by as number);
    const [min, max] = bounds as (number | undefined)[];
    // In this order: of bounds the wrong way round the maximum wins.
    if (min !== undefined && total < min) {
      if (!mutation.clamp) return "sum-out-of-range";
      total = min;
    }
    if (max !== undefined && total > max) {
      if (!mutation.clamp) return "sum-out-of-range";
      total = max;
    }
    return v8Value(total);
  }
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      act: fc.constant("write" as const),
      write: atomicWrite,
      session: fc.constantFrom(1, 2),
      /** Below zero: a copy of a command that was there before. */
      repeat: fc.nat(4),
      passMs: fc.constantFrom(0, 0, 1, 15),
    }),
  },
  fc.record({
    act: fc.constantFrom("clock" as const, "no-op" as const),
    passMs: fc.constantFrom(0, 1, 40, 40, IDEMPOTENCY_TTL_MS),
  }),
);

Deno.test("a store is what a naive model is after any log, and its hash what it is from scratch", () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
      const store = new Store();
      const twin = new Store();
      const model = new Model();
      let index = 0;
      let timeMs = 1_000;
      const log = (data: Uint8Array, isCommand = true) => {
        index++;
        model.sweep(timeMs);
        const applied = store.apply({ index, timeMs, data, isCommand });
        assertEquals(twin.apply({ index, timeMs, data, isCommand }), applied);
        return applied;
      };
      log(encodeOpenSession(1));
      log(encodeOpenSession(2));
      const sent: { name: string; data: Uint8Array; write: AtomicWrite }[] = [];
      const mirror = new Map<EncodedKey, Value>();
      for (const it of steps) {
        timeMs += it.passMs;
        if (it.act !== "write") {
          const { changes } = log(
            it.act === "clock" ? encodeClock() : new Uint8Array(0),
            it.act === "clock",
          );
          for (const { key } of changes) mirror.delete(key);
        } else {
          const sequence = sent.length + 1;
          const data = encodeAtomicWrite(it.write);
          stampCommand(data, it.session, sequence, 0);
          const fresh = { name: `${it.session}/${sequence}`, data, write: it.write };
          const one = it.repeat === 0 ? sent[sequence >> 1] ?? fresh : fresh;
          if (one === fresh) sent.push(fresh);
          const applied = log(one.data);
          const expected = model.command(index, one.name, one.write);
          assertEquals(brief(applied.result), expected);
          for (const { key, value } of applied.changes) {
            if (value === null) mirror.delete(key);
            else mirror.set(key, value);
          }
          const { status } = applied.result;
          seen.set(status, (seen.get(status) ?? 0) + 1);
        }
        compareStates(store, model);
        // Who follows the changes knows the whole state.
        assertEquals([...mirror.keys()].sort(), [...model.rows.keys()].sort());
        for (const [k, row] of model.rows) assertEquals(mirror.get(k), row.value);
      }
      assertEquals(store.hash(), twin.hash());
      assertEquals(store.hash().hash, hashFromScratch(store));
    }),
    { numRuns: 250 },
  );
  for (const status of ["applied", "refused", "check-failed"]) {
    assert((seen.get(status) ?? 0) > 50, `${status}: ${seen.get(status)}`);
  }
});

function compareStates(store: Store, model: Model): void {
  const expected = [...model.rows].sort(([a], [b]) => a < b ? -1 : 1);
  const range = { ...prefixRange(["small"]), limit: 1000 };
  const { results } = store.read({
    type: "ranges",
    ranges: [{ ...range, reverse: false }, { ...range, reverse: true }],
  });
  const found = results[0]!.map((entry) => entry!);
  assertEquals(found.map((it) => decodeKey(it.key)), expected.map(([k]) => decodeKey(k)));
  found.forEach((it, i) => {
    assertEquals(it.value, expected[i]![1].value);
    assertEquals(formatVersionstamp(it.versionstamp), expected[i]![1].stamp);
  });
  assertEquals(results[1]!.map((it) => it!.key), found.map((it) => it.key).reverse());
  const keys = expected.map(([k]) => k);
  assertEquals(store.read({ type: "get", keys }).results[0], found);
}
