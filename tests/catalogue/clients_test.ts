/** Bugs that real systems shipped (docs/reliability.md): what clients are told, and whose lock it is. */
import { assert, assertEquals } from "@std/assert";
import type { AdminOutcome } from "../../actors/admin_types.ts";
import type { Reply } from "../../actors/types.ts";
import type { ApplyResult, AtomicWrite, Versionstamp } from "../../kv/types.ts";
import { appendRequest, entriesOf, i, t, voteReply } from "../raft/script.ts";
import { configurationOf } from "../../raft/configuration.ts";
import { nodeId } from "../../raft/types.ts";
import { addressOf } from "../actors/addresses.ts";
import { startDeaf } from "../actors/deaf_replica.ts";
import { increment, key, put, VirtualCluster, write } from "../actors/virtual_cluster.ts";

const SEEDS = 10;

function others(cluster: VirtualCluster, id: string): string[] {
  return cluster.ids.filter((other) => other !== id);
}

/** The log index that a write was applied at. */
function indexOf(result: ApplyResult): number {
  return stampOf(result).index;
}

function stampOf(result: ApplyResult): Versionstamp {
  assert(result.status === "applied", `it is ${result.status}`);
  return result.versionstamp;
}

Deno.test("catalogue 16: a write whose place in the log another leader's entry takes is answered for its own place, once", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const old = await cluster.leader();
      cluster.isolate(old);
      let isAnswered = false;
      const own = cluster.service(old).write(increment("n"));
      own.finally(() => isAnswered = true).catch(() => {});
      const rest = others(cluster, old);
      await cluster.leader(rest);
      // These take the places of what the old leader has appended.
      let lastIndex = 0;
      for (let n = 0; n < 3; n++) {
        const other = cluster.service(rest[0]).write(put(`k${n}`, "theirs"));
        lastIndex = indexOf(await cluster.settle(other));
      }
      assertEquals(isAnswered, false);
      cluster.network.heal();
      assert(indexOf(await cluster.settle(own)) > lastIndex);
      for (const id of cluster.ids) assertEquals(await cluster.counter(id, "n"), 1);
    });
  }
});

Deno.test("catalogue 16: a change whose place in the log another leader's entry takes is not called done", async () => {
  const [n2, n3, n4] = ["n2", "n3", "n4"].map(nodeId);
  const { answers, state, turn, stop } = await startDeaf({ voters: [n2, n3] });
  const { core } = state;
  while (core.role !== "pre-candidate") await turn();
  const granted = (term: number, pre: boolean) => {
    return { type: "peer", from: n2, message: voteReply({ term: t(term), pre }) } as const;
  };
  await turn(granted(1, true));
  await turn(granted(1, false));
  await turn();
  assertEquals(core.role, "leader");
  const matching = { type: "append-reply", success: true, counts: true } as const;
  const none = { conflictIndex: i(0), conflictTerm: t(0), round: 0, stamp: 0, sent: 0 };
  const message = { ...matching, ...none, term: t(1), index: core.log.lastIndex };
  await turn({ type: "peer", from: n2, message });
  const reply: Reply<AdminOutcome> = { settled: false };
  const change = { type: "add", member: addressOf(n4), voter: true, replaces: null } as const;
  await turn({ type: "change", change, retried: false, reply });
  const place = core.log.lastIndex;
  assertEquals(core.commitIndex, place - 1);
  // In one message: another leader, its entry in that very place, and that it is committed.
  const entries = entriesOf([2], place);
  const taking = appendRequest({
    term: t(2),
    prevIndex: i(place - 1),
    prevTerm: t(1),
    commit: place,
    entries,
  });
  await turn({ type: "peer", from: n3, message: taking });
  const founders = configurationOf(["n1", n2, n3].map(nodeId));
  assertEquals([core.commitIndex, core.configuration], [place, founders]);
  assertEquals(answers.filter((each) => each.reply === reply).map(({ answer }) => answer), [
    { status: "lost" },
  ]);
  await stop();
});

/** What a client does under a lock: only while the lock is the very one that it took. */
function underLock(token: Versionstamp, action: AtomicWrite): AtomicWrite {
  return { ...action, checks: [{ key: key("lock"), versionstamp: token }] };
}

const LOCK_MS = 1000;

function lock(owner: string): AtomicWrite {
  return { ...put("lock", owner, LOCK_MS), checks: [{ key: key("lock"), versionstamp: null }] };
}

Deno.test("catalogue 24: who took a lock before somebody else's writes nothing any more, however late it comes", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const leader = await cluster.leader();
      const [slow, quick] = others(cluster, leader);
      const act = (id: string, it: AtomicWrite) => cluster.settle(cluster.service(id).write(it));
      const first = stampOf(await act(slow, lock("slow")));
      assertEquals((await act(quick, lock("quick"))).status, "check-failed");
      assertEquals((await act(slow, underLock(first, put("held", "by slow")))).status, "applied");
      // Its write was sent in time, and arrives when the lock is another's.
      cluster.isolate(slow);
      const late = cluster.service(slow).write(underLock(first, put("held", "by slow, late")));
      await cluster.env.advance(LOCK_MS);
      const second = stampOf(await act(quick, lock("quick")));
      assert(second.index > first.index, "a later lock has a later token");
      assertEquals(
        (await act(quick, underLock(second, put("held", "by quick")))).status,
        "applied",
      );
      cluster.network.heal();
      assertEquals((await cluster.settle(late)).status, "check-failed");
      const release = underLock(first, write({ type: "delete", key: key("lock") }));
      assertEquals((await act(slow, release)).status, "check-failed");
      for (const id of cluster.ids) assertEquals(await cluster.get(id, "held"), "by quick");
      assertEquals(await cluster.get(slow, "lock"), "quick");
    });
  }
});
