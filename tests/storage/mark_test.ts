/**
 * The mark beside the file: what of a lost, older or foreign log it notices, and that it is synced
 * after the database and before the answer.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { GROUP_DEFAULT, type HardState, nodeId } from "../../raft/types.ts";
import { CHUNK_FILE_NAME, type Disk, diskAt, KV_FILE_NAME } from "../../storage/disk.ts";
import { KvLogStore } from "../../storage/kv_log_store.ts";
import {
  BLOCKING_SYNC_MS_MAX,
  MARK_SLOT_BYTES,
  SYNC_PROBE_INTERVAL,
} from "../../storage/limits.ts";
import { LogKeys } from "../../storage/log_keys.ts";
import { encodeSlot, findDamage, type Mark, readSlots, resumeDamaged } from "../../storage/mark.ts";
import { SyncPace } from "../../storage/mark_file.ts";
import {
  CRC_BYTES,
  encodeIdentity,
  encodeState,
  sealed,
  STATE_EMPTY,
} from "../../storage/record_codec.ts";
import { Fenced, type Identity, UnsupportedFormat, WrongIdentity } from "../../storage/types.ts";
import { withDirectory } from "./directory.ts";
import {
  batch,
  chunks,
  entries,
  hardState,
  IDENTITY,
  OWNER,
  readAll,
  reread,
  snapshotMeta,
  snapshotted,
  storeAt,
  withKv,
} from "./places.ts";

const RESERVE_NAME = `reserve.${GROUP_DEFAULT}`;
const MARK_NAME = `mark.${GROUP_DEFAULT}`;

const at = storeAt;

/** Everything in the directory, to put it back later. */
async function snapshot(directory: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for await (const { name } of Deno.readDir(directory)) {
    files.set(name, await Deno.readFile(`${directory}/${name}`));
  }
  return files;
}

async function restore(directory: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  for await (const { name } of Deno.readDir(directory)) await Deno.remove(`${directory}/${name}`);
  for (const [name, bytes] of files) await Deno.writeFile(`${directory}/${name}`, bytes);
}

/** Five commits of two entries each; the files as they were after the third and after the last. */
async function fill(directory: string) {
  const store = at(directory);
  await store.open();
  let third = new Map<string, Uint8Array>();
  for (let i = 1; i <= 5; i++) {
    await store.commit(batch({ hardState: hardState(i, "n2"), entries: entries(i * 2 - 1, 2, i) }));
    if (i === 3) third = await snapshot(directory);
  }
  const last = await snapshot(directory);
  await store.close();
  return { third, last };
}

const onlyMark = (files: ReadonlyMap<string, Uint8Array>) =>
  new Map([...files].filter(([name]) => name === MARK_NAME));
const withoutMark = (files: ReadonlyMap<string, Uint8Array>) =>
  new Map([...files].filter(([name]) => name !== MARK_NAME));

Deno.test("open() notices a log that is older than its mark, and keeps the newer vote", async () => {
  await withDirectory(async (directory) => {
    const { third, last } = await fill(directory);
    await restore(directory, new Map([...third, ...onlyMark(last)]));
    const found = await reread(at(directory));
    assertMatch(found.damage!, /ends at index 6 .*commit 5.*index 10/);
    assertEquals(found.entries.length, 6);
    assertEquals(found.hardState, hardState(5, "n2"));
  });
});

Deno.test("open() reports damage until repaired() was called, across openings and commits", async () => {
  await withDirectory(async (directory) => {
    const { third, last } = await fill(directory);
    await restore(directory, new Map([...third, ...onlyMark(last)]));
    const store = at(directory);
    assert((await store.open()).damage !== null);
    await store.commit(batch({ entries: entries(7, 9, 5) }));
    assertMatch((await store.open()).damage!, /not repaired/);
    await store.commit(batch({ hardState: hardState(6) }));
    await store.repaired();
    await store.commit(batch({ entries: entries(16, 1, 6) }));
    const found = await store.open();
    assertEquals([found.damage, found.entries.length, found.hardState], [null, 16, hardState(6)]);
    await store.close();
  });
});

Deno.test("open() notices that the whole database is gone, and counts boots on", async () => {
  await withDirectory(async (directory) => {
    const { last } = await fill(directory);
    await restore(directory, onlyMark(last));
    const found = await reread(at(directory));
    assertMatch(found.damage!, /ends at index 0/);
    assertEquals([found.entries, found.hardState.term, found.boot], [[], hardState(5).term, 2]);
    await restore(directory, onlyMark(last));
    const stranger = storeAt(directory, { ...IDENTITY, nodeId: "n9" });
    await assertRejects(() => stranger.open(), WrongIdentity);
  });
});

