/**
 * Services for the tests of the doors: a real replica on memory storage and transport, and scripted
 * ones that come to one given outcome.
 *
 * @module
 */
import type { ClusterStatus, KvService, WriteResult } from "../../actors/service.ts";
import { systemEnv } from "../../actors/env.ts";
import { startNode } from "../../actors/node.ts";
import type { Env } from "../../actors/types.ts";
import type { ReadResult } from "../../kv/types.ts";
import { nodeId } from "../../raft/types.ts";
import { MemoryDisk, MemoryLogStore } from "../../storage/memory_log_store.ts";
import { createMemoryNetwork } from "../../transport/memory.ts";

export interface TestService {
  readonly service: KvService;
  close(): Promise<void>;
}

/** How much faster than ours the clock of a test's node runs, so that nobody waits for its election. */
const HASTE = 20;

function hastyEnv(): Env {
  const env = systemEnv();
  return {
    now: () => env.now() * HASTE,
    wallNowMs: () => env.wallNowMs(),
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
    members: STATUS.members.slice(0, 1),
    env,
    openLog: () => new MemoryLogStore(disk, { clusterId, nodeId: id }),
    openTransport: () => network.transport(id),
  });
  await node.started;
  // The first write waits for the election and the session.
  await node.service.write({ checks: [], mutations: [], idempotencyKey: null });
  return { service: node.service, close: () => node.stop(0) };
}

/** What the scripted services say of their cluster. */
export const STATUS: ClusterStatus = {
  clusterId: "7d0f7c5a-0f7b-4a3c-9d5c-0c1f5e9b8a11",
  node: "n1",
  leader: "n1",
  term: 3,
  members: [
    { id: "n1", url: "http://127.0.0.1:8001", peer: "127.0.0.1:9001", role: "voter" },
    { id: "n2", url: "http://127.0.0.1:8002", peer: "127.0.0.1:9002", role: "voter" },
  ],
  replicas: [{
    group: "0",
    role: "leader",
    term: 3,
    leader: "n1",
    firstIndex: 1,
    lastIndex: 9,
    commitIndex: 9,
    appliedIndex: 8,
    snapshotIndex: 0,
    stateHash: { index: 8, hash: "0123456789abcdef0123456789abcdef" },
  }],
};

/** A service whose writes and reads come to what is given here; the rest is healthy and empty. */
export function scripted(script: {
  readonly write?: () => Promise<WriteResult>;
  readonly read?: () => Promise<ReadResult>;
  readonly notReady?: string;
}): KvService {
  return {
    write: script.write ?? (() => Promise.resolve(APPLIED)),
    read: script.read ?? (() => Promise.resolve({ results: [[null]], index: 1 })),
    status: () => STATUS,
    notReady: () => script.notReady ?? null,
  };
}

export const APPLIED: WriteResult = {
  status: "applied",
  versionstamp: { index: 7, order: 1 },
};
