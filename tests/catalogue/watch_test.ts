/** Bugs that real systems shipped (docs/reliability.md): what those are told who watch. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Draining, NotCaughtUp, TooStale } from "../../actors/outcomes.ts";
import type { Versionstamp } from "../../kv/types.ts";
import { compareVersionstamps } from "../../kv/versionstamp.ts";
import { everything, Listener } from "../actors/listener.ts";
import { eventsOf, leaveBehind, load, OFTEN, others } from "../actors/snapshot_world.ts";
import { key, put, VirtualCluster, write } from "../actors/virtual_cluster.ts";

const SEEDS = 6;

async function underSeeds(
  test: (cluster: VirtualCluster) => Promise<void>,
  options = {},
): Promise<void> {
  for (let seed = 1; seed <= SEEDS; seed++) await VirtualCluster.run(3, seed, test, options);
}

async function listen(
  cluster: VirtualCluster,
  id: string,
  since: Versionstamp | null = null,
): Promise<Listener> {
  return new Listener(await cluster.settle(cluster.service(id).watch(everything(since))));
}

function closeAll(listeners: Iterable<Listener>): void {
  for (const listener of listeners) listener.close();
}

/** Writes at one node after the other, each once the one before is applied; gives what a watch must tell. */
async function writeInTurn(
  cluster: VirtualCluster,
  ids: readonly string[],
  count: number,
  prefix: string,
): Promise<string[]> {
  const told: string[] = [];
  for (let i = 0; i < count; i++) {
    assertEquals(await cluster.put(ids[i % ids.length], prefix, `${i}`), "applied");
    told.push(`${prefix}=${i}`);
  }
  return told;
}

/** Waits until a listener was told of a write. */
function hears(cluster: VirtualCluster, listener: Listener, change: string): Promise<unknown> {
  return cluster.eventually(`${change} is told`, () => listener.changes.includes(change));
}

Deno.test("catalogue 36: the leader dies in the middle of a watch, and the watches of the others go on without loss or repetition", async () => {
  await underSeeds(async (cluster) => {
    const leader = await cluster.leader();
    const rest = others(cluster, leader);
    const listeners = await Promise.all(cluster.ids.map((id) => listen(cluster, id)));
    const before = await writeInTurn(cluster, cluster.ids, 12, "before");
    // These wait at the others for whoever leads next.
    const waiting = rest.map((id) => cluster.service(id).write(put(`by-${id}`, "waiting")));
    await cluster.crash(leader);
    await cluster.settle(Promise.all(waiting));
    const after = await writeInTurn(cluster, rest, 12, "after");
    for (const id of rest) {
      const listener = listeners[cluster.ids.indexOf(id)];
      await hears(cluster, listener, after.at(-1)!);
      const { changes } = listener;
      assertEquals(changes.slice(0, before.length), before);
      assertEquals(changes.slice(-after.length), after);
      assertEquals(
        changes.slice(before.length, -after.length).toSorted(),
        rest.map((each) => `by-${each}=waiting`).toSorted(),
      );
      assertEquals(listener.gaps, []);
    }
    closeAll(listeners);
  });
});

Deno.test("catalogue 36: a watch that goes on at a node which is behind waits there, and tells the rest: nothing twice, nothing not", async () => {
  await underSeeds(async (cluster) => {
    const leader = await cluster.leader();
    const [behind, other] = others(cluster, leader);
    const first = await listen(cluster, other);
    const before = await writeInTurn(cluster, [leader], 5, "before");
    await hears(cluster, first, before.at(-1)!);
    cluster.isolate(behind);
    const away = await writeInTurn(cluster, [leader], 5, "away");
    await hears(cluster, first, away[2]);
    const since = first.position!;
    // Whoever cannot have seen so much does not begin earlier, nor at what is its own present.
    await assertRejects(() => listen(cluster, behind, since), NotCaughtUp);
    let isOpen = false;
    const opening = cluster.service(behind).watch(everything(since));
    opening.then(() => isOpen = true, () => {});
    await cluster.env.advance(300);
    assertEquals(isOpen, false);
    cluster.network.heal();
    const second = new Listener(await cluster.settle(opening));
    const after = await writeInTurn(cluster, cluster.ids, 5, "after");
    await hears(cluster, second, after.at(-1)!);
    const all = [...before, ...away, ...after];
    assertEquals(second.changes, all.slice(first.changes.indexOf(lastTold(first, since)) + 1));
    assertEquals(second.gaps, []);
    closeAll([first, second]);
  });
});

