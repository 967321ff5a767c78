import { assertEquals } from "@std/assert";
import { SegmentedQueue } from "../../kv/segmented_queue.ts";
import { ShardedMap } from "../../kv/sharded_map.ts";

Deno.test("SegmentedQueue gives items in order, and views that nothing reaches any more", () => {
  const queue = new SegmentedQueue<number>();
  const model: number[] = [];
  const views: [Iterable<number>, number[]][] = [];
  let next = 0;
  // Several segments long, then short again, then empty, and once more.
  for (const target of [10_000, 3_000, 9_000, 1, 0, 5_000, 0]) {
    while (model.length < target) {
      queue.push(next);
      model.push(next++);
    }
    while (model.length > target) {
      assertEquals(queue.oldest, model.shift());
      queue.shift();
    }
    views.push([queue.view(), [...model]]);
  }
  assertEquals(queue.oldest, undefined);
  for (const [view, expected] of views) assertEquals([...view], expected);
  // A view can be walked more than once.
  for (const [view, expected] of views) assertEquals([...view], expected);
});

Deno.test("ShardedMap is what a Map is", () => {
  const map = new ShardedMap<number>();
  const model = new Map<string, number>();
  for (let n = 0; n < 20_000; n++) {
    const name = `${"x".repeat(n % 9)}${n % 3_000}${"y".repeat(n % 5)}`;
    if (n % 7 === 0) {
      assertEquals(map.delete(name), model.delete(name));
    } else {
      map.set(name, n);
      model.set(name, n);
    }
    assertEquals(map.size, model.size);
  }
  for (const [name, n] of model) assertEquals(map.get(name), n);
  assertEquals(map.get("never set"), undefined);
});
