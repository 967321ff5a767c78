import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { encodeClock, encodeOpenSession } from "../../kv/command.ts";
import { SESSION_RESULTS_MAX, SESSION_TTL_MS, SESSIONS_MAX } from "../../kv/limits.ts";
import { Sessions } from "../../kv/sessions.ts";
import { MultisetHash } from "../../kv/state_hash.ts";
import { u64Of, u64Value } from "../../kv/value_codec.ts";
import { command, Fed, hashFromScratch, key, set, sum, write } from "./support.ts";

const n = key("n");
const increment = (session: number, sequence: number, lowWater = 0) =>
  command(write([sum(n, u64Value(1n))]), session, sequence, lowWater);
const counter = (fed: Fed) => fed.get(n) === null ? 0n : u64Of(fed.get(n)!.value);

Deno.test("a command of a session that is not open does nothing", () => {
  const fed = new Fed();
  for (const session of [0, 7]) {
    const { result, changes } = fed.data(increment(session, 1));
    assertEquals([result, changes], [{ status: "session-unknown" }, []]);
  }
  assertEquals(counter(fed), 0n);
});

Deno.test("a command applied twice gives the first result and changes nothing", () => {
  const fed = new Fed();
  fed.data(encodeOpenSession(7));
  const first = fed.data(increment(7, 1));
  const failed = fed.data(command(write([], [{ key: n, versionstamp: null }]), 7, 2, 0));
  const refused = fed.data(
    command(write([sum(n, { encoding: 3, data: new Uint8Array() })]), 7, 3, 0),
  );
  const before = fed.store.hash().hash;
  for (const [sequence, it] of [[1, first], [2, failed], [3, refused]] as const) {
    // Even if the copy's body were another: what counts is the sequence.
    const again = fed.data(increment(7, sequence));
    assertEquals([again.result, again.changes], [it.result, []]);
  }
  assertEquals(first.result, { status: "applied", versionstamp: { index: 3, order: 1 } });
  assertEquals(failed.result.status, "check-failed");
  assertEquals(refused.result.status, "refused");
  assertEquals(counter(fed), 1n);
  assertEquals(fed.store.hash().hash, before);
});

Deno.test("commands below the low water are stale once their results are forgotten", () => {
  const fed = new Fed();
  fed.data(encodeOpenSession(7));
  fed.data(increment(7, 1));
  fed.data(increment(7, 4, 2));
  assertEquals(fed.data(increment(7, 1)).result, { status: "stale" });
  // Never applied, but said to be answered: must not be applied either.
  fed.data(increment(7, 9, 4));
  assertEquals(fed.data(increment(7, 3)).result, { status: "stale" });
  // A command that calls itself answered.
  assertEquals(fed.data(increment(7, 10, 11)).result, { status: "stale" });
  assertEquals(fed.data(increment(7, 5, 4)).result.status, "applied");
  assertEquals(fed.data(increment(7, 4, 4)).result.status, "applied");
  assertEquals(counter(fed), 4n);
  const results = [...fed.store.sessions()].find((it) => it.id === 7)!;
  assertEquals([...results.results.keys()].sort(), [4, 5, 9]);
  assertEquals(results.lowWater, 4);
});

Deno.test("opening an open session keeps what it remembers", () => {
  const fed = new Fed();
  fed.data(encodeOpenSession(7));
  const first = fed.data(increment(7, 1));
  assertEquals(fed.data(encodeOpenSession(7)).result.status, "applied");
  assertEquals(fed.data(increment(7, 1)).result, first.result);
});