/** The change at the place where another watch goes on. */
function lastTold({ events, changes }: Listener, since: Versionstamp): string {
  const told = events.filter((event) => event.type === "changes");
  const at = told.findLastIndex(({ versionstamp }) =>
    compareVersionstamps(versionstamp, since) <= 0
  );
  return changes[at];
}

Deno.test("catalogue 36: a watch at a node that installs a snapshot is told of the gap, and of all behind it", async () => {
  await underSeeds(async (cluster) => {
    const leader = await cluster.leader();
    const [behind] = others(cluster, leader);
    const listener = await listen(cluster, behind);
    const before = await writeInTurn(cluster, [leader], 5, "before");
    await hears(cluster, listener, before.at(-1)!);
    cluster.isolate(behind);
    await load(cluster, leader, 150, "missed");
    cluster.network.heal();
    await cluster.eventually(
      "the snapshot is installed",
      () => eventsOf(cluster, behind, "snapshot-installed").length > 0,
    );
    await cluster.agreedHash();
    const after = await writeInTurn(cluster, cluster.ids, 5, "after");
    await hears(cluster, listener, after.at(-1)!);
    const installed = Number(eventsOf(cluster, behind, "snapshot-installed")[0][0]);
    const [gap] = listener.gaps;
    assert(gap !== undefined && gap.position.index === installed, "the gap is not said");
    // Before it and behind it nothing is left out; what lies in it can be read.
    const { changes } = listener;
    const missed = Array.from({ length: 150 }, (_, i) => `missed-${i}=missed ${i}`);
    const behindGap = changes.slice(before.length, -after.length);
    assertEquals(changes.slice(0, before.length), before);
    assertEquals(behindGap, missed.slice(missed.length - behindGap.length));
    assertEquals(changes.slice(-after.length), after);
    for (const i of [0, 75, 149]) {
      assertEquals(await cluster.get(behind, `missed-${i}`), `missed ${i}`);
    }
    closeAll([listener]);
  }, OFTEN);
});

Deno.test("catalogue 36: a watch that goes on from before what a node knows is told of the gap at once", async () => {
  await underSeeds(async (cluster) => {
    const first = await listen(cluster, await cluster.leader());
    const { leader, behind } = await leaveBehind(cluster);
    await hears(cluster, first, "later-59=later 59");
    // One from the snapshot that it fetches, one from the snapshot that it took itself.
    cluster.start(behind);
    await cluster.ready();
    await cluster.agreedHash();
    await cluster.crash(leader);
    cluster.start(leader);
    await cluster.ready();
    const [start] = first.events;
    assert(start.type === "watching");
    for (const id of [behind, leader]) {
      const second = await listen(cluster, id, start.position);
      await cluster.eventually("the gap is told", () => second.gaps.length > 0);
      assertEquals([second.gaps[0].since, second.told.slice(0, 2)], [
        start.position,
        ["watching", "gap"],
      ]);
      assertEquals(await cluster.put(id, "after", id), "applied");
      await hears(cluster, second, `after=${id}`);
      closeAll([second]);
    }
    closeAll([first]);
  }, OFTEN);
});

Deno.test("catalogue 36: a watch goes on over a restart of its node, from what the log still has", async () => {
  await underSeeds(async (cluster) => {
    const leader = await cluster.leader();
    const [id] = others(cluster, leader);
    const first = await listen(cluster, id);
    const before = await writeInTurn(cluster, [leader], 5, "before");
    await hears(cluster, first, before[2]);
    const since = first.position!;
    const heard = first.changes.length;
    await cluster.crash(id);
    const away = await writeInTurn(cluster, [leader], 5, "away");
    cluster.start(id);
    await cluster.ready();
    const second = await listen(cluster, id, since);
    await hears(cluster, second, away.at(-1)!);
    assertEquals(second.changes, [...before, ...away].slice(heard));
    assertEquals(second.gaps, []);
    closeAll([first, second]);
  });
});