Deno.test("open() on damaged data deletes nothing that may be found missing, until it is repaired", async () => {
  await withDirectory(async (directory) => {
    const store = at(directory);
    await store.open();
    await store.commit(batch({ hardState: hardState(2), entries: entries(1, 8, 2) }));
    const { info } = await snapshotted(store, snapshotMeta(8, 2), chunks(3), 8);
    await store.close();
    const files = await snapshot(directory);
    // Somebody moves the database away, starts the node, and finds that the others cannot repair it.
    for (const name of files.keys()) {
      if (name.startsWith(KV_FILE_NAME)) await Deno.remove(`${directory}/${name}`);
    }
    assertMatch((await store.open()).damage!, /ends at index 0/);
    await store.garbageSettled();
    await store.close();
    const isFound = (name: string) => name.startsWith(KV_FILE_NAME) || name === MARK_NAME;
    for (const [name, bytes] of files) {
      if (isFound(name)) await Deno.writeFile(`${directory}/${name}`, bytes);
    }
    assertEquals((await store.open()).damage, null);
    assertEquals(await readAll(store, info), chunks(3));
    await store.close();
    // But if they can, it goes.
    for (const name of files.keys()) {
      if (name.startsWith(KV_FILE_NAME)) await Deno.remove(`${directory}/${name}`);
    }
    await store.open();
    await store.repaired();
    await store.garbageSettled();
    await store.close();
    using kv = await Deno.openKv(`${directory}/${CHUNK_FILE_NAME}`);
    const left = await Array.fromAsync(kv.list({ prefix: new LogKeys(GROUP_DEFAULT).chunks }));
    assertEquals(left, []);
  });
});

Deno.test("open() notices that the mark is gone", async () => {
  await withDirectory(async (directory) => {
    const { last } = await fill(directory);
    await restore(directory, withoutMark(last));
    const found = await reread(at(directory));
    assertMatch(found.damage!, /mark beside the log is missing/);
    assertEquals(found.entries.length, 10);
  });
});

Deno.test("open() takes a crash between database and mark for what it is", async () => {
  await withDirectory(async (directory) => {
    const disk = diskAt(directory, GROUP_DEFAULT);
    const crashing: Disk = {
      ...bare(disk),
      marks: {
        read: () => disk.marks!.read(),
        create: async (content) => failingAt(await disk.marks!.create(content), 3),
      },
    };
    const store = new KvLogStore(crashing, OWNER);
    await store.open();
    await store.commit(batch({ entries: entries(1, 2) }));
    await store.commit(batch({ entries: entries(3, 2) }));
    await assertRejects(() => store.commit(batch({ entries: entries(5, 2) })), Error, "crash");
    await assertRejects(() => store.commit(batch({ entries: entries(7, 2) })), Error, "anew");
    const found = await store.open();
    assertEquals([found.damage, found.entries], [null, entries(1, 6)]);
    await store.close();
  });
});

Deno.test("open() survives a torn write of the mark", async () => {
  await withDirectory(async (directory) => {
    const { last } = await fill(directory);
    const torn = last.get(MARK_NAME)!;
    // Commit 5 went to slot 1; half of it is what slot 1 held before.
    torn.fill(0, MARK_SLOT_BYTES + 60, MARK_SLOT_BYTES + 400);
    await restore(directory, last);
    const found = await reread(at(directory));
    assertEquals([found.damage, found.entries.length], [null, 10]);
  });
});

Deno.test("open() doubts a log whose end may have been in the slot that cannot be read", async () => {
  await withDirectory(async (directory) => {
    const { last } = await fill(directory);
    last.get(MARK_NAME)![30] ^= 1;
    await restore(directory, last);
    assertMatch((await reread(at(directory))).damage!, /slot of the mark cannot be read/);
    last.get(MARK_NAME)![MARK_SLOT_BYTES + 30] ^= 1;
    await restore(directory, last);
    assertMatch((await reread(at(directory))).damage!, /mark beside the log cannot be read/);
  });
});

Deno.test("readSlots() refuses a mark of a newer format: it does not take it for a broken one", () => {
  const owner = { ...IDENTITY, incarnation: 1 };
  const slot = encodeSlot({ identity: owner, boot: 1, damaged: false, state: STATE_EMPTY });
  const newer = slot.slice();
  const identity = encodeIdentity(owner);
  identity[0]++;
  const behindIdentity = 2 + encodeState(STATE_EMPTY).length + CRC_BYTES;
  newer.set(sealed(identity), newer.length - behindIdentity - identity.length);
  for (const [first, second] of [[slot, sealed(newer)], [sealed(newer), slot]]) {
    const file = new Uint8Array(2 * MARK_SLOT_BYTES);
    file.set(first);
    file.set(second, MARK_SLOT_BYTES);
    assertThrows(() => readSlots(file), UnsupportedFormat);
  }
});

