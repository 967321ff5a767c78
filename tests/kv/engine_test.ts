import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { BTreeEngine } from "../../kv/btree_engine.ts";
import type { Engine, StoredRecord } from "../../kv/engine.ts";
import { ExpiryIndex } from "../../kv/expiry_index.ts";
import type { EncodedKey } from "../../kv/types.ts";
import { key, text } from "./support.ts";

const record = (k: EncodedKey, n: number): StoredRecord => ({
  key: k,
  value: text(`${n}`),
  versionstamp: { index: n, order: 1 },
  expiresMs: 0,
});
const keyOf = (n: number) => key("k", n);
const scanned = (engine: Engine, from: number, to: number | null, reverse: boolean, limit = 99) => {
  const found: string[] = [];
  engine.scan(keyOf(from), to === null ? null : keyOf(to), reverse, (it) => {
    found.push(`${it.versionstamp.index}`);
    return found.length < limit;
  });
  return found.join(" ");
};

/** What every engine must do; a disk engine is to run it, too. */
function engineContract(name: string, empty: () => Engine): void {
  Deno.test(`${name} scans ranges in both directions, end excluded, up to a limit`, () => {
    const engine = empty();
    for (const n of [3, 1, 5, 2, 4]) engine.set(record(keyOf(n), n));
    assertEquals(engine.size, 5);
    assertEquals(scanned(engine, 2, 4, false), "2 3");
    assertEquals(scanned(engine, 2, 4, true), "3 2");
    assertEquals(scanned(engine, 0, null, false), "1 2 3 4 5");
    assertEquals(scanned(engine, 0, null, true), "5 4 3 2 1");
    assertEquals(scanned(engine, 0, 9, true), "5 4 3 2 1");
    assertEquals(scanned(engine, 1.5, 3.5, false), "2 3");
    assertEquals(scanned(engine, 1.5, 3.5, true), "3 2");
    assertEquals(scanned(engine, 3, 3, false), "");
    assertEquals(scanned(engine, 3, 3, true), "");
    assertEquals(scanned(engine, 6, null, true), "");
    assertEquals(scanned(engine, 0, null, false, 2), "1 2");
    assertEquals(scanned(engine, 0, null, true, 2), "5 4");
    assertEquals(scanned(empty(), 0, null, true), "");
    assertEquals(engine.delete(keyOf(9)), undefined);
  });

  Deno.test(`${name} and its clones are what plain maps would be, whatever is done to which`, () => {
    const step = fc.record({
      on: fc.nat(5),
      act: fc.constantFrom("set", "set", "set", "delete", "clone"),
      key: fc.nat(30).map(keyOf),
    });
    fc.assert(fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const engines: Engine[] = [empty()];
      const models: Map<EncodedKey, number>[] = [new Map()];
      steps.forEach(({ on, act, key: k }, n) => {
        const at = on % engines.length;
        const [engine, model] = [engines[at]!, models[at]!];
        if (act === "clone") {
          engines.push(engine.clone());
          models.push(new Map(model));
        } else if (act === "delete") {
          assertEquals(engine.delete(k)?.versionstamp.index, model.get(k));
          model.delete(k);
        } else {
          assertEquals(engine.set(record(k, n))?.versionstamp.index, model.get(k));
          model.set(k, n);
        }
      });
      engines.forEach((engine, at) => {
        const expected = [...models[at]!].sort(([a], [b]) => a < b ? -1 : 1);
        const found: [EncodedKey, number][] = [];
        engine.scan("" as EncodedKey, null, false, (it) => {
          found.push([it.key, it.versionstamp.index]);
          return true;
        });
        assertEquals(found, expected);
        assertEquals(engine.size, expected.length);
        for (let n = 0; n <= 30; n++) {
          assertEquals(engine.get(keyOf(n))?.versionstamp.index, models[at]!.get(keyOf(n)));
        }
      });
    }));
  });
}

engineContract("BTreeEngine", () => BTreeEngine.empty());

Deno.test("ExpiryIndex gives due keys by time and then by key, up to a limit", () => {
  const index = new ExpiryIndex();
  assertEquals(index.firstMs(), null);
  const [a, b, c, d] = [key("a"), key("b"), key("c"), key("d")];
  const later = 1_800_000_000_123;
  index.add(later, a);
  index.add(300, d);
  index.add(300, b);
  index.add(70_000, c);
  assertEquals(index.firstMs(), 300);
  assertEquals(index.firstAfterMs(0), 300);
  assertEquals(index.firstAfterMs(300), 70_000);
  assertEquals(index.firstAfterMs(69_999), 70_000);
  assertEquals(index.firstAfterMs(70_000), later);
  assertEquals(index.firstAfterMs(later), null);
  assertEquals(index.due(299, 10), []);
  assertEquals(index.due(300, 10), [b, d]);
  assertEquals(index.due(later, 3), [b, d, c]);
  assertEquals(index.due(later, 10), [b, d, c, a]);
  index.remove(300, b);
  index.remove(300, d);
  index.remove(70_000, c);
  assertEquals(index.firstMs(), later);
});
