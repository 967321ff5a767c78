/**
 * The service of a real node, alone on memory storage and transport, for the tests of the doors.
 *
 * @module
 */
import type { ClusterService, KvService } from "../../actors/service.ts";
import { systemEnv } from "../../actors/env.ts";
import { startNode } from "../../actors/node.ts";
import type { Env } from "../../actors/types.ts";
import { nodeId } from "../../raft/types.ts";
import { MemoryDisk, MemoryLogStore } from "../../storage/memory_log_store.ts";
import { createMemoryNetwork } from "../../transport/memory.ts";
import { STATUS } from "./scripted.ts";

export interface TestService {
  readonly service: KvService & ClusterService;
  close(): Promise<void>;
}

/** How much faster than ours the clock of a test's node runs, so that nobody waits for its election. */
const HASTE = 20;

function hastyEnv(): Env {
  const env = systemEnv();
  // Both clocks run as fast: moving apart, they would look like one clock jump after the other.
  const offsetMs = env.wallNowMs() - env.now() * HASTE;
  return {
    now: () => env.now() * HASTE,
    wallNowMs: () => env.now() * HASTE + offsetMs,
    setTimer: (callback, delayMs) => env.setTimer(callback, delayMs / HASTE),
    defer: (callback) => env.defer(callback),
    randomUint32: () => env.randomUint32(),
  };
}

/** A real node, alone in its cluster, on a disk and a network in memory. */
export async function testService(): Promise<TestService> {
  const id = nodeId("n1");
  const env = hastyEnv();
  const network = createMemoryNetwork({ env });
  const disk = new MemoryDisk();
  const clusterId = STATUS.clusterId;
  const node = startNode({
    id,
    clusterId,
    founders: [{ id, url: STATUS.members[0].url, peer: STATUS.members[0].peer }],
    env,
    openLog: () => new MemoryLogStore(disk, { clusterId, nodeId: id }),
    openTransport: () => network.transport(id),
  });
  await node.started;
  // The first write waits for the election and the session.
  await node.service.write({ checks: [], mutations: [], idempotencyKey: null });
  return { service: node.service, close: () => node.stop(0) };
}