Deno.test("an idle session is closed after its time, an active one is not", () => {
  const fed = new Fed();
  const start = fed.timeMs;
  for (const id of [1, 2, 3]) fed.data(encodeOpenSession(id));
  fed.data(increment(2, 1), start + 10);
  fed.data(encodeOpenSession(3), start + 20);
  fed.data(encodeClock(), start + SESSION_TTL_MS - 1);
  assertEquals([...fed.store.sessions()].length, 4);
  fed.data(encodeClock(), start + SESSION_TTL_MS);
  assertEquals([...fed.store.sessions()].map((it) => it.id), [2, 3]);
  fed.tick(start + SESSION_TTL_MS + 10);
  assertEquals([...fed.store.sessions()].map((it) => it.id), [3]);
  assertEquals(fed.data(increment(2, 1)).result.status, "session-unknown");
  fed.tick(start + SESSION_TTL_MS + 20);
  assertEquals([...fed.store.sessions()].length, 0);
  assertEquals(fed.store.hash().hash, hashFromScratch(fed.store));
  assertEquals(counter(fed), 1n);
});

Deno.test("one session too many closes the longest idle, of equals the lowest id", () => {
  const hash = new MultisetHash();
  const sessions = new Sessions(hash);
  for (let id = SESSIONS_MAX; id >= 1; id--) sessions.open(id, id <= 3 ? 500 : 100);
  sessions.open(4, 200);
  const ids = () => new Set([...sessions.entries()].map((it) => it.id));
  sessions.open(SESSIONS_MAX + 1, 600);
  assert(!ids().has(5) && ids().has(4) && ids().has(6));
  sessions.open(SESSIONS_MAX + 2, 600);
  assert(!ids().has(6));
  assertEquals(sessions.size, SESSIONS_MAX);
});

Deno.test("a session that never raises its low water forgets its lowest results, and stays safe", () => {
  const hash = new MultisetHash();
  const sessions = new Sessions(hash);
  sessions.open(1, 0);
  const result = { status: "applied", versionstamp: { index: 1, order: 1 } } as const;
  for (let sequence = 1; sequence <= SESSION_RESULTS_MAX + 1; sequence++) {
    assertEquals(sessions.recall(1, sequence, 0), null);
    sessions.remember(1, sequence, 0, result, sequence >> 3);
  }
  const [session] = sessions.entries();
  assertEquals(session!.results.size, SESSION_RESULTS_MAX / 2 + 1);
  assertEquals(sessions.recall(1, 1, 0), { status: "stale" });
  assertEquals(sessions.recall(1, SESSION_RESULTS_MAX + 1, 0), result);
});

/** What a node under load does to the log: commands several in flight, out of order, proposed again. */
Deno.test("every command is applied exactly once, however often and in whatever order it comes", () => {
  const arrival = fc.record({
    session: fc.constantFrom(1, 2),
    ahead: fc.nat(5),
    copies: fc.integer({ min: 1, max: 3 }),
  });
  fc.assert(
    fc.property(fc.array(arrival, { minLength: 1, maxLength: 60 }), (arrivals) => {
      const fed = new Fed();
      const twin = new Fed();
      for (const it of [fed, twin]) {
        for (const id of [1, 2]) it.data(encodeOpenSession(id));
      }
      const open = new Map([[1, { next: 1, low: 1 }], [2, { next: 1, low: 1 }]]);
      const answers = new Map<string, unknown>();
      let distinct = 0n;
      for (const { session, ahead, copies } of arrivals) {
        const state = open.get(session)!;
        const sequence = state.low + ahead;
        const data = command(
          write([sum(n, u64Value(1n)), set(key(session), "x")]),
          session,
          sequence,
          state.low,
        );
        for (let copy = 0; copy < copies; copy++) {
          const { result } = fed.data(data);
          assertEquals(twin.data(data).result, result);
          const name = `${session}/${sequence}`;
          if (!answers.has(name)) {
            answers.set(name, result);
            distinct++;
          }
          assertEquals(result, answers.get(name));
          assertEquals(result.status, "applied");
        }
        while (answers.has(`${session}/${state.low}`)) state.low++;
      }
      assertEquals(counter(fed), distinct);
      assertEquals(fed.store.hash(), twin.store.hash());
      assertEquals(fed.store.hash().hash, hashFromScratch(fed.store));
    }),
    { numRuns: 150 },
  );
});
