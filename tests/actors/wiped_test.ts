/**
 * Nodes that lost their disks and begin anew under their old names: what that would cost, and that the
 * others do not let it happen. And one that was away while all others were replaced.
 *
 * @module
 */
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "@std/assert";
import {
  ACKNOWLEDGED_KEEP_TICKS,
  ELECTION_TICKS,
  LEADERLESS_MS,
  TICK_MS,
} from "../../actors/limits_replica.ts";
import { LAST_RESORT_TIMEOUTS } from "../../raft/limits.ts";
import { nodeId } from "../../raft/types.ts";
import { memberRequest } from "./addresses.ts";
import { VirtualCluster } from "./virtual_cluster.ts";

const OTHER_DATA = "knows this node with other data";
/** After so long, what was acknowledged before is remembered durably. */
const KEPT_MS = 2 * ACKNOWLEDGED_KEEP_TICKS * TICK_MS;
/** Many election timeouts. */
const LONG_MS = 20_000;
/** Who must not lead campaigns all the same if nobody was heard for longer than this. */
const LAST_RESORT_MS = LAST_RESORT_TIMEOUTS * ELECTION_TICKS * TICK_MS;

function cut(cluster: VirtualCluster, a: string, b: string, isCut = true): void {
  cluster.network.setLink(nodeId(a), nodeId(b), { cut: isCut });
  cluster.network.setLink(nodeId(b), nodeId(a), { cut: isCut });
}

function refusedForData(cluster: VirtualCluster, id: string): boolean {
  return cluster.service(id).notReady()?.includes(OTHER_DATA) ?? false;
}

async function add(
  cluster: VirtualCluster,
  at: string,
  id: string,
  replaces: string | null = null,
) {
  await cluster.settle(cluster.service(at).addMember(memberRequest(id, { replaces })));
  await cluster.eventually(
    `${id} is a voter`,
    () =>
      cluster.service(at).status().members.some((it) => it.id === id && it.role === "voter") &&
      (replaces === null || cluster.service(at).status().members.every((it) => it.id !== replaces)),
  );
}

/**
 * A write is acknowledged by the leader and one other, which then loses its disk and meets the third, that
 * was cut off, while the leader is. Gives the three, leader first, the wiped one last.
 */
async function loseAcknowledged(cluster: VirtualCluster): Promise<[string, string, string]> {
  const leader = await cluster.leader();
  const [wiped, behind] = cluster.ids.filter((id) => id !== leader);
  assertEquals(await cluster.put(leader, "before", "seen by all"), "applied");
  await cluster.agreedHash();
  cut(cluster, leader, behind);
  cut(cluster, wiped, behind);
  assertEquals(await cluster.put(leader, "key", "acknowledged"), "applied");
  await cluster.crash(wiped);
  cluster.wipe(wiped);
  cut(cluster, leader, wiped);
  cut(cluster, wiped, behind, false);
  cluster.start(wiped);
  return [leader, behind, wiped];
}

Deno.test("a wiped node whose peers cannot tell makes a quorum that lost an acknowledged write (why the rule exists)", async () => {
  await VirtualCluster.run(3, 1, async (cluster) => {
    const [leader, behind, wiped] = await loseAcknowledged(cluster);
    const next = await cluster.leader([behind, wiped]);
    assertNotEquals(next, leader);
    assertEquals(await cluster.get(next, "key"), null);
  }, { isDataHidden: true });
});

Deno.test("a wiped node that was never restarted before is refused by who met it, and makes no quorum", async () => {
  for (let seed = 1; seed <= 3; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const [leader, behind, wiped] = await loseAcknowledged(cluster);
      await cluster.eventually("it is refused", () => refusedForData(cluster, wiped));
      const from = cluster.events.length;
      await cluster.env.advance(LONG_MS);
      const led = cluster.events.slice(from).filter((it) => / role leader /.test(it));
      assertEquals(led, []);
      assertEquals(cluster.service(behind).status().leader, null);
      cut(cluster, leader, behind, false);
      cut(cluster, leader, wiped, false);
      const next = await cluster.leader([leader, behind]);
      assertEquals(await cluster.get(next, "key"), "acknowledged");
      assert(refusedForData(cluster, wiped));
      assertEquals(cluster.service(wiped).status().term, 0);
    });
  }
});

/**
 * Writes are acknowledged by the leader and one other; later all lose power, and that one's directory comes
 * back as it was before those writes, started often enough to have the highest boot number that anybody knows
 * of it. Gives the three, leader first, the one of the older copy last.
 */
