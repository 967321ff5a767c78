/**
 * Random histories of commits, truncations and reopenings against a plain model.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Entry, HardState } from "../../raft/types.ts";
import {
  batch,
  entry,
  hardState,
  KV_FILE,
  KV_FILE_TINY,
  KV_MEMORY,
  MEMORY_TWIN,
  type PlaceKind,
  recovery,
  reread,
  withPlace,
} from "./places.ts";

/** One step of a history. Fractions are of what the log holds when the step runs. */
type Action =
  | { readonly type: "reopen" }
  | {
    readonly type: "commit";
    readonly withHardState: boolean;
    readonly forget: number | null;
    readonly sizes: readonly number[];
  };

const actions: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof(
    { weight: 1, arbitrary: fc.constant<Action>({ type: "reopen" }) },
    {
      weight: 5,
      arbitrary: fc.record<Action & { type: "commit" }>({
        type: fc.constant("commit"),
        withHardState: fc.boolean(),
        forget: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { freq: 2 }),
        sizes: fc.array(fc.oneof(fc.nat(60), fc.nat(500), fc.nat(3000)), { maxLength: 12 }),
      }),
    },
  ),
  { minLength: 1, maxLength: 20 },
);

async function matchesModel(kind: PlaceKind, history: readonly Action[]): Promise<void> {
  await withPlace(kind, async (place) => {
    const store = place.store();
    try {
      let log: Entry[] = [];
      let state: HardState = hardState(0);
      const first = await store.open();
      const { incarnation } = first;
      let boot = first.boot;
      for (const [step, action] of history.entries()) {
        if (action.type === "reopen") {
          const found = await store.open();
          assertEquals(
            found,
            recovery({ hardState: state, entries: log, boot: ++boot, incarnation, damage: null }),
          );
          continue;
        }
        const from = action.forget === null ? null : 1 + Math.round(action.forget * log.length);
        if (from !== null) log = log.slice(0, from - 1);
        const fresh = action.sizes.map((size, i) => entry(log.length + 1 + i, step + 1, size));
        const next = action.withHardState ? hardState(step + 1, `n${step}`, log.length) : null;
        await store.commit({
          ...batch({ entries: fresh, truncateFrom: from ?? undefined }),
          hardState: next,
        });
        log = [...log, ...fresh];
        state = next ?? state;
      }
      await store.close();
      assertEquals(
        await reread(place.store()),
        recovery({
          hardState: state,
          entries: log,
          boot: boot + 1,
          incarnation,
          damage: null,
        }),
      );
    } finally {
      await store.close();
    }
  });
}

const RUNS: readonly (readonly [PlaceKind, number])[] = [
  [MEMORY_TWIN, 300],
  [KV_MEMORY, 40],
  [KV_FILE, 8],
  [KV_FILE_TINY, 12],
];

for (const [kind, numRuns] of RUNS) {
  Deno.test(`${kind.name}: any history reads back as the model has it`, async () => {
    await fc.assert(fc.asyncProperty(actions, (history) => matchesModel(kind, history)), {
      numRuns,
    });
  });
}
