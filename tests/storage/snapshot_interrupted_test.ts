/**
 * Taking, installing, quarantining, repairing and deleting, cut off before and after each write to
 * either database and to the mark: what is found is what was there before or what was to be there after,
 * whole; nothing acknowledged is missing; and in the end nothing is left that is neither.
 *
 * @module
 */
import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { equal } from "@std/assert";
import { GROUP_DEFAULT } from "../../raft/types.ts";
import { CHUNK_FILE_NAME, KV_FILE_NAME } from "../../storage/disk.ts";
import { KvLogStore } from "../../storage/kv_log_store.ts";
import { CorruptSnapshot, type Recovery } from "../../storage/types.ts";
import { type Crash, MortalDisk } from "./mortal_disk.ts";
import {
  batch,
  chunks,
  entries,
  hardState,
  infoOf,
  LIMITS_TINY,
  OWNER,
  readAll,
  received,
  snapshotMeta,
  snapshotted,
} from "./places.ts";

/** So many that their deletion takes two pieces. */
const OLD = chunks(40, 1, 20);
const NEW = chunks(3, 2, 20);
const REASON = "what is here must not be built upon";

/** Says that something has been acknowledged from here on. */
type Acknowledge = () => void;

interface Case {
  readonly name: string;
  /** What is done beside the common beginning, before the disk is armed. */
  prepare(store: KvLogStore): Promise<void>;
  act(store: KvLogStore, acknowledge: Acknowledge): Promise<void>;
  readonly writesMin: number;
  /** What is there afterwards, once garbage is gone. */
  readonly chunksAfter: number;
}

const nothing = () => Promise.resolve();

const CASES: readonly Case[] = [
  {
    name: "taking a snapshot and compacting",
    prepare: nothing,
    act: async (store, acknowledge) => {
      await snapshotted(store, snapshotMeta(60), NEW, 50);
      acknowledge();
    },
    writesMin: NEW.length + 5,
    chunksAfter: NEW.length,
  },
  {
    name: "installing a snapshot in place of the log",
    prepare: nothing,
    act: async (store, acknowledge) => {
      const info = infoOf(snapshotMeta(100, 3), NEW);
      await (await received(store, info, NEW)).install(false);
      acknowledge();
    },
    writesMin: NEW.length + 5,
    chunksAfter: NEW.length,
  },
  {
    name: "installing a snapshot and keeping the log behind it",
    prepare: nothing,
    act: async (store, acknowledge) => {
      const info = infoOf(snapshotMeta(60), NEW);
      await (await received(store, info, NEW)).install(true);
      acknowledge();
    },
    writesMin: NEW.length + 5,
    chunksAfter: NEW.length,
  },
  {
    name: "dropping what was received for something else",
    prepare: async (store) => {
      await received(store, infoOf(snapshotMeta(90, 3), OLD), OLD, OLD.length - 1);
    },
    act: async (store) => {
      await received(store, infoOf(snapshotMeta(100, 3), NEW), NEW, 3);
    },
    writesMin: 6,
    chunksAfter: OLD.length + 3,
  },
  {
    name: "quarantine",
    prepare: nothing,
    act: async (store, acknowledge) => {
      await store.quarantine(REASON);
      acknowledge();
    },
    writesMin: 2,
    chunksAfter: OLD.length,
  },
  {
    name: "repair after a quarantine",
    prepare: async (store) => {
      await store.quarantine(REASON);
      await store.open();
      const info = infoOf(snapshotMeta(100, 3), NEW);
      await (await received(store, info, NEW)).install(false);
      await store.garbageSettled();
    },
    act: async (store, acknowledge) => {
      await store.repaired();
      acknowledge();
    },
    writesMin: 5,
    chunksAfter: NEW.length,
  },
];