async function restoreOlder(cluster: VirtualCluster): Promise<[string, string, string]> {
  const leader = await cluster.leader();
  const [old, behind] = cluster.ids.filter((id) => id !== leader);
  assertEquals(await cluster.put(leader, "before", "seen by all"), "applied");
  await cluster.agreedHash();
  const copy = cluster.disks.get(old)!.copy();
  cluster.isolate(behind);
  assertEquals(await cluster.put(leader, "key", "acknowledged"), "applied");
  assertEquals(await cluster.put(leader, "other", "acknowledged"), "applied");
  await cluster.env.advance(KEPT_MS);
  for (const id of [...cluster.running]) await cluster.crash(id);
  cluster.restore(old, copy);
  cluster.network.heal();
  return [leader, behind, old];
}

Deno.test("a node on an older copy whose peers cannot tell makes a quorum that lost acknowledged writes (why the rule exists)", async () => {
  await VirtualCluster.run(3, 1, async (cluster) => {
    const [, behind, old] = await restoreOlder(cluster);
    cluster.start(behind);
    cluster.start(old);
    const next = await cluster.leader([behind, old]);
    assertEquals(await cluster.get(next, "key"), null);
  }, { isDataHidden: true });
});

Deno.test("a node on an older copy of its directory is refused by who had its acknowledgements, and stands for nothing", async () => {
  for (let seed = 1; seed <= 5; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const [leader, behind, old] = await restoreOlder(cluster);
      const from = cluster.events.length;
      // Whom the copy has not met since may hear it, but its vote is not to be had.
      cut(cluster, leader, behind);
      for (const id of cluster.ids) cluster.start(id);
      const isRefused = () => cluster.service(old).notReady()?.includes("an older copy") ?? false;
      await cluster.eventually("it is refused", isRefused);
      assertStringIncludes(cluster.service(old).notReady()!, "docs/operations.md");
      await cluster.env.advance(LONG_MS);
      const led = cluster.events.slice(from).filter((it) => / role leader /.test(it));
      assertEquals(led, []);
      cut(cluster, leader, behind, false);
      const next = await cluster.leader([leader, behind]);
      assertEquals(await cluster.get(next, "key"), "acknowledged");
      assertEquals(await cluster.get(next, "other"), "acknowledged");
      assert(isRefused());
      // And as with a lost directory, it is removed and joins anew.
      await cluster.crash(old);
      await cluster.settle(cluster.service(next).removeMember(old));
      cluster.join(old);
      await add(cluster, next, old);
      await cluster.ready();
      await cluster.agreedHash();
    });
  }
});

Deno.test("a node on a copy that lacks nothing of what it acknowledged is taken back", async () => {
  await VirtualCluster.run(3, 2, async (cluster) => {
    const leader = await cluster.leader();
    const [copied] = cluster.ids.filter((id) => id !== leader);
    assertEquals(await cluster.put(leader, "key", "value"), "applied");
    await cluster.agreedHash();
    await cluster.env.advance(KEPT_MS);
    const copy = cluster.disks.get(copied)!.copy();
    await cluster.crash(copied);
    cluster.restore(copied, copy);
    cluster.start(copied);
    await cluster.ready();
    await cluster.agreedHash();
  });
});

Deno.test("a wiped node is refused after all its peers were restarted, too, and joins anew once it was removed", async () => {
  await VirtualCluster.run(3, 4, async (cluster) => {
    const leader = await cluster.leader();
    const [wiped, third] = cluster.ids.filter((id) => id !== leader);
    assertEquals(await cluster.put(leader, "key", "value"), "applied");
    for (let round = 0; round < 2; round++) {
      for (const id of [...cluster.running]) await cluster.crash(id);
      cluster.wipe(wiped);
      for (const id of cluster.ids) cluster.start(id);
      const next = await cluster.leader([leader, third]);
      assertEquals(await cluster.get(next, "key"), "value");
      await cluster.eventually("it is refused", () => refusedForData(cluster, wiped));
      assertStringIncludes(cluster.service(wiped).notReady()!, "docs/operations.md");
    }
    await cluster.crash(wiped);
    const at = await cluster.leader([leader, third]);
    await cluster.settle(cluster.service(at).removeMember(wiped));
    cluster.join(wiped);
    await add(cluster, at, wiped);
    await cluster.ready();
    // Its vote counts again, at both of the others.
    for (const away of [leader, third]) {
      cluster.isolate(away);
      const [one, other] = cluster.ids.filter((id) => id !== away);
      await cluster.leader([one, other]);
      assertEquals(await cluster.put(one, "key", `without ${away}`), "applied");
      cluster.network.heal();
      await cluster.ready();
    }
    await cluster.agreedHash();
    // And it is known by what it has now, over restarts.
    for (const id of [...cluster.running]) await cluster.crash(id);
    for (const id of cluster.ids) cluster.start(id);
    await cluster.ready();
  });
});

