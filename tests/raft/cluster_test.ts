/**
 * Properties of clusters of cores under faults, and their recovery once the faults end.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { CORE_LIMITS, freshness } from "../../raft/mod.ts";
import { Cluster, type Schedule } from "./harness.ts";
import { NO_MARKS } from "./oracle.ts";

/** Ticks after which a healed cluster must serve: a few election timeouts. */
const HEAL_TICKS = 150;
/** What an idle follower's staleness comes to: a reply waits for two heartbeats to be echoed. */
const FRESHNESS_TICKS = 3 * CORE_LIMITS.heartbeatTicks;

function runToHealth(schedule: Schedule): Cluster {
  const cluster = new Cluster(schedule);
  cluster.run();
  cluster.heal(HEAL_TICKS);
  assertServes(cluster);
  return cluster;
}

/** One leader; a write and a read through every node; equal logs with everything committed. */
function assertServes(cluster: Cluster): void {
  const { oracle } = cluster;
  const reads = oracle.marks.reads;
  const before = oracle.commitIndex;
  for (const node of cluster.nodes) {
    cluster.propose(node, 3);
    cluster.settle();
    cluster.read(node);
    cluster.settle();
  }
  assertEquals(oracle.commitIndex >= before + 3 * cluster.nodes.length, true);
  assertEquals(oracle.marks.reads, reads + cluster.nodes.length);
  assertEquals(oracle.readsOpen, 0);
  assertReadsLocally(cluster);
  const { lastIndex, lastTerm } = cluster.leader().log;
  for (const { id, core } of cluster.nodes) {
    assert(core !== null && core.log.matches(lastIndex, lastTerm), `${id} has another log`);
    assertEquals([core.log.lastIndex, core.commitIndex, core.damaged], [
      lastIndex,
      lastIndex,
      false,
    ]);
  }
}

/** The leader has a lease, every node knows how fresh it is, and all state machines are equal. */
function assertReadsLocally(cluster: Cluster): void {
  const { leaseReads } = cluster.oracle.marks;
  const leader = cluster.leader();
  cluster.read(cluster.nodes.find(({ core }) => core === leader)!, true);
  assertEquals(cluster.oracle.marks.leaseReads, leaseReads + 1);
  for (const { id, core, applied } of cluster.nodes) {
    const fresh = freshness(core!);
    const ageTicks = core!.ticks - (fresh?.tick ?? -Infinity);
    assert(ageTicks <= FRESHNESS_TICKS, `${id} knows itself fresh as of ${ageTicks} ticks ago`);
    assertEquals([id, applied], [id, cluster.nodes[0].applied]);
  }
}

const schedules: fc.Arbitrary<Schedule> = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  nodes: fc.constantFrom(1, 3, 3, 5),
  actions: fc.integer({ min: 500, max: 8_000 }),
  turnInputsMax: fc.constantFrom(1, 2, 16),
  lossRate: fc.constantFrom(0, 0, 5, 30),
  duplicateRate: fc.constantFrom(0, 0, 10, 50),
  reorder: fc.boolean(),
  crashes: fc.boolean(),
  partitions: fc.boolean(),
  damage: fc.constant(false),
  snapshots: fc.boolean(),
  transfers: fc.boolean(),
});

Deno.test("cores keep every safety property under faults, and serve after them", () => {
  fc.assert(fc.property(schedules, (schedule) => void runToHealth(schedule)), {
    numRuns: 400,
    seed: 20140620,
  });
});

Deno.test("cores lose nothing when the disk of a minority loses its tail", () => {
  let repairs = 0;
  const damaging = fc.record({ schedule: schedules, nodes: fc.constantFrom(3, 5) })
    .map(({ schedule, nodes }) => ({ ...schedule, nodes, crashes: true, damage: true }));
  fc.assert(
    fc.property(damaging, (schedule) => {
      repairs += runToHealth(schedule).oracle.marks.repairs;
    }),
    { numRuns: 250, seed: 20130228 },
  );
  assert(repairs > 100, `only ${repairs} repairs`);
});

for (const turnInputsMax of [1, 2, 16]) {
  Deno.test(`cores meet the rare events in turns of ${turnInputsMax} and less`, () => {
    const sums = { ...NO_MARKS };
    for (let seed = 1; seed <= 200; seed++) {
      const { oracle } = runToHealth({
        seed,
        nodes: seed % 4 === 0 ? 5 : 3,
        actions: 8_000,
        turnInputsMax,
        lossRate: 10,
        duplicateRate: 10,
        reorder: true,
        crashes: true,
        partitions: true,
        damage: seed % 2 === 0,
        snapshots: true,
        transfers: true,
      });
      for (const name of Object.keys(sums) as (keyof typeof sums)[]) {
        sums[name] += oracle.marks[name];
      }
    }
    assert(Object.values(sums).every((sum) => sum >= 10), JSON.stringify(sums));
  });
}

Deno.test("a cluster of cores is a function of its schedule", () => {
  const schedule: Schedule = {
    seed: 7,
    nodes: 3,
    actions: 3_000,
    turnInputsMax: 2,
    lossRate: 10,
    duplicateRate: 10,
    reorder: true,
    crashes: true,
    partitions: true,
    damage: true,
    snapshots: true,
    transfers: true,
  };
  const [first, second] = [runToHealth(schedule), runToHealth(schedule)];
  assertEquals(first.oracle.committed, second.oracle.committed);
  assertEquals(first.oracle.marks, second.oracle.marks);
});