/** Runs with directories that begin as the case does: a snapshot at 40, and a log behind 20 in many blocks. */
async function withCase(each: Case, act: (template: string) => Promise<void>): Promise<void> {
  const template = await Deno.makeTempDir({ prefix: "kvorum-template-" });
  const store = new KvLogStore(new MortalDisk(template), OWNER, LIMITS_TINY);
  try {
    await store.open();
    await store.commit(batch({ hardState: hardState(1, "n1"), entries: entries(1, 80) }));
    await snapshotted(store, snapshotMeta(40), OLD, 20);
    await each.prepare(store);
    await store.garbageSettled();
    await store.close();
    await act(template);
  } finally {
    await store.close();
    await Deno.remove(template, { recursive: true });
  }
}

/** Opens a store on a copy. */
async function withStore(
  template: string,
  act: (store: KvLogStore, disk: MortalDisk, directory: string) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "kvorum-snapshot-" });
  for await (const { name } of Deno.readDir(template)) {
    await Deno.copyFile(`${template}/${name}`, `${directory}/${name}`);
  }
  const disk = new MortalDisk(directory, "atomics and marks");
  const store = new KvLogStore(disk, OWNER, LIMITS_TINY);
  try {
    await store.open();
    await store.garbageSettled();
    await act(store, disk, directory);
  } finally {
    await store.close();
    await Deno.remove(directory, { recursive: true });
  }
}

/** What is found, without what counts openings. */
type Essence = Pick<Recovery, "hardState" | "baseIndex" | "entries" | "snapshot" | "damage">;

function essence({ hardState, baseIndex, entries, snapshot, damage }: Essence): Essence {
  return { hardState, baseIndex, entries, snapshot, damage };
}

async function foundBy(store: KvLogStore) {
  return essence(await store.open());
}

/** What is in the databases of a directory that is not open. */
interface Keys {
  readonly log: readonly Deno.KvKey[];
  readonly chunks: readonly Deno.KvKey[];
}

async function keysIn(directory: string): Promise<Keys> {
  const list = async (name: string, prefix: Deno.KvKey) => {
    const kv = await Deno.openKv(`${directory}/${name}`);
    const keys = await Array.fromAsync(kv.list({ prefix }), ({ key }) => key);
    kv.close();
    return keys;
  };
  return {
    log: await list(KV_FILE_NAME, ["raft", GROUP_DEFAULT, "log"]),
    chunks: await list(CHUNK_FILE_NAME, ["raft", GROUP_DEFAULT, "chunk"]),
  };
}

/** What must be there is, and nothing else: so many chunks, and of the log, unless it is quarantined. */
function assertNoGarbage({ log, chunks }: Keys, chunksThere: number, found: Essence): void {
  assertEquals(chunks.length, chunksThere);
  if (found.damage === REASON) return;
  assertEquals(new Set(log.map((key) => key[3])).size, log.length > 0 ? 1 : 0);
  for (const key of log) assertGreater(key[4] as number, found.baseIndex);
}

for (const each of CASES) {
  Deno.test(`it may be cut off anywhere: ${each.name}`, () =>
    withCase(each, async (template) => {
      let writes = 0;
      let before: Essence | null = null;
      let after: Essence | null = null;
      await withStore(template, async (store, disk, directory) => {
        before = await foundBy(store);
        await store.garbageSettled();
        disk.arm(null);
        await each.act(store, () => {});
        await store.garbageSettled();
        writes = disk.writes;
        await store.close();
        // Before another opening could find any.
        const left = await keysIn(directory);
        after = await foundBy(store);
        assertNoGarbage(left, each.chunksAfter, after);
      });
      assertGreater(writes, each.writesMin - 1);
      for (let write = 0; write < writes; write++) {
        for (const landed of [false, true]) {
          await cutOff(each, template, { write, landed }, before, after);
        }
      }
    }));
}

