/**
 * What the tests of snapshots share: clusters that take them often, load, and eyes for what a disk is
 * asked to write.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { type ClusterOptions, put, VirtualCluster } from "./virtual_cluster.ts";
import type { ReplicaStatus } from "../../actors/service.ts";
import { SNAPSHOT_CHUNK_BYTES_MAX } from "../../storage/limits.ts";

/** A snapshot after every 40 to 50 entries. */
export const OFTEN: ClusterOptions = {
  snapshots: { entriesMax: 40, tailEntries: 10 },
};
/** A value of which about three fill a chunk. */
const LARGE_VALUE = "v".repeat(20_000);

export function replicaOf(cluster: VirtualCluster, id: string): ReplicaStatus {
  const status = cluster.service(id).status().replicas[0];
  assert(status !== undefined, `${id} has no replica`);
  return status;
}

export function others(cluster: VirtualCluster, id: string): string[] {
  return cluster.running.filter((other) => other !== id);
}

/** Writes `count` keys, some at a time, at one node; all must be applied. */
export async function load(
  cluster: VirtualCluster,
  id: string,
  count: number,
  prefix = "key",
): Promise<void> {
  for (let at = 0; at < count; at += 8) {
    const size = Math.min(8, count - at);
    const writes = Array.from(
      { length: size },
      (_, i) => cluster.service(id).write(put(`${prefix}-${at + i}`, `${prefix} ${at + i}`)),
    );
    for (const { status } of await cluster.settle(Promise.all(writes))) {
      assertEquals(status, "applied");
    }
  }
}

/** Writes 60 large keys: a state of about twenty chunks. */
export async function loadLarge(cluster: VirtualCluster, id: string): Promise<void> {
  for (let i = 0; i < 60; i++) {
    assertEquals(await cluster.put(id, `large-${i}`, LARGE_VALUE), "applied");
  }
}

/** The events of one node and type, each as its words behind the type. */
export function eventsOf(cluster: VirtualCluster, id: string, type: string): string[][] {
  return cluster.events.map((event) => event.split(" "))
    .filter((words) => words[1] === id && words[2] === type)
    .map((words) => words.slice(3));
}

/** The chunks of the last snapshot that a node took. */
export function chunksTaken(cluster: VirtualCluster, id: string): number {
  const bytes = eventsOf(cluster, id, "snapshot-taken").at(-1)?.[1];
  assert(bytes !== undefined, `${id} took no snapshot`);
  return Math.ceil(Number(bytes) / SNAPSHOT_CHUNK_BYTES_MAX);
}

/** Counts the chunks that a node's disk is asked to keep from now on; each takes `delayMs`. */
export function watchChunks(
  cluster: VirtualCluster,
  id: string,
  delayMs: number,
  onChunk: (count: number) => void = () => {},
): { count: number } {
  const seen = { count: 0 };
  cluster.disks.get(id)!.beforeChunk = async () => {
    onChunk(++seen.count);
    await new Promise<void>((resolve) => void cluster.env.setTimer(resolve, delayMs));
  };
  return seen;
}

/**
 * A follower that lacks what the leader's log no longer has: it crashed, the others wrote on, and took
 * a snapshot. It does not run.
 */
export async function leaveBehind(
  cluster: VirtualCluster,
): Promise<{ leader: string; behind: string; other: string }> {
  const leader = await cluster.leader();
  const [behind, other] = others(cluster, leader);
  const { lastIndex } = replicaOf(cluster, behind);
  await cluster.crash(behind);
  await loadLarge(cluster, leader);
  await load(cluster, leader, 60, "later");
  await cluster.eventually(
    "the others' logs begin behind what it has",
    () => [leader, other].every((id) => replicaOf(cluster, id).firstIndex > lastIndex + 1),
  );
  return { leader, behind, other };
}

/** Runs a test on clusters of three under several seeds. */
export async function underSeeds(
  seeds: number,
  test: (cluster: VirtualCluster) => Promise<void>,
  options: ClusterOptions = OFTEN,
): Promise<void> {
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      await VirtualCluster.run(3, seed, test, options);
    } catch (error) {
      throw new Error(`Seed ${seed} failed`, { cause: error });
    }
  }
}
