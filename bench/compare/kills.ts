/**
 * Failover times over several kills of the leader, of Kvorum and of etcd.
 *
 * A series that fails keeps the samples that it has, and says why there are no more.
 *
 * @module
 */
import { failover } from "../failover.ts";
import type { ProcessCluster } from "../../tests/cluster/harness.ts";
import type { EtcdCluster, EtcdNode } from "./etcd_cluster.ts";
import type { Failovers } from "./results.ts";

/** Between two attempts at etcd: it may lose a write that it forwarded to a leader that was dead already. */
const ETCD_RETRY_MS = 50;
const ETCD_ACCEPTED_MS_MAX = 15_000;

/** Kills Kvorum's leader `kills` times (bench/failover.ts). */
export async function killKvorum(
  cluster: ProcessCluster,
  kills: number,
  signal: AbortSignal,
): Promise<Failovers> {
  return await series(kills, signal, (round) => failover(cluster, round));
}

/**
 * Kills etcd's leader `kills` times. A client sends a write to a survivor every {@linkcode ETCD_RETRY_MS}
 * until any of them is accepted, which favours etcd: a single one could be lost and time out after seconds.
 */
export async function killEtcd(
  cluster: EtcdCluster,
  kills: number,
  signal: AbortSignal,
): Promise<Failovers> {
  return await series(kills, signal, async (round) => {
    const leader = await cluster.leader();
    const survivor = cluster.nodes.find((node) => node !== leader)!;
    await leader.kill();
    const startMs = performance.now();
    const refusals = await acceptedByEtcd(survivor, `failover/${round}`, startMs);
    const tookMs = performance.now() - startMs;
    leader.start();
    await cluster.leader();
    return { tookMs, refusals };
  });
}

async function series(
  kills: number,
  signal: AbortSignal,
  kill: (round: number) => Promise<{ tookMs: number; refusals: number }>,
): Promise<Failovers> {
  const samplesMs: number[] = [];
  let refusals = 0;
  try {
    for (let round = 0; round < kills; round++) {
      signal.throwIfAborted();
      const sample = await kill(round);
      samplesMs.push(sample.tookMs);
      refusals += sample.refusals;
    }
  } catch (error) {
    signal.throwIfAborted();
    return { samplesMs, refusals, failure: String(error) };
  }
  return { samplesMs, refusals, failure: null };
}

/** Resolves at the first accepted write, with the number of those that were refused until then. */
async function acceptedByEtcd(node: EtcdNode, key: string, startMs: number): Promise<number> {
  const accepted = Promise.withResolvers<void>();
  const over = new AbortController();
  let refusals = 0;
  const attempt = async () => {
    const status = await node.put(key, "value", over.signal).catch(() => 0);
    if (status === 200) accepted.resolve();
    else if (!over.signal.aborted) refusals++;
  };
  const attempts = [attempt()];
  const timer = setInterval(() => {
    attempts.push(attempt());
    if (performance.now() - startMs > ETCD_ACCEPTED_MS_MAX) {
      accepted.reject(new Error("etcd accepted no write after the kill"));
    }
  }, ETCD_RETRY_MS);
  try {
    await accepted.promise;
    return refusals;
  } finally {
    clearInterval(timer);
    over.abort();
    await Promise.all(attempts);
  }
}