async function cutOff(
  each: Case,
  template: string,
  crash: Crash,
  before: Essence | null,
  after: Essence | null,
): Promise<void> {
  await withStore(template, async (store, disk, directory) => {
    disk.arm(crash);
    let acknowledged = false;
    await each.act(store, () => acknowledged = true).catch((error) => {
      assert(/crash/.test(error.message), error);
    });
    await store.garbageSettled();
    await store.close();
    disk.arm(null);
    const found = await store.open();
    const isAfter = equal(essence(found), after);
    const isUnrepaired = /not repaired/.test(found.damage ?? "");
    if (isUnrepaired) assert(equal({ ...essence(found), damage: null }, after));
    else if (acknowledged) assert(isAfter, `write ${crash.write}`);
    else assert(isAfter || equal(essence(found), before), `write ${crash.write}`);
    if (found.snapshot !== null) {
      const contents = found.snapshot.meta.index === 40 ? OLD : NEW;
      assertEquals(await readAll(store, found.snapshot), contents);
    }
    await goesOn(store, directory, found);
  });
}

/** The store takes entries, finds them again, and all that is no longer used is deleted. */
async function goesOn(store: KvLogStore, directory: string, found: Recovery): Promise<void> {
  const more = entries((found.entries.at(-1)?.index ?? found.baseIndex) + 1, 3, 9);
  await store.commit(batch({ entries: more }));
  // Nothing of a damaged log is deleted before.
  if (found.damage !== null && found.damage !== REASON) await store.repaired();
  // What is still on its way in counts as used, so that it goes first.
  const other = infoOf(snapshotMeta(200, 9), chunks(1));
  await (await store.snapshots.receive(other)).discard();
  await store.garbageSettled();
  const again = await store.open();
  await store.garbageSettled();
  assertEquals(again.entries, [...found.entries, ...more]);
  await store.close();
  const kept = found.damage === REASON ? OLD.length : 0;
  assertNoGarbage(await keysIn(directory), kept + (again.snapshot?.chunks ?? 0), again);
}

Deno.test("a crash after the switch leaves the garbage to the next opening, in pieces", () =>
  withCase(CASES[0], (template) =>
    withStore(template, async (store, disk, directory) => {
      // Five writes of the snapshot itself: chunks, switch, mark. Then the process dies.
      disk.arm({ write: NEW.length + 2, landed: false });
      await snapshotted(store, snapshotMeta(60), NEW, 50);
      await store.garbageSettled();
      for (let openings = 0;; openings++) {
        await store.close();
        // The two fences, then one piece of garbage an opening, and it dies in the next one.
        disk.arm({ write: 3, landed: false });
        const found = await store.open();
        await store.garbageSettled();
        if (disk.writes > 3) continue;
        await store.close();
        assertGreater(openings, 1);
        assertNoGarbage(await keysIn(directory), NEW.length, found);
        return;
      }
    })));

Deno.test("a receiver whose note was written and nothing else begins at the first chunk", () =>
  withCase(CASES[1], (template) =>
    withStore(template, async (store, disk) => {
      disk.arm({ write: 1, landed: false });
      const info = infoOf(snapshotMeta(100, 3), NEW);
      await assertRejects(() => received(store, info, NEW), Error, "crash");
      await store.close();
      disk.arm(null);
      await store.open();
      assertEquals((await store.snapshots.receive(info)).next, 0);
    })));

Deno.test("what proved corrupt is not gone on with, though a crash leaves chunks of it", () =>
  withCase(CASES[1], (template) =>
    withStore(template, async (store, disk) => {
      const sent = OLD.with(3, chunks(1, 9)[0]);
      const info = infoOf(snapshotMeta(100, 3), OLD);
      const receiver = await received(store, info, sent, sent.length - 1);
      disk.arm({ write: 1, landed: false });
      const last = sent.length - 1;
      await assertRejects(() => receiver.add(last, sent[last]), CorruptSnapshot);
      await store.garbageSettled();
      await store.close();
      disk.arm(null);
      await store.open();
      assertEquals((await store.snapshots.receive(info)).next, 0);
    })));
