/** When a node tells that it cannot reach a peer. */
import { assertEquals } from "@std/assert";
import { UNREACHED_MS } from "../../cli/limits.ts";
import { Unreached } from "../../cli/unreached.ts";

Deno.test("Unreached tells once of a peer that is tried in vain for long, and again after it was reached", () => {
  let nowMs = 5;
  const unreached = new Unreached(() => nowMs);
  const tries = (peer: string, ...waitsMs: number[]) =>
    waitsMs.map((waitMs) => {
      nowMs += waitMs;
      return unreached.isDue(peer);
    });
  const expected = [false, false, false, true, false, false];
  assertEquals(tries("n2", 0, 100, UNREACHED_MS - 101, 1, 1, UNREACHED_MS), expected);
  // Each peer for itself.
  assertEquals(tries("n3", 0, UNREACHED_MS), [false, true]);
  unreached.reached("n2");
  assertEquals(tries("n2", UNREACHED_MS, UNREACHED_MS), [false, true]);
});
