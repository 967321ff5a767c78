/** Bugs that real systems shipped (docs/reliability.md): what was acknowledged must outlive crashes. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { OutcomeUnknown } from "../../actors/outcomes.ts";
import { diskAt } from "../../storage/disk.ts";
import { KvLogStore } from "../../storage/kv_log_store.ts";
import { increment, put, VirtualCluster } from "../actors/virtual_cluster.ts";
import { batch, entries, hardState, KeptKv, OWNER, reread, withKv } from "../storage/places.ts";

const SEEDS = 10;

/** Makes every commit of a node take so long. */
function slowDisk(cluster: VirtualCluster, id: string, ms: number): void {
  cluster.disks.get(id)!.beforeCommit = () =>
    new Promise<void>((resolve) => void cluster.env.setTimer(resolve, ms));
}

function others(cluster: VirtualCluster, id: string): string[] {
  return cluster.ids.filter((other) => other !== id);
}

Deno.test("catalogue 3: a leader that dies right after its 200, before its own disk was done, takes nothing along", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const leader = await cluster.leader();
      slowDisk(cluster, leader, 60);
      const disk = cluster.disks.get(leader)!;
      const before = disk.entries.length;
      assertEquals(await cluster.put(leader, "key", "value"), "applied");
      const overtook = disk.entries.length === before;
      await cluster.crash(leader);
      const rest = others(cluster, leader);
      await cluster.leader(rest);
      for (const id of rest) assertEquals(await cluster.get(id, "key"), "value");
      assert(overtook, `seed ${seed}: the leader's own disk was done first, so this shows nothing`);
    });
  }
});

Deno.test("catalogue 3: a node on its own answers 200 only once its disk has the write", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    await VirtualCluster.run(1, seed, async (cluster) => {
      slowDisk(cluster, "n1", 60);
      const acknowledged: number[] = [];
      const writes: Promise<unknown>[] = [];
      // Several batches are under way at a time, so that the end of one says nothing of the next.
      for (let i = 0; i < 30; i++) {
        const write = cluster.service("n1").write(put(`k${i}`, `v${i}`));
        writes.push(write.then(() => acknowledged.push(i), () => {}));
        await cluster.env.advance(5 + seed);
      }
      const known = [...acknowledged];
      assert(known.length > 0 && known.length < 30, `${known.length} were acknowledged`);
      await cluster.crash("n1");
      cluster.start("n1");
      await cluster.ready();
      for (const i of known) assertEquals(await cluster.get("n1", `k${i}`), `v${i}`);
      await cluster.settle(Promise.all(writes));
    });
  }
});

for (const point of ["before-landing", "after-landing"] as const) {
  Deno.test(`catalogue 4: state and applied index come back as one when a commit fails ${point}`, async () => {
    const snapshots = { entriesMax: 8, tailEntries: 2 };
    await VirtualCluster.run(1, 1, async (cluster) => {
      const disk = cluster.disks.get("n1")!;
      // Each restart is from another snapshot and another length of log.
      for (let i = 0, counted = 0; i < 40; i++) {
        disk.failNextCommit(point);
        // It may strike the write itself, or the switch to a snapshot beside it.
        const outcome = await cluster.settle(
          cluster.service("n1").write(increment("n")).catch((error: unknown) => error),
        );
        await cluster.ready();
        // A replica that fails again and again ends its node; it is not what this is about.
        await cluster.env.advance(60_000);
        const is = await cluster.counter("n1", "n");
        if (!(outcome instanceof OutcomeUnknown)) assertEquals(is, counted + 1);
        else assertEquals(is, counted + (point === "after-landing" ? 1 : 0));
        counted = is;
      }
    }, { snapshots });
  });
}

Deno.test("catalogue 6: all nodes die at once in the middle of their writes, and what was acknowledged is there", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      for (const id of cluster.ids) slowDisk(cluster, id, 3);
      const acknowledged: number[] = [];
      const writes: Promise<unknown>[] = [];
      for (let i = 0; i < 40; i++) {
        const write = cluster.service(cluster.ids[i % 3]).write(put(`k${i}`, `v${i}`));
        writes.push(write.then(() => acknowledged.push(i), () => {}));
        // What a disk has begun and not finished when the power fails is lost.
        await cluster.env.advance((seed + i) % 4);
      }
      const known = [...acknowledged];
      assert(known.length > 0 && known.length < 40, `${known.length} were acknowledged`);
      for (const id of cluster.ids) await cluster.crash(id);
      for (const id of cluster.ids) cluster.start(id);
      await cluster.ready();
      for (const i of known) assertEquals(await cluster.get(cluster.ids[i % 3], `k${i}`), `v${i}`);
      await cluster.agreedHash();
      await cluster.settle(Promise.all(writes));
    });
  }
});

Deno.test("catalogue 7: one power loss that costs a disk its tail, and two pauses, lose no acknowledged write", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const leader = await cluster.leader();
      const [second, third] = others(cluster, leader);
      assertEquals(await cluster.put(leader, "before", "all"), "applied");
      await cluster.agreedHash();
      // The first pause: a write that only two of three have.
      cluster.clock(third).stop();
      assertEquals(await cluster.put(leader, "key", "value"), "applied");
      // It can answer only from a state that has the write, and so has it durably.
      assertEquals(await cluster.get(second, "key"), "value");
      // The power loss: one of the two comes back without it. The second pause: the other is away.
      await cluster.crash(leader);
      const disk = cluster.disks.get(leader)!;
      const { length } = disk.entries;
      disk.loseCommits(2);
      assert(disk.entries.length < length, "nothing of the log was lost");
      cluster.clock(second).stop();
      cluster.clock(third).resume();
      cluster.start(leader);
      // Those two could outvote the only one that has the write; but one knows that it lost something.
      await assertRejects(() => cluster.put(third, "key", "another"));
      cluster.clock(second).resume();
      await cluster.ready();
      for (const id of cluster.ids) assertEquals(await cluster.get(id, "key"), "value");
      await cluster.agreedHash();
    });
  }
});

Deno.test("catalogue 10: a read error while a block is cut fails the commit, and leaves no entry without its predecessor", async () => {
  const kv = await diskAt(":memory:", OWNER.group).openKv();
  try {
    const broken: Partial<Deno.Kv> = {};
    const store = new KvLogStore(new KeptKv(withKv(kv, broken)), OWNER);
    await store.open();
    const written = entries(1, 6);
    await store.commit(batch({ hardState: hardState(1), entries: written }));
    broken.get = () => Promise.reject(new Error("Injected: cannot read"));
    const replacing = batch({ truncateFrom: 4, entries: entries(4, 2, 2) });
    await assertRejects(() => store.commit(replacing), Error, "cannot read");
    await assertRejects(
      () => store.commit(batch({ entries: entries(7, 1) })),
      Error,
      "opened anew",
    );
    delete broken.get;
    await store.close();
    assertEquals((await reread(store)).entries, written);
  } finally {
    kv.close();
  }
});
