/**
 * One failover of a cluster of real nodes: kill -9 of the leader, until a surviving node has accepted
 * the next write.
 *
 * @module
 */
import type { NodeProcess, ProcessCluster } from "../tests/cluster/harness.ts";

/** A survivor that has accepted nothing for so long will not. */
const ACCEPTED_MS_MAX = 15_000;
/** Between a refusal and the next attempt. */
const RETRY_MS = 20;

export interface Failover {
  /** From the kill to the answer with 200. */
  readonly tookMs: number;
  /** Answers other than 200 until then: a survivor should hold the write instead. */
  readonly refusals: number;
}

/**
 * Kills the leader while a client waits at another node, and measures until that client's 200. Starts
 * the killed node again and waits until all are ready.
 *
 * @param round a number that tells the keys of several calls apart.
 * @throws {Error} if no write is accepted in time, or the cluster does not become whole again.
 */
export async function failover(cluster: ProcessCluster, round: number): Promise<Failover> {
  const leader = await cluster.leader();
  const survivor = cluster.nodes.find((node) => node !== leader)!;
  const startMs = performance.now();
  leader.signal("SIGKILL");
  const refusals = await refusalsUntilAccepted(survivor, `failover/${round}`, startMs);
  const tookMs = performance.now() - startMs;
  await leader.ended();
  leader.start();
  await cluster.ready();
  return { tookMs, refusals };
}

async function refusalsUntilAccepted(
  node: NodeProcess,
  key: string,
  startMs: number,
): Promise<number> {
  for (let refusals = 0;; refusals++) {
    const status = await node.put(key, "value");
    if (status === 200) return refusals;
    if (performance.now() - startMs > ACCEPTED_MS_MAX) {
      throw new Error(`no write was accepted after the kill; the last answer was ${status}`);
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
