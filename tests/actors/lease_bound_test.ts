/**
 * How long a lease may last at the most: the last lease read of a leader that nobody hears any more, held
 * against the first vote that another node could be given. Clocks differ by as much as is promised.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { ELECTION_TICKS, TICK_MS, TICKS_AT_ONCE_MAX } from "../../actors/limits_replica.ts";
import { appendRequest, B, C, hear, i, sent, start, t, tick, voteRequest } from "../raft/script.ts";
import { key, VirtualCluster } from "./virtual_cluster.ts";

/** So many times as fast as the leader's clock may a voter's run (README, "Limits, today"). */
const CLOCK_RATIO_MAX = 1.25;
/** Reads at a leader go on for so long after its last heartbeat. */
const WATCHED_MS = 2 * ELECTION_TICKS * TICK_MS;

/**
 * After how many ms of the leader's clock a voter that has heard it gives a vote to another node, if all
 * goes as fast as can be: the ticks that may come at once come right after the leader was heard, the others
 * when they fit, by the fastest clock.
 */
function firstVoteMs(): number {
  const voter = start({ term: 1, electionTicks: ELECTION_TICKS });
  hear(voter, B, appendRequest({ term: t(1) }));
  const request = voteRequest({ term: t(2), lastIndex: i(9), lastTerm: t(1) });
  const grants = () =>
    sent(hear(voter, C, request)).some(({ message }) => {
      return message.type === "vote-reply" && message.granted;
    });
  for (let n = 0; n < TICKS_AT_ONCE_MAX; n++) tick(voter);
  for (let periods = 0; periods <= ELECTION_TICKS; periods++) {
    if (grants()) return periods * TICK_MS / CLOCK_RATIO_MAX;
    tick(voter);
  }
  throw new Error("the voter gives no vote");
}

/** Whether the node answers a read by its lease, without a message. */
async function servesByLease(cluster: VirtualCluster, id: string): Promise<boolean> {
  let served = false;
  const query = { type: "get", keys: [key("key")] } as const;
  cluster.service(id).read(query, { mode: "lease" }).then(
    (answer) => served = answer.served === "lease",
    () => {},
  );
  await cluster.env.runUntilIdle();
  return served;
}

Deno.test("lease: the last read by it comes before the first vote that another node could get (bug 20)", async () => {
  const voteMs = firstVoteMs();
  for (let seed = 1; seed <= 5; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const leader = await cluster.leader();
      assertEquals(await cluster.put(leader, "key", "value"), "applied");
      await cluster.env.advance(500);
      // Messages take no time here: the heartbeat that was just sent is answered.
      const follower = cluster.running.find((id) => id !== leader)!;
      const before = cluster.sent(leader, follower).messages;
      while (cluster.sent(leader, follower).messages === before) await cluster.env.advance(1);
      cluster.isolate(leader);
      let lastMs = -1;
      for (let ms = 0; ms <= WATCHED_MS; ms++) {
        if (await servesByLease(cluster, leader)) lastMs = ms;
        await cluster.env.advance(1);
      }
      assert(lastMs > 0, "it never read by lease");
      assert(lastMs < voteMs, `it reads by lease after ${lastMs} ms, others vote after ${voteMs}`);
    });
  }
});
