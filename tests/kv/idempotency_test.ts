import { assert, assertEquals } from "@std/assert";
import { encodeOpenSession } from "../../kv/command.ts";
import { IDEMPOTENCY_FORGOTTEN_PER_ENTRY_MAX, IDEMPOTENCY_TTL_MS } from "../../kv/limits.ts";
import { u64Of, u64Value } from "../../kv/value_codec.ts";
import { command, Fed, hashFromScratch, key, remove, set, sum, text, write } from "./support.ts";

const n = key("n");
const increment = sum(n, u64Value(1n));
const counter = (fed: Fed) => u64Of(fed.get(n)!.value);

Deno.test("a command under a known idempotency key gives the first result, from any session", () => {
  const fed = new Fed();
  fed.data(encodeOpenSession(2));
  const first = fed.write([increment], [], "once");
  const again = fed.write([increment], [], "once");
  const elsewhere = fed.data(command(write([increment], [], "once"), 2, 1));
  for (const it of [again, elsewhere]) {
    assertEquals([it.result, it.changes], [first.result, []]);
  }
  assertEquals(counter(fed), 1n);
  // The new sequence has its own memory of it: a copy of the copy is answered alike.
  assertEquals(fed.data(command(write([]), 2, 1)).result, first.result);
  assertEquals(fed.store.remembered().length, 1);
});

Deno.test("refusals and failed checks are remembered under their key, too", () => {
  const fed = new Fed();
  fed.write([set(n, "text")]);
  const refused = fed.write([increment], [], "refused");
  const failed = fed.write([increment], [{ key: n, versionstamp: null }], "failed");
  assertEquals([refused.result.status, failed.result.status], ["refused", "check-failed"]);
  // Both would succeed by now.
  fed.write([remove(n)]);
  assertEquals(fed.write([increment], [], "refused").result, refused.result);
  const retried = fed.write([increment], [{ key: n, versionstamp: null }], "failed");
  assertEquals(retried.result, failed.result);
  assertEquals(fed.get(n), null);
});

Deno.test("another command under a known idempotency key is refused", () => {
  const fed = new Fed();
  fed.write([increment], [], "é");
  const others = [
    write([sum(n, u64Value(2n))], [], "é"),
    write([increment, increment], [], "é"),
    write([increment], [{ key: key("x"), versionstamp: null }], "é"),
    write([set(n, "1")], [], "é"),
  ];
  for (const it of others) {
    const { result, changes } = fed.write([...it.mutations], [...it.checks], it.idempotencyKey);
    assert(result.status === "refused" && result.code === "idempotency-key-reused");
    assertEquals(changes, []);
  }
  assertEquals(counter(fed), 1n);
  assertEquals(fed.write([increment], [], "é").result.status, "applied");
  assertEquals(counter(fed), 1n);
});

Deno.test("a key is forgotten after its time, and can be used for another command", () => {
  const fed = new Fed();
  const start = fed.timeMs;
  fed.write([increment], [], "k");
  fed.timeMs = start + IDEMPOTENCY_TTL_MS - 1;
  fed.write([increment], [], "k");
  assertEquals(counter(fed), 1n);
  fed.timeMs = start + IDEMPOTENCY_TTL_MS;
  fed.write([sum(n, u64Value(5n))], [], "k");
  assertEquals(counter(fed), 6n);
  assertEquals(fed.store.remembered().map((it) => it.appliedMs), [fed.timeMs]);
  assertEquals(fed.store.hash().hash, hashFromScratch(fed.store));
});

Deno.test("many keys due at once are forgotten a bounded number an entry, and count as gone at once", () => {
  const fed = new Fed();
  const count = IDEMPOTENCY_FORGOTTEN_PER_ENTRY_MAX + 50;
  for (let i = 0; i < count; i++) fed.write([increment], [], `k${i}`);
  const last = `k${count - 1}`;
  fed.timeMs += IDEMPOTENCY_TTL_MS;
  assertEquals(fed.write([increment], [], last).result.status, "applied");
  assertEquals(counter(fed), BigInt(count) + 1n);
  assertEquals(fed.store.remembered().length, 50);
  assertEquals(fed.store.hash().hash, hashFromScratch(fed.store));
  fed.tick(fed.timeMs);
  assertEquals(fed.store.remembered().map((it) => it.key), [last]);
  fed.write([increment], [], last);
  assertEquals(counter(fed), BigInt(count) + 1n);
  assertEquals(fed.store.hash().hash, hashFromScratch(fed.store));
});

Deno.test("a full table refuses new keys, answers known ones, and does nothing else", () => {
  const fed = new Fed({ idempotencyKeysMax: 2 });
  const first = fed.write([increment], [], "1");
  fed.write([increment], [], "2");
  const { result, changes } = fed.write([increment], [], "3");
  assert(result.status === "refused" && result.code === "idempotency-full");
  assertEquals(changes, []);
  assertEquals(fed.write([increment], [], "1").result, first.result);
  assertEquals(fed.write([set(key("a"), text("x"))]).result.status, "applied");
  assertEquals(counter(fed), 2n);
  fed.timeMs += IDEMPOTENCY_TTL_MS;
  assertEquals(fed.write([increment], [], "3").result.status, "applied");
  assertEquals(counter(fed), 3n);
});
