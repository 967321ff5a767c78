/** What a fault does to a cluster, step by step, on a cluster that only notes it. */
import { assert, assertEquals } from "@std/assert";
import { CALL_DEADLINE_MS } from "../../actors/limits_replica.ts";
import type { ChaosCluster, FaultyDirection } from "./cluster.ts";
import type { Scene } from "./fault.ts";
import { NETWORK_FAULTS } from "./network_faults.ts";
import { Random } from "./random.ts";

/** Runs a fault where `n1` leads, and gives what it did. */
async function stepsOf(name: string, isRunning: boolean): Promise<string[]> {
  const steps: string[] = [];
  const leader = {
    id: "n1",
    isRunning,
    isPaused: false,
    pause: () => steps.push("pause"),
    resume: () => steps.push("resume"),
  };
  const cluster = {
    nodes: [leader, { id: "n2" }, { id: "n3" }],
    leader: () => Promise.resolve(leader),
    setLinks(links: readonly FaultyDirection[]) {
      steps.push(links.length === 0 ? "heal" : "cut");
      // A process that is stopped takes no word of what is to be done at its end.
      for (const { from, to, side } of links) {
        assertEquals(side === "sender" ? from : to, from === "n1" ? to : from);
      }
    },
  } as unknown as ChaosCluster;
  const scene: Scene = {
    cluster,
    random: new Random(1),
    size: 3,
    restMs: 1000,
    hold: () => Promise.resolve(void steps.push("hold")),
    note: (what) => void steps.push(what),
  };
  const fault = NETWORK_FAULTS.find((each) => each.name === name);
  assert(fault !== undefined);
  await fault.run(scene);
  return steps;
}

Deno.test("stall-leader cuts a leader off before it stops it, and heals the links after it goes on", async () => {
  assertEquals(await stepsOf("stall-leader", true), [
    "cut",
    "hold",
    "pause",
    "stalled leaders",
    "hold",
    "resume",
    "hold",
    "heal",
  ]);
});

Deno.test("stall-leader does not stop a leader that has ended meanwhile", async () => {
  assertEquals(await stepsOf("stall-leader", false), ["cut", "hold", "heal"]);
});

Deno.test("faults of links now and then outlast what a node waits for a write that it has handed over", async () => {
  const held: number[] = [];
  const scene: Scene = {
    cluster: { nodes: [{ id: "n1" }, { id: "n2" }, { id: "n3" }], setLinks: () => {} },
    random: new Random(1),
    size: 3,
    restMs: 1000,
    hold: (ms: number) => Promise.resolve(void held.push(ms)),
    note: () => {},
  } as unknown as Scene;
  const loss = NETWORK_FAULTS.find(({ name }) => name === "loss")!;
  for (let time = 0; time < 100; time++) await loss.run(scene);
  const long = held.filter((ms) => ms > CALL_DEADLINE_MS).length;
  assert(long > 10 && long < 40, `${long} of 100`);
});