Deno.test("findDamage() tells another log of the same length, and a mark that stayed behind", () => {
  const state = { ...STATE_EMPTY, seq: 4 };
  const mark = (seq: number) => ({
    newest: {
      identity: { ...IDENTITY, incarnation: 1 },
      boot: 1,
      damaged: false,
      state: { ...state, seq },
    },
    broken: false,
  });
  assertEquals(findDamage(mark(4), state, IDENTITY), null);
  assertEquals(findDamage(mark(3), state, IDENTITY), null);
  const chain = { high: 1, low: 2 };
  assertMatch(
    findDamage(mark(4), { ...state, end: { ...state.end, chain } }, IDENTITY)!,
    /0000000100000002/,
  );
  assertMatch(findDamage(mark(4), { ...state, hardState: hardState(1) }, IDENTITY)!, /another/);
  assertMatch(findDamage(mark(2), state, IDENTITY)!, /synced is lost/);
});

Deno.test("findDamage() takes a mark of another cluster for none only if it was this node's, and is behind", () => {
  const state = { ...STATE_EMPTY, seq: 4 };
  const found = (identity: Identity, seq: number) => ({
    newest: {
      identity: { ...identity, incarnation: 1 },
      boot: 1,
      damaged: false,
      state: { ...state, seq },
    },
    broken: false,
  });
  const moved = { ...IDENTITY, clusterId: "another" };
  const stranger = { ...IDENTITY, nodeId: nodeId("stranger") };
  assertEquals(findDamage(found(moved, 3), state, IDENTITY), null);
  assertMatch(findDamage(found(moved, 4), state, IDENTITY)!, /another's/);
  assertMatch(findDamage(found(stranger, 3), state, IDENTITY)!, /another's/);
});

Deno.test("resumeDamaged() goes on from the newer term and vote of log and mark: no vote is given twice", () => {
  const cases: [log: HardState, mark: HardState, newer: HardState][] = [
    [hardState(3, "n1"), hardState(5, "n2"), hardState(5, "n2")],
    [hardState(5, "n1"), hardState(3, "n2"), hardState(5, "n1")],
    [hardState(5, null), hardState(3, "n2"), hardState(5, null)],
    [hardState(3, null), hardState(3, "n2"), hardState(3, "n2")],
    [hardState(3, "n1"), hardState(3, null), hardState(3, "n1")],
  ];
  for (const [inLog, inMark, { term, vote }] of cases) {
    const log = { ...STATE_EMPTY, hardState: inLog, seq: 7 };
    const state = { ...STATE_EMPTY, hardState: inMark, seq: 9 };
    const identity = { ...IDENTITY, incarnation: 1 };
    const found = { newest: { identity, boot: 1, damaged: true, state }, broken: false };
    const resumed = resumeDamaged(log, found);
    assertEquals(resumed, { ...log, seq: 9, hardState: { ...inLog, term, vote } });
    assertEquals(resumeDamaged(log, null), log);
  }
});

Deno.test("a process that was fenced off can no longer move the mark", async () => {
  await withDirectory(async (directory) => {
    const [older, newer] = [at(directory), at(directory)];
    await older.open();
    await older.commit(batch({ entries: entries(1, 2) }));
    const disk = diskAt(directory, GROUP_DEFAULT);
    await newer.open();
    const before = await disk.marks!.read();
    await assertRejects(() => older.commit(batch({ entries: entries(3, 2) })), Fenced);
    assertEquals(await disk.marks!.read(), before);
    assertEquals(before!.newest!.boot, 2);
    await older.close();
    await newer.close();
  });
});

Deno.test("a mark that was replaced writes into a file that nobody reads", async () => {
  await withDirectory(async (directory) => {
    const marks = diskAt(directory, GROUP_DEFAULT).marks!;
    const content = {
      identity: { ...IDENTITY, incarnation: 1 },
      boot: 1,
      damaged: false,
      state: STATE_EMPTY,
    };
    const older = await marks.create(content);
    const newer = await marks.create({ ...content, boot: 2 });
    for (const seq of [8, 9]) await older.write(encodeState({ ...STATE_EMPTY, seq }), seq);
    const { newest } = (await marks.read())!;
    assertEquals([newest!.boot, newest!.state.seq], [2, 0]);
    older.close();
    newer.close();
  });
});

Deno.test("commit() resolves after its mark, and the mark is written after the database", async () => {
  await withDirectory(async (directory) => {
    const events: string[] = [];
    const disk = diskAt(directory, GROUP_DEFAULT);
    const watched: Disk = {
      ...bare(disk),
      openKv: async () => watchCommits(await disk.openKv(), events),
      marks: {
        read: () => disk.marks!.read(),
        create: async (content) => watchMark(await disk.marks!.create(content), events),
      },
    };
    const store = new KvLogStore(watched, OWNER);
    await store.open();
    events.length = 0;
    for (let i = 0; i < 3; i++) {
      await store.commit(batch({ entries: entries(1 + i, 1) }));
      events.push("answer");
    }
    await store.commit(batch({}));
    await store.close();
    const each = ["database begun", "database done", "mark begun", "mark done", "answer"];
    assertEquals(events, [...each, ...each, ...each]);
  });
});

Deno.test("each commit syncs its mark once, blocking or not", async () => {
  await withDirectory(async (directory) => {
    const disk = diskAt(directory, GROUP_DEFAULT);
    const mark = await disk.marks!.create({
      identity: { ...IDENTITY, incarnation: 1 },
      boot: 1,
      damaged: false,
      state: STATE_EMPTY,
    });
    const { syncData, syncDataSync } = Deno.FsFile.prototype;
    let syncs = 0;
    Deno.FsFile.prototype.syncData = function () {
      syncs++;
      return syncData.call(this);
    };
    Deno.FsFile.prototype.syncDataSync = function () {
      syncs++;
      return syncDataSync.call(this);
    };
    try {
      for (let seq = 1; seq <= 100; seq++) {
        await mark.write(new Uint8Array(48), seq);
        assertEquals(syncs, seq);
      }
    } finally {
      Object.assign(Deno.FsFile.prototype, { syncData, syncDataSync });
      mark.close();
    }
  });
});

Deno.test("SyncPace blocks while syncs are short, and finds out when they are again", () => {
  const pace = new SyncPace();
  for (let i = 0; i < 10; i++) {
    assert(pace.blocks());
    pace.blocked(BLOCKING_SYNC_MS_MAX / 2);
  }
  while (pace.blocks()) pace.blocked(BLOCKING_SYNC_MS_MAX * 2);
  let commits = 1;
  while (!pace.blocks()) commits++;
  assertEquals(commits, SYNC_PROBE_INTERVAL - 1);
  // Fast again: the probes show it, and then every sync blocks.
  let probes = 0;
  for (; probes < 20 && !(pace.blocks() && pace.blocks()); probes++) {
    pace.blocked(0);
    for (let i = 0; i < SYNC_PROBE_INTERVAL * 2 && !pace.blocks(); i++);
  }
  assert(probes < 20, `${probes} probes`);
});

Deno.test("no mark where there is no directory", () => {
  assertEquals(diskAt(":memory:", GROUP_DEFAULT).marks, null);
  assertEquals(diskAt("kv:https://localhost:1", GROUP_DEFAULT).marks, null);
});

Deno.test("open() leaves databases, mark and reserve under their names, and nothing else", async () => {
  await withDirectory(async (directory) => {
    const nested = `${directory}/a/b`;
    await reread(at(nested));
    const names = [...(await snapshot(nested)).keys()].sort();
    assertEquals(names, [KV_FILE_NAME, MARK_NAME, RESERVE_NAME, CHUNK_FILE_NAME]);
  });
});

/** The databases of a disk alone. */
function bare(disk: Disk): Disk {
  return {
    openKv: () => disk.openKv(),
    openChunkKv: () => disk.openChunkKv!(),
    marks: null,
    reserve: null,
  };
}

function failingAt(mark: Mark, seq: number): Mark {
  return {
    write: (state, at) => at === seq ? Promise.reject(new Error("crash")) : mark.write(state, at),
    repaired: () => mark.repaired(),
    close: () => mark.close(),
  };
}

function watchMark(mark: Mark, events: string[]): Mark {
  return {
    async write(state, seq) {
      events.push("mark begun");
      await mark.write(state, seq);
      // As a slow disk: whoever does not wait for it has long gone on.
      await new Promise<void>((resolve) => void setTimeout(resolve));
      events.push("mark done");
    },
    repaired: () => mark.repaired(),
    close: () => mark.close(),
  };
}

function watchCommits(kv: Deno.Kv, events: string[]): Deno.Kv {
  return withKv(kv, {
    atomic() {
      const atomic = kv.atomic();
      const commit = atomic.commit.bind(atomic);
      atomic.commit = async () => {
        events.push("database begun");
        const result = await commit();
        events.push("database done");
        return result;
      };
      return atomic;
    },
  });
}