Deno.test("catalogue 36: what a leader has written and never committed is told to nobody", async () => {
  await underSeeds(async (cluster) => {
    const old = await cluster.leader();
    const rest = others(cluster, old);
    const listeners = await Promise.all(cluster.ids.map((id) => listen(cluster, id)));
    cluster.isolate(old);
    const lost = cluster.service(old).write(put("key", "uncommitted"), { deadlineMs: 1000 });
    await assertRejects(() => cluster.settle(lost));
    await cluster.leader(rest);
    assertEquals(await cluster.put(rest[0], "key", "committed"), "applied");
    assertEquals(listeners[cluster.ids.indexOf(old)].changes, []);
    cluster.network.heal();
    await cluster.ready();
    for (const listener of listeners) {
      await hears(cluster, listener, "key=committed");
      assertEquals(listener.changes.filter((each) => each === "key=committed").length, 1);
      assert(listener.changes.indexOf("key=uncommitted") <= 0, "it comes after what replaced it");
    }
    const [first, ...more] = listeners.map(({ changes }) => changes);
    for (const changes of more) assertEquals(changes, first);
    closeAll(listeners);
  });
});

Deno.test("catalogue 36: a watch at a node that hears no leader any more ends, and goes on at another one", async () => {
  await underSeeds(async (cluster) => {
    const leader = await cluster.leader();
    for (const away of [leader, others(cluster, leader)[0]]) {
      const [here] = others(cluster, away);
      const listener = await listen(cluster, away);
      cluster.isolate(away);
      await cluster.eventually("it is over", () => listener.isEnded);
      await assertRejects(() => listen(cluster, away, listener.position), TooStale);
      assertEquals(await cluster.put(here, "key", away), "applied");
      const second = await listen(cluster, here, listener.position);
      await hears(cluster, second, `key=${away}`);
      assertEquals([listener.changes, second.changes], [[], [`key=${away}`]]);
      cluster.network.heal();
      await cluster.ready();
      await cluster.agreedHash();
      closeAll([listener, second]);
    }
  });
});

Deno.test("catalogue 36: a write that is sent again under its idempotency key is told once", async () => {
  await underSeeds(async (cluster) => {
    const listeners = await Promise.all(cluster.ids.map((id) => listen(cluster, id)));
    const once = { ...put("key", "once"), idempotencyKey: "the same" };
    for (const id of cluster.ids) await cluster.settle(cluster.service(id).write(once));
    await cluster.put(cluster.ids[0], "key", "last");
    for (const listener of listeners) {
      await hears(cluster, listener, "key=last");
      assertEquals(listener.changes, ["key=once", "key=last"]);
    }
    closeAll(listeners);
  });
});

Deno.test("catalogue 36: a key that expires is told at every node when it is due, as a delete, once", async () => {
  await underSeeds(async (cluster) => {
    const listeners = await Promise.all(cluster.ids.map((id) => listen(cluster, id)));
    await cluster.settle(cluster.service("n1").write(put("key", "value", 1000)));
    await cluster.env.advance(900);
    for (const { changes } of listeners) assertEquals(changes, ["key=value"]);
    await cluster.env.advance(400);
    for (const { changes } of listeners) assertEquals(changes, ["key=value", "-key"]);
    await cluster.settle(cluster.service("n1").write(write({ type: "delete", key: key("key") })));
    await cluster.env.advance(400);
    for (const { changes } of listeners) assertEquals(changes, ["key=value", "-key"]);
    closeAll(listeners);
  });
});

Deno.test("catalogue 36: a node that stops ends its watches at once, and takes no more", async () => {
  await underSeeds(async (cluster) => {
    const [id, ...rest] = cluster.ids;
    const listener = await listen(cluster, id);
    const before = await writeInTurn(cluster, cluster.ids, 5, "before");
    await hears(cluster, listener, before.at(-1)!);
    const node = cluster.node(id);
    // It still serves everything else: whoever asks may have nowhere else to go.
    const retiring = node.retire();
    await cluster.env.runUntilIdle();
    assertEquals(listener.isEnded, true);
    await assertRejects(() => node.service.watch(everything()), Draining);
    await cluster.settle(retiring);
    await cluster.stop(id);
    const after = await writeInTurn(cluster, rest, 5, "after");
    const second = await listen(cluster, rest[0], listener.position);
    await hears(cluster, second, after.at(-1)!);
    assertEquals([...listener.changes, ...second.changes], [...before, ...after]);
    closeAll([listener, second]);
  });
});
