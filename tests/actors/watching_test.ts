import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  WATCH_HEARTBEAT_MS,
  WATCH_SCAN_CHANGES_MAX,
  WATCH_STALE_MS,
  WATCHES_MAX,
} from "../../actors/limits_replica.ts";
import { Draining, NotCaughtUp, Overloaded, TooStale } from "../../actors/outcomes.ts";
import type { Watch, WatchRequest } from "../../actors/service.ts";
import { type VirtualEnv, virtualEnv } from "../../actors/virtual_env.ts";
import { WatchPlaces } from "../../actors/watch_places.ts";
import { Watching } from "../../actors/watching.ts";
import { endOf } from "../../kv/change_feed.ts";
import { FEED_CHANGES_MAX } from "../../kv/limits.ts";
import type { Change, Versionstamp } from "../../kv/types.ts";
import { bytesValue } from "../../kv/value_codec.ts";
import { everything, Listener } from "./listener.ts";
import { key } from "./virtual_cluster.ts";

function set(index: number, name: string, text = `${index}`): Change {
  const value = bytesValue(new TextEncoder().encode(text));
  return { key: key(name), value, versionstamp: { index, order: 1 } };
}

function expired(index: number, name: string): Change {
  return { key: key(name), value: null, versionstamp: { index, order: 0 } };
}

function only(name: string, since: Versionstamp | null = null): WatchRequest {
  return { selection: { keys: [key(name)], prefixes: [] }, since };
}

/** A replica's watches, fed by hand. */
class Bench {
  readonly env: VirtualEnv = virtualEnv(1);
  readonly watching: Watching;
  #index: number;

  constructor(index = 0) {
    this.#index = index;
    this.watching = new Watching(index, this.env);
  }

  listen(request: WatchRequest): Listener {
    return new Listener(this.watching.open(request));
  }

  /** Applies the next entry and shows it. */
  apply(...make: ((index: number) => Change)[]): void {
    const index = ++this.#index;
    this.watching.applied(index, make.map((each) => each(index)));
    this.watching.publish();
  }

  put(name: string): void {
    this.apply((index) => set(index, name));
  }

  install(index: number): void {
    this.#index = index;
    this.watching.installed(index);
  }

  settle(): Promise<void> {
    return this.env.runUntilIdle();
  }
}

Deno.test("Watching tells each write to a watched key once, in order, from the opening on", async () => {
  const bench = new Bench();
  bench.put("k");
  const listener = bench.listen(only("k"));
  for (const name of ["k", "other", "k"]) bench.put(name);
  await bench.settle();
  bench.put("k");
  await bench.settle();
  assertEquals(listener.told, ["watching", "k=2", "k=4", "k=5"]);
  listener.close();
});

Deno.test("Watching tells all that a write did to watched keys in one event, and what expired in another", async () => {
  const bench = new Bench();
  const listener = bench.listen({
    selection: { keys: [key("a"), key("b")], prefixes: [] },
    since: null,
  });
  bench.apply(
    (index) => expired(index, "a"),
    (index) => expired(index, "x"),
    (index) => set(index, "b"),
    (index) => set(index, "x"),
    (index) => set(index, "a"),
  );
  await bench.settle();
  assertEquals(listener.told, ["watching", "-a", "b=1 a=1"]);
  listener.close();
});

Deno.test("Watching tells nothing that was applied and not published", async () => {
  const bench = new Bench();
  const listener = bench.listen(everything());
  bench.watching.applied(1, [set(1, "k")]);
  await bench.settle();
  assertEquals(listener.told, ["watching"]);
  bench.watching.publish();
  await bench.settle();
  assertEquals(listener.told, ["watching", "k=1"]);
  listener.close();
});

