/**
 * Services for the tests of the doors: a real store without a cluster around it, and scripted ones that
 * come to one given outcome.
 *
 * @module
 */
import type { ClusterStatus, KvService, WriteResult } from "../../actors/service.ts";
import { encodeAtomicWrite, encodeOpenSession, stampCommand } from "../../kv/command.ts";
import { Store } from "../../kv/store.ts";
import type { ReadResult } from "../../kv/types.ts";

export interface TestService {
  readonly service: KvService;
  close(): Promise<void>;
}

const SESSION = 1;

/** One node's service over an empty store. */
export function testService(): Promise<TestService> {
  const store = new Store();
  let sequence = 0;
  const apply = (data: Uint8Array) =>
    store.apply({ index: store.index + 1, timeMs: Date.now(), data, isCommand: true }).result;
  apply(encodeOpenSession(SESSION));
  const service: KvService = {
    write(write) {
      const data = encodeAtomicWrite(write);
      sequence += 1;
      stampCommand(data, SESSION, sequence, sequence);
      return Promise.resolve(apply(data) as WriteResult);
    },
    read: (query) => Promise.resolve(store.read(query)),
    status: () => STATUS,
    notReady: () => null,
  };
  return Promise.resolve({ service, close: () => Promise.resolve() });
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
