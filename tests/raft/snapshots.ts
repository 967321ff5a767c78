/**
 * Arbitrary descriptions of snapshots, for properties of what encodes them.
 *
 * @module
 */
import fc from "fast-check";
import {
  type Configuration,
  logIndex,
  type NodeId,
  nodeId,
  NUMBER_MAX,
  type SnapshotInfo,
  term,
} from "../../raft/types.ts";

/** So many lowercase hex digits. */
export function hexDigits(count: number): fc.Arbitrary<string> {
  return fc.uint8Array({ minLength: count / 2, maxLength: count / 2 }).map((bytes) =>
    bytes.toHex()
  );
}

const u48 = fc.oneof(fc.nat(100), fc.integer({ min: 0, max: NUMBER_MAX }));

/** Configurations of up to eight members: plain ones, joint ones, and with learners. */
export const configurations: fc.Arbitrary<Configuration> = fc.record({
  members: fc.uniqueArray(fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/).map(nodeId), {
    minLength: 1,
    maxLength: 8,
  }),
  roles: fc.array(fc.constantFrom("voter", "both", "outgoing", "learner", "promoting"), {
    minLength: 8,
    maxLength: 8,
  }),
  since: fc.array(u48.map(logIndex), { minLength: 8, maxLength: 8 }),
}).map(({ members, roles, since }) => {
  // The first one always votes: nobody would be left otherwise.
  const of = (...wanted: string[]) =>
    members.filter((_, i) => wanted.includes(i === 0 ? "voter" : roles[i]));
  const voters = of("voter", "both");
  const outgoing = of("both", "outgoing");
  const promotes = (id: NodeId, i: number) => ({ id, replaces: voters[i] ?? null });
  return {
    voters,
    votersOutgoing: outgoing,
    learners: of("learner", "promoting"),
    promoting: of("promoting").map(promotes),
    addresses: members.map((id, i) => ({
      id,
      url: `http://host-${i}:8001`,
      peer: `host-${i}:${9001 + i}`,
      since: since[i],
    })),
  };
});

export const snapshotInfos: fc.Arbitrary<SnapshotInfo> = fc.record({
  meta: fc.record({
    index: u48.map((n) => logIndex(Math.max(1, n))),
    term: u48.map(term),
    timeMs: u48,
    configuration: configurations,
  }),
  id: hexDigits(16),
  chunks: fc.oneof(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 2 ** 32 - 1 })),
  bytes: u48,
});