Deno.test("a wiped node that is refused does not forget it when its replica is restarted", async () => {
  await VirtualCluster.run(3, 6, async (cluster) => {
    const leader = await cluster.leader();
    const [wiped] = cluster.ids.filter((id) => id !== leader);
    await cluster.stop(wiped);
    cluster.wipe(wiped);
    cluster.start(wiped);
    await cluster.eventually("it is refused", () => refusedForData(cluster, wiped));
    await cluster.env.advance(LONG_MS);
    const from = cluster.events.length;
    // The next turn of its replica fails.
    const clock = cluster.clock(wiped);
    const wallNowMs = clock.wallNowMs.bind(clock);
    clock.wallNowMs = () => {
      clock.wallNowMs = wallNowMs;
      throw new Error("broken");
    };
    await cluster.env.advance(LAST_RESORT_MS);
    const since = cluster.events.slice(from).filter((event) => event.includes(` ${wiped} `));
    assertEquals(since.filter((event) => event.includes(" fault ")).length, 1);
    assertEquals(since.filter((event) => event.includes("candidate")), []);
  });
});

Deno.test("a node that hears of removal and return in one batch takes the returned one for what it is", async () => {
  await VirtualCluster.run(3, 5, async (cluster) => {
    const leader = await cluster.leader();
    const [wiped, behind] = cluster.ids.filter((id) => id !== leader);
    for (const id of ["n4", "n5"]) {
      cluster.join(id);
      await add(cluster, leader, id);
    }
    cluster.isolate(behind);
    await cluster.crash(wiped);
    await cluster.settle(cluster.service(leader).removeMember(wiped));
    cluster.join(wiped);
    await add(cluster, leader, wiped);
    cluster.network.heal();
    await cluster.agreedHash();
    await cluster.ready();
    // Of three that are left two are needed, and the two have not met as what they are now.
    for (const id of ["n4", "n5"]) {
      await cluster.settle(cluster.service(leader).removeMember(id));
      await cluster.stop(id);
    }
    cluster.isolate(leader);
    await cluster.leader([behind, wiped]);
    assertEquals(await cluster.put(behind, "key", "value"), "applied");
    cluster.network.heal();
    await cluster.ready();
  });
});

Deno.test("a node that a snapshot brought past removal and return takes the returned one for what it is", async () => {
  for (let seed = 1; seed <= 3; seed++) {
    await VirtualCluster.run(5, seed, async (cluster) => {
      const [away, wiped] = cluster.ids.filter((id) =>
        id !== cluster.service("n1").status().leader
      );
      await cluster.crash(away);
      await cluster.crash(wiped);
      const at = await cluster.leader();
      await cluster.settle(cluster.service(at).removeMember(wiped));
      cluster.join(wiped);
      await add(cluster, at, wiped);
      for (let n = 0; n < 20; n++) assertEquals(await cluster.put(at, `key ${n}`, ""), "applied");
      await cluster.settle(cluster.service(at).takeSnapshot());
      cluster.start(away);
      const installs = (it: string) => it.includes(` ${away} snapshot-installed `);
      await cluster.eventually("a snapshot brings it up", () => cluster.events.some(installs));
      // A voter before and a voter after, for all that it saw.
      await cluster.agreedHash();
      await cluster.ready();
      await elect(cluster, wiped, away);
      await cluster.agreedHash();
    }, { snapshots: { entriesMax: 1_000, tailEntries: 2, tailBytes: 100 } });
  }
});

/** Of five nodes leaves three, of which only `needed` can lead, with the votes of both others. */
async function elect(cluster: VirtualCluster, needed: string, voter: string): Promise<void> {
  cluster.isolate(voter);
  const rest = cluster.ids.filter((id) => id !== voter);
  const leader = await cluster.leader(rest);
  const other = rest.find((id) => id !== leader && id !== needed)!;
  cluster.isolate(other);
  assertEquals(await cluster.put(needed, "last", "only three have it"), "applied");
  for (const id of rest) if (id !== other && id !== needed) await cluster.crash(id);
  cluster.network.heal();
  assertEquals(await cluster.leader(), needed);
  assertEquals(await cluster.get(voter, "last"), "only three have it");
}

Deno.test("a node that returns after all the others were replaced finds those that lead now", async () => {
  for (let seed = 1; seed <= 3; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      assertEquals(await cluster.put("n1", "key", "old"), "applied");
      await cluster.agreedHash();
      await cluster.crash("n3");
      for (const [id, replaced] of [["n4", "n1"], ["n5", "n2"]]) {
        cluster.join(id);
        const at = cluster.running.find((it) => it !== replaced && it !== id)!;
        await add(cluster, at, id, replaced);
        await cluster.stop(replaced);
      }
      assertEquals(await cluster.put("n4", "key", "new"), "applied");
      const startedMs = cluster.env.now();
      cluster.start("n3");
      await cluster.ready();
      assert(cluster.env.now() - startedMs >= LEADERLESS_MS);
      assertEquals(await cluster.get("n3", "key"), "new");
      await cluster.agreedHash();
      // It is one of three again.
      cluster.isolate("n5");
      await cluster.leader(["n3", "n4"]);
      assertEquals(await cluster.put("n3", "key", "newer"), "applied");
    });
  }
});
