/** What a fault does to a cluster, step by step, on a cluster that only notes it. */
import { assert, assertEquals } from "@std/assert";
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
