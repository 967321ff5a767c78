/**
 * Services that come to one given outcome, for what the doors make of it.
 *
 * @module
 */
import type {
  Backup,
  ClusterService,
  ClusterStatus,
  Consistency,
  KvService,
  MemberRequest,
  MemberStatus,
  ServedRead,
  Watch,
  WriteResult,
} from "../../actors/service.ts";
import type { ReadQuery } from "../../kv/types.ts";

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
    damage: null,
  }],
};

/** A service whose writes and reads come to what is given here; the rest is healthy and empty. */
export function scripted(script: {
  readonly write?: KvService["write"];
  readonly read?: (query: ReadQuery, consistency: Consistency) => Promise<ServedRead>;
  readonly watch?: KvService["watch"];
  readonly notReady?: string;
}): KvService {
  return {
    write: script.write ?? (() => Promise.resolve(APPLIED)),
    read: script.read ?? (() => Promise.resolve(EMPTY)),
    watch: script.watch ?? (() => Promise.resolve(SILENT)),
    status: () => STATUS,
    notReady: () => script.notReady ?? null,
  };
}

/** A watch that has ended before it began. */
const SILENT: Watch = {
  take: () => ({ type: "ended" }),
  next: () => Promise.resolve({ type: "ended" }),
  close: () => {},
};

/** What a scripted read finds unless told: nothing. */
export const EMPTY: ServedRead = {
  results: [[null]],
  index: 1,
  served: "linearizable",
  stalenessMs: null,
};

/** An operator's service that comes to what is given here, and otherwise does all that it is asked. */
export function scriptedCluster(script: {
  readonly addMember?: (member: MemberRequest) => Promise<readonly MemberStatus[]>;
  readonly removeMember?: (id: string) => Promise<readonly MemberStatus[]>;
  readonly transferLeadership?: (to: string | null) => Promise<string>;
  readonly takeSnapshot?: () => Promise<number>;
  readonly backup?: () => Promise<Backup>;
}): ClusterService {
  return {
    addMember: script.addMember ?? (() => Promise.resolve(STATUS.members)),
    removeMember: script.removeMember ?? (() => Promise.resolve(STATUS.members)),
    transferLeadership: script.transferLeadership ?? ((to) => Promise.resolve(to ?? "n2")),
    takeSnapshot: script.takeSnapshot ?? (() => Promise.resolve(8)),
    backup: script.backup ?? (() => Promise.resolve(backupOf([new Uint8Array([1, 2, 3])]))),
  };
}

/** A backup of so many pieces. `onCancel` runs when whoever reads it gives up. */
export function backupOf(pieces: readonly Uint8Array[], onCancel = () => {}): Backup {
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at === pieces.length) controller.close();
      else controller.enqueue(pieces[at++]);
    },
    cancel: onCancel,
  });
  return { stateHash: STATUS.replicas[0].stateHash, body };
}

export const APPLIED: WriteResult = {
  status: "applied",
  versionstamp: { index: 7, order: 1 },
};