Deno.test("Watching goes on from any versionstamp that it still knows, and between two of one entry", async () => {
  const bench = new Bench();
  bench.put("k");
  bench.apply((index) => expired(index, "k"), (index) => set(index, "k"));
  bench.put("other");
  bench.put("k");
  const cases: [Versionstamp, string[]][] = [
    [{ index: 0, order: 0 }, ["k=1", "-k", "k=2", "k=4"]],
    [{ index: 1, order: 1 }, ["-k", "k=2", "k=4"]],
    [{ index: 2, order: 0 }, ["k=2", "k=4"]],
    [{ index: 2, order: 1 }, ["k=4"]],
    [{ index: 3, order: 1 }, ["k=4"]],
    [endOf(4), []],
  ];
  for (const [since, wanted] of cases) {
    const listener = bench.listen(only("k", since));
    await bench.settle();
    assertEquals(listener.told, ["watching", ...wanted]);
    listener.close();
  }
  assertThrows(() => bench.watching.open(only("k", { index: 5, order: 0 })), NotCaughtUp);
});

Deno.test("Watching says that there is a gap where it does not know any more, and goes on behind it", async () => {
  const bench = new Bench(10);
  bench.put("k");
  const since = { index: 9, order: 1 };
  const listener = bench.listen(only("k", since));
  await bench.settle();
  assertEquals(listener.gaps, [{ type: "compacted", since, position: endOf(11) }]);
  bench.put("k");
  await bench.settle();
  assertEquals(listener.told, ["watching", "gap", "k=12"]);
  listener.close();
});

Deno.test("Watching says that there is a gap to whoever reads more slowly than the feed forgets", async () => {
  const bench = new Bench();
  const listener = bench.listen(only("k"));
  await bench.settle();
  listener.pause();
  bench.put("other");
  bench.put("k"); // Told already: it was waiting for that.
  bench.put("k");
  await bench.settle();
  for (let left = FEED_CHANGES_MAX; left > 0; left -= 1024) {
    bench.apply(...Array.from({ length: 1024 }, () => (index: number) => set(index, "other")));
  }
  listener.goOn();
  await bench.settle();
  const head = endOf(3 + FEED_CHANGES_MAX / 1024);
  assertEquals(listener.gaps, [
    { type: "compacted", since: { index: 2, order: 1 }, position: head },
  ]);
  bench.put("k");
  await bench.settle();
  assertEquals(listener.told, ["watching", "k=2", "gap", `k=${head.index + 1}`]);
  listener.close();
});

Deno.test("Watching has no gap to tell to who stands at the head, however much the feed forgets", async () => {
  const bench = new Bench();
  const listener = bench.listen(only("k"));
  await bench.settle();
  for (let left = 2 * FEED_CHANGES_MAX; left > 0; left -= 1024) {
    bench.apply(...Array.from({ length: 1024 }, () => (index: number) => set(index, "other")));
  }
  bench.put("k");
  await bench.settle();
  assertEquals(listener.told, ["watching", `k=${1 + 2 * FEED_CHANGES_MAX / 1024}`]);
  listener.close();
});

Deno.test("Watching says to everybody that a snapshot took the state's place, and from where on", async () => {
  const bench = new Bench();
  const atHead = bench.listen(only("k"));
  const behind = bench.listen(only("k"));
  await bench.settle();
  behind.pause();
  bench.put("k");
  bench.put("k");
  bench.put("other");
  await bench.settle();
  const unread = bench.watching.open(only("k", { index: 1, order: 1 }));
  bench.install(9);
  behind.goOn();
  const late = new Listener(unread);
  await bench.settle();
  const gap = (since: Versionstamp) => [{ type: "compacted" as const, since, position: endOf(9) }];
  assertEquals(atHead.gaps, gap(endOf(3)));
  assertEquals(behind.gaps, gap({ index: 1, order: 1 }));
  assertEquals(late.gaps, gap({ index: 1, order: 1 }));
  bench.put("k");
  await bench.settle();
  for (const listener of [atHead, behind, late]) {
    assertEquals(listener.changes.at(-1), "k=10");
    listener.close();
  }
  const since = bench.listen(only("k", { index: 3, order: 1 }));
  await bench.settle();
  assertEquals(since.told, ["watching", "gap"]);
  since.close();
});

Deno.test("Watching says in silence how far it has come, and no more often than that", async () => {
  const bench = new Bench();
  const listener = bench.listen(only("k"));
  await bench.settle();
  bench.put("other");
  await bench.env.advance(WATCH_HEARTBEAT_MS - 1);
  assertEquals(listener.events.length, 1);
  await bench.env.advance(1);
  assertEquals(listener.events.slice(1), [{ type: "progress", position: endOf(1) }]);
  bench.put("k");
  await bench.env.advance(WATCH_HEARTBEAT_MS);
  assertEquals(listener.events.slice(2), [
    { type: "changes", versionstamp: { index: 2, order: 1 }, changes: [set(2, "k")] },
    { type: "progress", position: endOf(2) },
  ]);
  listener.close();
  await bench.settle();
  assertEquals(bench.env.timersPending, 0);
});

