import { assertEquals } from "@std/assert";
import { FRESHNESS_KEPT_MAX } from "../../actors/limits_replica.ts";
import { Staleness } from "../../actors/staleness.ts";

Deno.test("Staleness is unknown before the leader was heard, and counts from what is applied", () => {
  const staleness = new Staleness();
  assertEquals(staleness.at(100, 7, -Infinity), null);
  staleness.note(100, 7);
  assertEquals(staleness.at(130.2, 6, -Infinity), null);
  assertEquals(staleness.at(130.2, 7, -Infinity), 31);
});

Deno.test("Staleness counts from the latest fact whose index is applied", () => {
  const staleness = new Staleness();
  for (const [ms, index] of [[100, 5], [200, 8], [300, 9]]) staleness.note(ms, index);
  assertEquals(staleness.at(310, 8, -Infinity), 110);
  assertEquals(staleness.at(310, 8, -Infinity), 110);
  assertEquals(staleness.at(310, 9, -Infinity), 10);
  // What lies behind what is known changes nothing.
  staleness.note(250, 12);
  assertEquals(staleness.at(310, 9, -Infinity), 10);
});

Deno.test("Staleness of an idle state is that of the last fact, however often the index is the same", () => {
  const staleness = new Staleness();
  for (let ms = 0; ms <= 1000; ms++) staleness.note(ms, 5);
  assertEquals(staleness.at(1001, 5, -Infinity), 1);
});

Deno.test("Staleness keeps a bounded number of facts, and only gets coarser by that", () => {
  const staleness = new Staleness();
  const count = 10 * FRESHNESS_KEPT_MAX;
  for (let i = 1; i <= count; i++) staleness.note(i, i);
  assertEquals(staleness.at(count, 5, -Infinity), count - 5);
  const middle = FRESHNESS_KEPT_MAX + 3;
  assertEquals(staleness.at(count, middle, -Infinity), count - (FRESHNESS_KEPT_MAX - 1));
  assertEquals(staleness.at(count, count, -Infinity), 0);
});

Deno.test("Staleness of a later leader with a lower index is believed", () => {
  const staleness = new Staleness();
  staleness.note(100, 9);
  staleness.note(200, 8);
  assertEquals(staleness.at(200, 8, -Infinity), 0);
});

Deno.test("Staleness knows nothing of what was before a clock jump", () => {
  const staleness = new Staleness();
  staleness.note(100, 5);
  assertEquals(staleness.at(150, 5, 100), null);
  staleness.note(160, 5);
  assertEquals(staleness.at(170, 5, 100), 10);
});
