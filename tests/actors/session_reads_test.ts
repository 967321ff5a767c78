import { assertEquals, assertInstanceOf } from "@std/assert";
import { SESSION_READS_MAX } from "../../actors/limits_replica.ts";
import { NotCaughtUp, NotServing, Overloaded } from "../../actors/outcomes.ts";
import { SessionReads } from "../../actors/session_reads.ts";

class Bench {
  readonly rejected: (readonly [string, Error])[] = [];
  readonly #names = new Map<unknown, string>();
  readonly reads = new SessionReads((reply, error) => {
    this.rejected.push([this.#names.get(reply)!, error]);
  });

  admit(name: string, minIndex: number, deadlineMs = 1000): void {
    const reply = { settled: false };
    this.#names.set(reply, name);
    this.reads.admit({ query: { type: "get", keys: [] }, reply, minIndex, deadlineMs });
  }

  ready(applied: number): string[] {
    return this.reads.takeReady(applied).map(({ reply }) => this.#names.get(reply)!);
  }
}

Deno.test("SessionReads releases each read at its index, not before, and once", () => {
  const bench = new Bench();
  bench.admit("at 7", 7);
  bench.admit("at 5", 5);
  bench.admit("at 6", 6);
  assertEquals(bench.ready(4), []);
  assertEquals(bench.ready(6), ["at 5", "at 6"]);
  assertEquals(bench.ready(6), []);
  assertEquals(bench.ready(100), ["at 7"]);
  assertEquals(bench.reads.size, 0);
});

Deno.test("SessionReads refuses what has waited long enough, and says how far the replica is", () => {
  const bench = new Bench();
  bench.admit("early", 5, 100);
  bench.admit("late", 5, 200);
  bench.reads.tick(99, 4);
  assertEquals(bench.rejected, []);
  bench.reads.tick(100, 4);
  assertEquals(bench.rejected.map(([name]) => name), ["early"]);
  assertInstanceOf(bench.rejected[0][1], NotCaughtUp);
  assertEquals(bench.ready(5), ["late"]);
});

Deno.test("SessionReads refuses beyond its limit, and has room again once others are answered", () => {
  const bench = new Bench();
  for (let i = 0; i < SESSION_READS_MAX; i++) bench.admit("x", 5);
  bench.admit("one too many", 5);
  assertEquals(bench.rejected.map(([name]) => name), ["one too many"]);
  assertInstanceOf(bench.rejected[0][1], Overloaded);
  assertEquals(bench.ready(5).length, SESSION_READS_MAX);
  bench.admit("again", 6);
  assertEquals(bench.ready(6), ["again"]);
});

Deno.test("SessionReads that is abandoned rejects everything", () => {
  const bench = new Bench();
  bench.admit("a", 5);
  bench.admit("b", 6);
  bench.reads.abandon(new NotServing("gone"));
  assertEquals(bench.rejected.map(([name]) => name), ["a", "b"]);
  assertEquals(bench.reads.size, 0);
});
