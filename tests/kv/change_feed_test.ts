import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ChangeFeed, endOf } from "../../kv/change_feed.ts";
import { encodeKey, prefixRange } from "../../kv/key_codec.ts";
import type { Change, EncodedKey, KeyPart, Versionstamp } from "../../kv/types.ts";
import { bytesValue } from "../../kv/value_codec.ts";
import { compareVersionstamps } from "../../kv/versionstamp.ts";
import { type Selection, selects, Watchers } from "../../kv/watchers.ts";

function key(...parts: KeyPart[]): EncodedKey {
  return encodeKey(parts);
}

function change(index: number, name = "k", bytes = 10, order = 1): Change {
  return {
    key: key(name),
    value: bytesValue(new Uint8Array(bytes)),
    versionstamp: { index, order },
  };
}

function all(feed: ChangeFeed, from: number): Change[] {
  return Array.from({ length: feed.end - from }, (_, i) => feed.at(from + i)!);
}

/** What somebody hears who has heard all up to `position`; null if that cannot be said. */
function behind(feed: ChangeFeed, position: Versionstamp): number[] | null {
  const from = feed.after(position);
  return from === null ? null : all(feed, from).map(({ versionstamp }) => versionstamp.index);
}

Deno.test("ChangeFeed shows nothing before it is published", () => {
  const feed = new ChangeFeed(4);
  feed.append(5, [change(5)]);
  assertEquals([feed.head, feed.end, feed.at(0), behind(feed, endOf(4))], [endOf(4), 0, null, []]);
  assertEquals(feed.publish(), 0);
  assertEquals([feed.head, feed.end, behind(feed, endOf(4))], [endOf(5), 1, [5]]);
});

Deno.test("ChangeFeed goes on with entries that change nothing", () => {
  const feed = new ChangeFeed(0);
  feed.append(1, [change(1)]);
  feed.append(2, []);
  feed.publish();
  assertEquals([feed.head, feed.end, behind(feed, endOf(1))], [endOf(2), 1, []]);
});

Deno.test("ChangeFeed finds what lies behind a position, within an entry, too", () => {
  const feed = new ChangeFeed(0);
  const [expired, written] = [change(1, "a", 0, 0), change(1, "b")];
  feed.append(1, [expired, written]);
  feed.append(2, [change(2)]);
  feed.publish();
  assertEquals(behind(feed, { index: 0, order: 7 }), [1, 1, 2]);
  assertEquals(all(feed, feed.after({ index: 1, order: 0 })!)[0], written);
  assertEquals(behind(feed, { index: 1, order: 1 }), [2]);
  assertEquals(behind(feed, { index: 2, order: 1 }), []);
});

Deno.test("ChangeFeed of so many changes lets go the oldest, and says so to who lacks them", () => {
  const feed = new ChangeFeed(0, { changesMax: 4 });
  for (let index = 1; index <= 6; index++) feed.append(index, [change(index)]);
  feed.publish();
  assertEquals([feed.size, feed.floor], [4, { index: 2, order: 1 }]);
  assertEquals(behind(feed, { index: 1, order: 1 }), null);
  assertEquals(behind(feed, { index: 2, order: 0 }), null);
  assertEquals(behind(feed, { index: 2, order: 1 }), [3, 4, 5, 6]);
  assertEquals(feed.at(0), null);
});

Deno.test("ChangeFeed of so many bytes lets go the oldest, and counts what is left", () => {
  const one = 128 + key("k").length + 1000;
  const feed = new ChangeFeed(0, { bytesMax: 3 * one });
  for (let index = 1; index <= 5; index++) feed.append(index, [change(index, "k", 1000)]);
  feed.publish();
  assertEquals([feed.size, feed.bytes], [3, 3 * one]);
  assertEquals(behind(feed, endOf(1)), null);
  assertEquals(behind(feed, endOf(2)), [3, 4, 5]);
});

Deno.test("ChangeFeed lets an atomic write go as a whole", () => {
  const feed = new ChangeFeed(0, { changesMax: 4 });
  feed.append(1, [change(1, "a"), change(1, "b"), change(1, "c")]);
  feed.append(2, [change(2), change(2, "b")]);
  feed.publish();
  assertEquals([feed.size, feed.floor], [2, { index: 1, order: 1 }]);
  assertEquals(behind(feed, endOf(1)), [2, 2]);
  assertEquals(behind(feed, endOf(0)), null);
});