Deno.test("Watching lets others go on while a watch looks for its next change", async () => {
  const bench = new Bench();
  for (let i = 0; i < 2 * WATCH_SCAN_CHANGES_MAX; i++) bench.put("other");
  bench.put("k");
  const watch = bench.watching.open(only("k", { index: 0, order: 0 }));
  assertEquals(watch.take()?.type, "watching");
  assertEquals([watch.take(), watch.take()], [null, null]);
  assertEquals(watch.position, { index: 2 * WATCH_SCAN_CHANGES_MAX, order: 1 });
  assertEquals((await watch.next()).type, "changes");
  watch.close();
});

Deno.test("Watching ends all watches, and takes none, once the state may be too old, and not before", async () => {
  const bench = new Bench();
  const listener = bench.listen(only("k"));
  bench.watching.noteAge(WATCH_STALE_MS, 1);
  // After a clock jump nobody can say anything for a while.
  bench.watching.noteAge(2 * WATCH_STALE_MS - 1, null);
  await bench.settle();
  assertEquals([listener.told, bench.watching.size], [["watching"], 1]);
  bench.watching.noteAge(2 * WATCH_STALE_MS, WATCH_STALE_MS + 1);
  await bench.settle();
  assertEquals([listener.told, bench.watching.size], [["watching", "ended"], 0]);
  assertThrows(() => bench.watching.open(only("k")), TooStale);
  bench.watching.noteAge(2 * WATCH_STALE_MS, WATCH_STALE_MS);
  bench.watching.open(only("k")).close();
});

Deno.test("Watching takes none of a state of which nobody knew for as long how old it is", () => {
  const { watching } = new Bench();
  watching.noteAge(WATCH_STALE_MS, null);
  watching.open(only("k")).close();
  watching.noteAge(WATCH_STALE_MS + 1, null);
  assertThrows(() => watching.open(only("k")), TooStale);
});

Deno.test("Watching ends every watch with its replica, those that wait, too", async () => {
  const bench = new Bench();
  const listeners = [bench.listen(only("k")), bench.listen(everything())];
  await bench.settle();
  bench.watching.end();
  await bench.settle();
  for (const listener of listeners) assertEquals(listener.told, ["watching", "ended"]);
  bench.put("k");
  assertEquals(listeners[0].watch.take(), { type: "ended" });
  assertEquals(bench.env.timersPending, 0);
});

function silent(): Watch & { closed: number } {
  return {
    closed: 0,
    take: () => null,
    next: () => Promise.resolve({ type: "ended" }),
    close() {
      this.closed++;
    },
  };
}

Deno.test("WatchPlaces has so many places, and frees each once", async () => {
  const places = new WatchPlaces();
  const taken: Watch[] = [];
  for (let i = 0; i < WATCHES_MAX; i++) {
    taken.push(await places.take(() => Promise.resolve(silent())));
  }
  await assertRejects(() => places.take(() => Promise.resolve(silent())), Overloaded);
  taken[0].close();
  taken[0].close();
  assertEquals(places.size, WATCHES_MAX - 1);
  await assertRejects(() => places.take(() => Promise.reject(new NotCaughtUp("no"))), NotCaughtUp);
  assertEquals(places.size, WATCHES_MAX - 1);
});

Deno.test("WatchPlaces that is closed ends all watches, one that is just being opened, too", async () => {
  const places = new WatchPlaces();
  const [open, opening] = [silent(), silent()];
  await places.take(() => Promise.resolve(open));
  const { promise, resolve } = Promise.withResolvers<Watch>();
  const taking = places.take(() => promise);
  places.close();
  resolve(opening);
  await taking;
  assertEquals([open.closed, opening.closed, places.size], [1, 1, 0]);
  await assertRejects(() => places.take(() => Promise.resolve(silent())), Draining);
  assert(places.size === 0);
});
