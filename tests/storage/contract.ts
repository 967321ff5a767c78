/**
 * What every store promises, whatever it keeps the log in: one suite, run against each kind.
 *
 * @module
 */
import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { EntryKind, InvariantError } from "../../raft/types.ts";
import { ENTRY_BYTES_MAX } from "../../storage/limits.ts";
import { Fenced, type LogStore, WrongIdentity } from "../../storage/types.ts";
import {
  batch,
  entries,
  entry,
  hardState,
  IDENTITY,
  type PlaceKind,
  recovery,
  reread,
  type TestOf,
  testsOf,
} from "./places.ts";

/** Registers the suite for one kind of place. */
export function contractSuite(kind: PlaceKind): void {
  const test = testsOf(kind);
  testWriting(test);
  testForgetting(test);
  testLargeBatches(test);
  testDiscipline(test);
  testOwners(test);
}

/** Opens, acts, closes. */
async function using(store: LogStore, act: (store: LogStore) => Promise<void>): Promise<void> {
  await store.open();
  try {
    await act(store);
  } finally {
    await store.close();
  }
}

function testWriting(test: TestOf): void {
  test("open() of nothing finds an empty log at boot 1", async (place) => {
    const found = await reread(place.store());
    const { incarnation } = found;
    assertEquals(
      found,
      recovery({ hardState: hardState(0), entries: [], boot: 1, incarnation, damage: null }),
    );
  });

  test("open() counts the openings", async (place) => {
    for (const boot of [1, 2, 3]) assertEquals((await reread(place.store())).boot, boot);
    const store = place.store();
    for (const boot of [4, 5]) assertEquals((await store.open()).boot, boot);
    await store.close();
  });

  test("commit() keeps entries of every kind and the hard state", async (place) => {
    const kinds = Object.values(EntryKind).map((kind, i) => ({ ...entry(i + 1, 3), kind }));
    const all = [...kinds, entry(4, 4, 0), entry(5, 2 ** 48 - 1, 300)];
    const state = hardState(2 ** 48 - 1, "a.long_node-ID-" + "x".repeat(49), 4);
    await using(place.store(), (store) => store.commit(batch({ hardState: state, entries: all })));
    const found = await reread(place.store());
    const { incarnation } = found;
    assertEquals(
      found,
      recovery({ hardState: state, entries: all, boot: 2, incarnation, damage: null }),
    );
  });

  test("commit() writes hard state and entries apart as well", async (place) => {
    await using(place.store(), async (store) => {
      await store.commit(batch({ hardState: hardState(2, "n2") }));
      await store.commit(batch({ entries: entries(1, 3, 2) }));
      await store.commit(batch({ entries: entries(4, 1, 2) }));
    });
    const found = await reread(place.store());
    assertEquals(found.hardState, hardState(2, "n2"));
    assertEquals(found.entries, entries(1, 4, 2));
  });

  test("commit() goes on behind what an earlier opening wrote", async (place) => {
    for (let i = 0; i < 5; i++) {
      await using(
        place.store(),
        (store) => store.commit(batch({ entries: entries(1 + i * 2, 2) })),
      );
    }
    assertEquals((await reread(place.store())).entries, entries(1, 10));
  });
}

function testForgetting(test: TestOf): void {
  const written = [entries(1, 10, 1), entries(11, 10, 2), entries(21, 10, 3)];
  for (const from of [1, 2, 10, 11, 15, 20, 21, 30, 31]) {
    test(`commit() forgets from ${from} and appends nothing, one or a dozen`, async (place) => {
      for (const appended of [0, 1, 12]) {
        const expected = [...written.flat().slice(0, from - 1), ...entries(from, appended, 9)];
        await using(place.store(), async (store) => {
          await store.commit(batch({ truncateFrom: 1 }));
          for (const part of written) await store.commit(batch({ entries: part }));
          const fresh = entries(from, appended, 9);
          await store.commit(batch({ truncateFrom: from, entries: fresh }));
        });
        await using(place.store(), async (store) => {
          const more = entries(expected.length + 1, 2, 9);
          await store.commit(batch({ entries: more }));
          expected.push(...more);
        });
        assertEquals((await reread(place.store())).entries, expected);
      }
    });
  }

  test("commit() forgets again and again", async (place) => {
    let expected = entries(1, 8);
    await using(place.store(), async (store) => {
      await store.commit(batch({ entries: expected }));
      for (let termOf = 2; termOf < 8; termOf++) {
        const from = 9 - termOf;
        const fresh = entries(from, 3, termOf);
        await store.commit(batch({ truncateFrom: from, entries: fresh }));
        expected = [...expected.slice(0, from - 1), ...fresh];
      }
    });
    assertEquals((await reread(place.store())).entries, expected);
  });
}

function testLargeBatches(test: TestOf): void {
  test("commit() keeps entries larger than a value, among small ones", async (place) => {
    const all = [entry(1), entry(2, 1, 700), entry(3), entry(4, 1, 65_536), entry(5, 1, 400)];
    await using(place.store(), async (store) => {
      await store.commit(batch({ entries: all.slice(0, 3) }));
      await store.commit(batch({ entries: all.slice(3) }));
    });
    assertEquals((await reread(place.store())).entries, all);
    const replaced = [entry(4, 2), entry(5, 2, 900)];
    await using(place.store(), async (store) => {
      await store.commit(batch({ truncateFrom: 4, entries: replaced }));
    });
    assertEquals((await reread(place.store())).entries, [...all.slice(0, 3), ...replaced]);
  });

  test("commit() keeps what no single atomic could hold", async (place) => {
    const all = [...entries(1, 6, 1, 800), entry(7, 1, 3000), ...entries(8, 6, 1, 800)];
    await using(place.store(), (store) => store.commit(batch({ entries: all })));
    assertEquals((await reread(place.store())).entries, all);
  });
}