Deno.test("ChangeFeed of another state knows nothing of how it came to be", () => {
  const feed = new ChangeFeed(0);
  feed.append(1, [change(1)]);
  feed.publish();
  feed.append(2, [change(2)]);
  feed.reset(9);
  assertEquals([feed.head, feed.size, feed.bytes], [endOf(9), 0, 0]);
  assertEquals([behind(feed, endOf(1)), behind(feed, { index: 9, order: 1 })], [null, null]);
  assertEquals(behind(feed, endOf(9)), []);
  feed.append(10, [change(10)]);
  assertEquals(feed.publish(), feed.end - 1);
  assertEquals(behind(feed, endOf(9)), [10]);
});

type Step =
  | { readonly type: "entry"; readonly expired: number; readonly written: number }
  | { readonly type: "publish" }
  | { readonly type: "reset"; readonly skipped: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("entry" as const),
      expired: fc.nat(2),
      written: fc.nat(4),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ type: "publish" as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("reset" as const), skipped: fc.nat(3) }),
  },
);

Deno.test("ChangeFeed tells from any position all that was published, or that it cannot", () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const feed = new ChangeFeed(0, { changesMax: 16, bytesMax: 2200 });
    let published: Change[] = [];
    let pending: Change[] = [];
    let index = 0;
    // Of what lies before it nothing can be said, however much is kept.
    let base: Versionstamp = { index: 0, order: 0 };
    for (const each of steps) {
      if (each.type === "entry") {
        index++;
        const expired = Array.from({ length: each.expired }, (_, i) => change(index, `${i}`, 9, 0));
        const written = Array.from({ length: each.written }, (_, i) => change(index, `${i}`, 90));
        feed.append(index, [...expired, ...written]);
        pending.push(...expired, ...written);
      } else if (each.type === "publish") {
        feed.publish();
        published.push(...pending);
        pending = [];
      } else {
        index += each.skipped;
        feed.reset(index);
        [published, pending, base] = [[], [], endOf(index)];
      }
      assert(feed.size <= 16 && feed.bytes <= 2200);
      for (const position of [base, ...published.map(({ versionstamp }) => versionstamp)]) {
        const from = feed.after(position);
        const wanted = published.filter(({ versionstamp }) =>
          compareVersionstamps(versionstamp, position) > 0
        );
        if (compareVersionstamps(position, feed.floor) < 0) assertEquals(from, null);
        else assertEquals(all(feed, from!), wanted);
      }
    }
  }));
});

const NOTHING: Selection = { keys: [], prefixes: [] };

Deno.test("selects() takes keys as they are, and prefixes as Deno KV's lists do", () => {
  const selection: Selection = { keys: [key("a"), key("b", 1)], prefixes: [key("p"), key("q", 1)] };
  const cases: [EncodedKey, boolean][] = [
    [key("a"), true],
    [key("a", "x"), false],
    [key("b", 1), true],
    [key("p"), false],
    [key("p", "x"), true],
    [key("p", 1n, true), true],
    [key("px"), false],
    // Its encoding begins as that of "p" does, up to the mark of its end.
    [key("p\0x"), false],
    [key("q"), false],
    [key("q", 1, new Uint8Array()), true],
    [key("q", 2, "x"), false],
  ];
  for (const [each, is] of cases) {
    assertEquals(selects(selection, each), is, JSON.stringify(each));
    const range = prefixRange(["p"]);
    const isListed = range.start <= each && each < range.end;
    assertEquals(selects({ keys: [], prefixes: [key("p")] }, each), isListed);
  }
  assert(selects({ keys: [], prefixes: [key()] }, key("anything")));
  assert(!selects(NOTHING, key("anything")));
});

const parts = fc.array(fc.constantFrom("a", "b", "a\0", "", 1), { minLength: 1, maxLength: 3 });
const selections = fc.record({
  keys: fc.array(parts.map((each) => key(...each)), { maxLength: 2 }),
  prefixes: fc.array(
    fc.oneof(fc.constant([]), parts).map((each) => key(...each)),
    { maxLength: 2 },
  ),
});

Deno.test("Watchers finds for each key those whose selection has it, also when others have gone", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(selections, fc.boolean()), { maxLength: 8 }),
      fc.array(parts.map((each) => key(...each)), { minLength: 1, maxLength: 20 }),
      (all, keys) => {
        const watchers = new Watchers<number>();
        all.forEach(([selection], i) => watchers.add(i, selection));
        all.forEach(([, stays], i) => stays || watchers.delete(i));
        watchers.delete(99);
        const left = all.flatMap(([, stays], i) => stays ? [i] : []);
        assertEquals([watchers.size, [...watchers.all()]], [left.length, left]);
        for (const each of keys) {
          const found = new Set<number>();
          watchers.visit(each, (watcher) => void found.add(watcher));
          const wanted = left.filter((i) => selects(all[i][0], each));
          assertEquals([...found].sort(), wanted);
        }
        for (const i of left) watchers.delete(i);
        watchers.visit(key("a", "b"), () => assert(false, "somebody is left"));
      },
    ),
  );
});
