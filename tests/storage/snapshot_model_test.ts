/**
 * Random histories of commits, snapshots, compactions, installs and reopenings against a plain model.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Entry, logIndex, type SnapshotInfo } from "../../raft/types.ts";
import type { LogStore } from "../../storage/types.ts";
import {
  batch,
  chunks,
  entries,
  infoOf,
  KV_FILE,
  KV_FILE_TINY,
  KV_MEMORY,
  MEMORY_TWIN,
  type PlaceKind,
  readAll,
  received,
  snapshotMeta,
  snapshotted,
  withPlace,
} from "./places.ts";

/** One step of a history. Fractions are of what there is when the step runs. */
type Action =
  | { readonly type: "reopen" }
  | { readonly type: "append"; readonly count: number; readonly forget: number | null }
  | { readonly type: "snapshot"; readonly at: number; readonly compactTo: number }
  | { readonly type: "install"; readonly ahead: number; readonly keep: boolean };

const fraction = fc.double({ min: 0, max: 1, noNaN: true });
const actions: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof(
    { weight: 1, arbitrary: fc.constant<Action>({ type: "reopen" }) },
    {
      weight: 12,
      arbitrary: fc.record<Action & { type: "append" }>({
        type: fc.constant("append"),
        count: fc.nat(4),
        forget: fc.option(fraction, { freq: 3 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record<Action & { type: "snapshot" }>({
        type: fc.constant("snapshot"),
        at: fraction,
        compactTo: fraction,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record<Action & { type: "install" }>({
        type: fc.constant("install"),
        ahead: fc.nat(10),
        keep: fc.boolean(),
      }),
    },
  ),
  { minLength: 12, maxLength: 40, size: "max" },
);

/** What a store should hold. */
class Model {
  baseIndex = 0;
  /** An install that keeps the log may have cut it off up to its snapshot, or shortly before, or not. */
  baseMax = 0;
  log: Entry[] = [];
  snapshot: { readonly info: SnapshotInfo; readonly contents: Uint8Array[] } | null = null;

  get last(): number {
    return this.baseIndex + this.log.length;
  }

  /** What is applied stays: nothing up to here is forgotten. */
  get applied(): number {
    return this.snapshot?.info.meta.index ?? 0;
  }

  termAt(index: number): number {
    return this.log[index - this.baseIndex - 1]?.term ?? this.snapshot?.info.meta.term ?? 0;
  }

  cutTo(baseIndex: number): void {
    assert(baseIndex >= this.baseIndex && baseIndex <= this.applied, `base ${baseIndex}`);
    this.log = this.log.slice(baseIndex - this.baseIndex);
    this.baseIndex = baseIndex;
    this.baseMax = baseIndex;
  }
}

async function run(store: LogStore, model: Model, action: Action, step: number): Promise<void> {
  if (action.type === "append") {
    const free = model.last - model.applied;
    const from = action.forget === null
      ? null
      : model.applied + 1 + Math.round(action.forget * free);
    if (from !== null) model.log = model.log.slice(0, from - 1 - model.baseIndex);
    const fresh = entries(model.last + 1, action.count, step + 1, 60);
    await store.commit(batch({ truncateFrom: from ?? undefined, entries: fresh }));
    model.log.push(...fresh);
  } else if (action.type === "snapshot" && model.last > 0) {
    const index = Math.max(1, model.applied + Math.round(action.at * (model.last - model.applied)));
    const meta = snapshotMeta(index, model.termAt(index));
    const contents = chunks(1 + step % 3, step);
    const compactTo = Math.round(action.compactTo * index);
    const { info, baseIndex } = await snapshotted(store, meta, contents, compactTo);
    assertEquals(info, infoOf(meta, contents));
    model.snapshot = { info, contents };
    assert(baseIndex <= Math.max(compactTo, model.baseMax));
    model.cutTo(baseIndex);
  } else if (action.type === "install") {
    const index = model.applied + 1 + action.ahead;
    const keep = action.keep && index <= model.last;
    const meta = snapshotMeta(index, keep ? model.termAt(index) : step + 1);
    const contents = chunks(1 + step % 3, step);
    const info = infoOf(meta, contents);
    await (await received(store, info, contents)).install(keep);
    model.snapshot = { info, contents };
    model.baseMax = index;
    if (keep) return;
    model.baseIndex = index;
    model.log = [];
  }
}

async function assertMatches(store: LogStore, model: Model): Promise<void> {
  const found = await store.open();
  assertEquals(found.damage, null);
  assertEquals(found.snapshot, model.snapshot?.info ?? null);
  assert(found.baseIndex >= model.baseIndex && found.baseIndex <= model.baseMax);
  model.cutTo(found.baseIndex);
  assertEquals(found.entries, model.log);
  assertEquals(found.hardState.commit <= logIndex(model.last), true);
  if (model.snapshot === null) return;
  const { info, contents } = model.snapshot;
  assertEquals(await readAll(store, info), contents);
}

async function matchesModel(kind: PlaceKind, history: readonly Action[]): Promise<void> {
  await withPlace(kind, async (place) => {
    const store = place.store();
    try {
      await store.open();
      const model = new Model();
      for (const [step, action] of history.entries()) {
        if (action.type === "reopen") await assertMatches(store, model);
        else await run(store, model, action, step);
      }
      await assertMatches(store, model);
    } finally {
      await store.close();
    }
  });
}

const RUNS: readonly (readonly [PlaceKind, number])[] = [
  [MEMORY_TWIN, 300],
  [KV_MEMORY, 150],
  [KV_FILE, 4],
  [KV_FILE_TINY, 8],
];

for (const [kind, numRuns] of RUNS) {
  Deno.test(`${kind.name}: any history with snapshots reads back as the model has it`, async () => {
    await fc.assert(fc.asyncProperty(actions, (history) => matchesModel(kind, history)), {
      numRuns,
    });
  });
}
