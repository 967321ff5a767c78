import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { type PendingRead, Reads } from "../../actors/reads.ts";
import { NoLeader, NotServing, Overloaded } from "../../actors/outcomes.ts";
import { PENDING_READS_MAX, READ_RETRY_TICKS_MIN } from "../../actors/limits_replica.ts";
import { encodeKey } from "../../kv/key_codec.ts";

class Bench {
  readonly rejected: (readonly [string, Error])[] = [];
  readonly #names = new Map<unknown, string>();
  readonly reads = new Reads(0, (reply, error) => {
    this.rejected.push([this.#names.get(reply)!, error]);
  });

  admit(name: string, deadlineMs = 5000, lease = false): void {
    const reply = { settled: false };
    this.#names.set(reply, name);
    const query = { type: "get", keys: [encodeKey([name])] } as const;
    this.reads.admit({ query, reply, deadlineMs, lease });
  }

  begin(): number[] {
    return this.reads.begin().map(({ id }) => id);
  }

  ready(index: number): string[] {
    return this.reads.takeReady(index).flatMap(({ reads }) =>
      reads.map((read: PendingRead) => this.#names.get(read.reply)!)
    );
  }
}

Deno.test("Reads gathers all that wait under one id, never used twice", () => {
  const bench = new Bench();
  assertEquals(bench.begin(), []);
  bench.admit("a");
  bench.admit("b");
  assertEquals(bench.begin(), [1]);
  assertEquals(bench.begin(), []);
  bench.admit("c");
  assertEquals(bench.begin(), [2]);
});

Deno.test("Reads never uses an id of an earlier boot (bug 18)", () => {
  const first = (boot: number) => {
    const reads = new Reads(boot, () => {});
    const query = { type: "get", keys: [encodeKey(["a"])] } as const;
    reads.admit({ query, reply: { settled: false }, deadlineMs: 1, lease: false });
    return reads.begin()[0].id;
  };
  assert(first(2) - first(1) >= 2 ** 32);
  assert(first(2 ** 16 - 1) + 2 ** 32 <= 2 ** 48 + 1);
});

Deno.test("Reads keeps those that a lease will do for apart, and says what was done for each", () => {
  const bench = new Bench();
  bench.admit("by round");
  bench.admit("by lease", 5000, true);
  bench.admit("by lease, too", 5000, true);
  assertEquals(bench.reads.begin(), [{ id: 1, lease: false }, { id: 2, lease: true }]);
  bench.reads.confirmed(1, 7, true);
  bench.reads.confirmed(2, 7, true);
  bench.admit("without a lease", 5000, true);
  bench.begin();
  bench.reads.confirmed(3, 7, false);
  const ready = bench.reads.takeReady(7);
  assertEquals(ready.map(({ served, reads }) => [served, reads.length]), [
    ["linearizable", 1],
    ["lease", 2],
    ["linearizable", 1],
  ]);
  assertEquals(bench.reads.size, 0);
});

Deno.test("Reads that a lease would have done for start over as such when they are refused", () => {
  const bench = new Bench();
  bench.admit("a", 5000, true);
  bench.begin();
  bench.reads.refused(1);
  bench.reads.askAgain();
  assertEquals(bench.reads.begin(), [{ id: 2, lease: true }]);
});

Deno.test("Reads releases a batch once its index is applied, and not before", () => {
  const bench = new Bench();
  bench.admit("a");
  bench.begin();
  assertEquals(bench.ready(100), []);
  bench.reads.confirmed(1, 7, true);
  assertEquals(bench.ready(6), []);
  assertEquals(bench.ready(7), ["a"]);
  assertEquals(bench.ready(8), []);
  assertEquals(bench.reads.size, 0);
});

Deno.test("Reads releases several batches in the order of their indexes", () => {
  const bench = new Bench();
  for (const name of ["a", "b", "c"]) {
    bench.admit(name);
    bench.begin();
  }
  bench.reads.confirmed(3, 5, true);
  bench.reads.confirmed(1, 9, true);
  bench.reads.confirmed(2, 3, true);
  assertEquals(bench.ready(5), ["b", "c"]);
  assertEquals(bench.ready(9), ["a"]);
});

Deno.test("Reads starts a refused attempt over under a fresh id (bug 18)", () => {
  const bench = new Bench();
  bench.admit("a");
  assertEquals(bench.begin(), [1]);
  bench.reads.refused(1);
  bench.reads.askAgain();
  assertEquals(bench.begin(), [2]);
  bench.reads.confirmed(1, 1, true); // The answer to the attempt that was given up.
  assertEquals(bench.ready(1), []);
  bench.reads.confirmed(2, 4, true);
  assertEquals(bench.ready(4), ["a"]);
});

for (const lease of [false, true]) {
  const kind = lease ? "lease" : "linearizable";
  Deno.test(`Reads asks who refused a ${kind} read again with the next tick only, so that two nodes cannot keep each other busy`, () => {
    const bench = new Bench();
    bench.admit("a", 5000, lease);
    assertEquals(bench.begin(), [1]);
    bench.reads.refused(1);
    assertEquals(bench.begin(), []);
    assertEquals(bench.reads.size, 1);
    bench.reads.tick(0, false, true);
    assertEquals(bench.begin(), [2]);
    bench.reads.refused(2);
    bench.reads.tick(5000, false, true);
    assertEquals(bench.rejected.map(([name]) => name), ["a"]);
    assertEquals(bench.begin(), []);
  });
}

Deno.test("Reads starts over an attempt that got no answer", () => {
  const bench = new Bench();
  bench.admit("a");
  bench.begin();
  for (let tick = 1; tick < READ_RETRY_TICKS_MIN; tick++) bench.reads.tick(0, false, true);
  assertEquals(bench.begin(), []);
  bench.reads.tick(0, false, true);
  assertEquals(bench.begin(), [2]);
});

Deno.test("Reads asks again ever more slowly, and takes the answer to any attempt", () => {
  const bench = new Bench();
  bench.admit("a");
  bench.begin();
  const attempts: number[] = [];
  for (let tick = 1; tick <= 16 * READ_RETRY_TICKS_MIN; tick++) {
    bench.reads.tick(0, false, true);
    if (bench.begin().length > 0) attempts.push(tick);
  }
  assertEquals(attempts, [1, 3, 7, 15].map((times) => times * READ_RETRY_TICKS_MIN));
  bench.reads.refused(3);
  bench.reads.confirmed(2, 4, true);
  assertEquals(bench.ready(4), ["a"]);
  bench.reads.confirmed(5, 5, true);
  assertEquals(bench.ready(5), []);
});

Deno.test("Reads begins one attempt for a round that was refused when it was about to ask again", () => {
  const bench = new Bench();
  bench.admit("a");
  bench.begin();
  for (let tick = 0; tick < READ_RETRY_TICKS_MIN; tick++) bench.reads.tick(0, false, true);
  bench.reads.refused(1);
  bench.admit("overdue", 1);
  bench.reads.tick(1, false, true);
  assertEquals(bench.rejected.map(([name]) => name), ["overdue"]);
  assertEquals(bench.begin(), [2]);
  bench.reads.confirmed(2, 4, true);
  assertEquals(bench.ready(4), ["a"]);
  assertEquals(bench.reads.size, 0);
});

Deno.test("Reads begins no attempt for a round that was answered when it was about to ask again", () => {
  const bench = new Bench();
  bench.admit("a");
  bench.begin();
  for (let tick = 0; tick < READ_RETRY_TICKS_MIN; tick++) bench.reads.tick(0, false, true);
  bench.reads.confirmed(1, 4, true);
  assertEquals(bench.begin(), []);
  assertEquals(bench.ready(4), ["a"]);
  assertEquals(bench.reads.size, 0);
});

Deno.test("Reads does not ask again while its own node leads", () => {
  const bench = new Bench();
  bench.admit("a");
  bench.begin();
  for (let tick = 0; tick < 100; tick++) bench.reads.tick(0, true, true);
  assertEquals(bench.begin(), []);
});

Deno.test("Reads ends what is overdue wherever it waits, and only that", () => {
  const bench = new Bench();
  bench.admit("confirmed", 100);
  bench.begin();
  bench.reads.confirmed(1, 9, true);
  bench.admit("asked", 100);
  bench.begin();
  bench.admit("queued", 100);
  bench.admit("in time", 200);
  bench.reads.tick(99, false, false);
  assertEquals(bench.rejected, []);
  bench.reads.tick(100, false, false);
  assertEquals(bench.rejected.map(([name]) => name).sort(), ["asked", "confirmed", "queued"]);
  assertInstanceOf(bench.rejected[0][1], NoLeader);
  assertEquals(bench.reads.size, 1);
  bench.reads.tick(200, false, true);
  assertEquals(bench.rejected[3][0], "in time");
  assertEquals(bench.reads.size, 0);
  assertEquals(bench.ready(9), []);
});

Deno.test("Reads refuses beyond its limit", () => {
  const bench = new Bench();
  for (let i = 0; i < PENDING_READS_MAX; i++) bench.admit("x");
  bench.admit("one too many");
  assertEquals(bench.rejected.map(([name]) => name), ["one too many"]);
  assertInstanceOf(bench.rejected[0][1], Overloaded);
});

Deno.test("Reads that is abandoned rejects everything", () => {
  const bench = new Bench();
  bench.admit("asked");
  bench.begin();
  bench.admit("queued");
  bench.reads.abandon(new NotServing("gone"));
  assertEquals(bench.rejected.map(([name]) => name).sort(), ["asked", "queued"]);
  assertEquals(bench.reads.size, 0);
});