function testDiscipline(test: TestOf): void {
  test("commit() of nothing does not touch the disk", async (place) => {
    const [older, newer] = [place.store(), place.store()];
    await older.open();
    await newer.open();
    // Anything that reached the disk would meet the fence.
    await older.commit(batch({}));
    await assertRejects(() => older.commit(batch({ hardState: hardState(1) })), Fenced);
    await older.close();
    await newer.close();
  });

  test("commit() takes one call at a time", async (place) => {
    await using(place.store(), async (store) => {
      const first = store.commit(batch({ entries: entries(1, 2) }));
      const refused = [store.commit(batch({ entries: entries(3, 1) })), store.commit(batch({}))];
      for (const commit of refused) await assertRejects(() => commit, InvariantError);
      await first;
      await store.commit(batch({ entries: entries(3, 1) }));
    });
    assertEquals((await reread(place.store())).entries, entries(1, 3));
  });

  test("commit() refuses before open() and after close()", async (place) => {
    const store = place.store();
    const written = batch({ entries: entries(1, 1) });
    await assertRejects(() => store.commit(written), Error, "not open");
    await using(store, () => Promise.resolve());
    await assertRejects(() => store.commit(written), Error, "closed");
    await store.close();
  });

  test("close() waits for the commit that is running", async (place) => {
    const store = place.store();
    await store.open();
    const committed = store.commit(batch({ entries: entries(1, 3) }));
    await store.close();
    await committed;
    assertEquals((await reread(place.store())).entries, entries(1, 3));
  });

  const misfits = [
    { name: "a gap", given: { entries: entries(5, 1) } },
    { name: "an entry twice", given: { entries: entries(3, 1) } },
    { name: "entries out of order", given: { entries: [entry(4), entry(6)] } },
    { name: "forgetting beyond the end", given: { truncateFrom: 5 } },
    { name: "forgetting from 0", given: { truncateFrom: 0 } },
    {
      name: "appending elsewhere than it forgets",
      given: { truncateFrom: 2, entries: [entry(3)] },
    },
  ];
  for (const { name, given } of misfits) {
    test(`commit() refuses ${name}, writes nothing of it, and nothing more`, async (place) => {
      await using(place.store(), async (store) => {
        await store.commit(batch({ entries: entries(1, 3) }));
        await assertRejects(
          () => store.commit(batch({ hardState: hardState(7), ...given })),
          InvariantError,
        );
        await assertRejects(() => store.commit(batch({ entries: entries(4, 1) })), Error, "anew");
      });
      const found = await reread(place.store());
      assertEquals(found.entries, entries(1, 3));
      assertEquals(found.hardState, hardState(0));
    });
  }

  test("commit() refuses an entry beyond the limit", async (place) => {
    await using(place.store(), async (store) => {
      const huge = entry(1, 1, ENTRY_BYTES_MAX);
      await assertRejects(() => store.commit(batch({ entries: [huge] })), RangeError);
    });
  });

  test("repaired() without damage changes nothing", async (place) => {
    await using(place.store(), async (store) => {
      await store.commit(batch({ entries: entries(1, 2) }));
      await store.repaired();
      await store.commit(batch({ entries: entries(3, 2) }));
    });
    const { damage, entries: found } = await reread(place.store());
    assertEquals(damage, null);
    assertEquals(found, entries(1, 4));
  });
}

function testOwners(test: TestOf): void {
  test("open() fences off whoever opened before", async (place) => {
    const [older, newer] = [place.store(), place.store()];
    await older.open();
    await older.commit(batch({ entries: entries(1, 2) }));
    assertEquals((await newer.open()).entries, entries(1, 2));
    const late = batch({ hardState: hardState(5, "n5"), entries: entries(3, 1, 5) });
    assertInstanceOf(await assertRejects(() => older.commit(late)), Fenced);
    await newer.commit(batch({ entries: entries(3, 2, 2) }));
    await older.close();
    await newer.close();
    const found = await reread(place.store());
    assertEquals(found.entries, [...entries(1, 2), ...entries(3, 2, 2)]);
    assertEquals(found.hardState, hardState(0));
    assertEquals(found.damage, null);
  });

  test("open() refuses data of another node or cluster and leaves it alone", async (place) => {
    await using(place.store(), (store) => store.commit(batch({ entries: entries(1, 2) })));
    const running = place.store();
    await running.open();
    for (
      const other of [{ ...IDENTITY, nodeId: "n2" }, { ...IDENTITY, clusterId: "another cluster" }]
    ) {
      const store = place.store(other);
      const error = await assertRejects(() => store.open(), WrongIdentity);
      assert(error.message.includes(IDENTITY.nodeId), error.message);
      await store.close();
    }
    // The one who owns it was not even fenced off.
    await running.commit(batch({ entries: entries(3, 1) }));
    await running.close();
    const found = await reread(place.store());
    assertEquals([found.boot, found.entries], [3, entries(1, 3)]);
  });
}
