/**
 * Faults of processes: killed, stopped for a while, made to take snapshots and to hand over, without room
 * on their disks.
 *
 * @module
 */
import type { Fault, Scene } from "./fault.ts";
import type { ChaosNode } from "./node.ts";

async function kill(scene: Scene, nodes: readonly ChaosNode[], downMs: number): Promise<void> {
  await Promise.all(nodes.map((node) => node.end("SIGKILL")));
  scene.note("processes killed", `killed ${nodes.map(({ id }) => id)}`, nodes.length);
  await scene.hold(downMs);
  for (const node of nodes) if (!node.isRunning) node.start();
}

async function pause(scene: Scene, node: ChaosNode): Promise<void> {
  const ms = scene.random.between(500, 5000);
  node.pause();
  scene.note("pauses", `stopped ${node.id} for ${ms} ms`);
  await scene.hold(ms);
  node.resume();
}

/** The leader if one is known, else anybody that runs. */
async function leaderOf({ cluster, random }: Scene): Promise<ChaosNode | null> {
  const leader = await cluster.leader();
  if (leader?.isRunning) return leader;
  return cluster.running.length === 0 ? null : random.pick(cluster.running);
}

const killOne: Fault = {
  name: "kill",
  lane: "process",
  weight: 3,
  run: async (scene) => {
    const { cluster, random } = scene;
    if (cluster.running.length === 0) return;
    await kill(scene, [random.pick(cluster.running)], random.between(200, 2000));
  },
};

const killLeader: Fault = {
  name: "kill-leader",
  lane: "process",
  weight: 3,
  run: async (scene) => {
    const leader = await leaderOf(scene);
    if (leader !== null) await kill(scene, [leader], scene.random.between(200, 2000));
  },
};

const killAll: Fault = {
  name: "kill-all",
  lane: "process",
  weight: 1,
  run: (scene) => kill(scene, scene.cluster.running, scene.random.between(100, 800)),
};

const pauseOne: Fault = {
  name: "pause",
  lane: "process",
  weight: 2,
  run: async (scene) => {
    const { cluster, random } = scene;
    if (cluster.running.length > 0) await pause(scene, random.pick(cluster.running));
  },
};

const pauseLeader: Fault = {
  name: "pause-leader",
  lane: "process",
  weight: 1,
  run: async (scene) => {
    const leader = await leaderOf(scene);
    if (leader !== null) await pause(scene, leader);
  },
};

/** All nodes take snapshots on demand, several times in a row. */
const storm: Fault = {
  name: "snapshots",
  lane: "process",
  weight: 1,
  run: async (scene) => {
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.allSettled(scene.cluster.awake.map(async (node) => {
        const response = await node.fetch("/v1/cluster/snapshot", { method: "POST" });
        await response.body?.cancel();
        return response.status === 200;
      }));
      const taken = answers.filter((it) => it.status === "fulfilled" && it.value).length;
      if (taken > 0) scene.note("snapshots on demand", `${taken} nodes took snapshots`, taken);
      await scene.hold(200);
    }
  },
};

const transfer: Fault = {
  name: "transfer",
  lane: "process",
  weight: 1,
  run: async (scene) => {
    const [node] = scene.random.shuffled(scene.cluster.awake);
    if (node === undefined) return;
    try {
      const response = await node.fetch("/v1/cluster/transfer", { method: "POST" });
      const text = await response.text();
      const outcome = response.status === 200 ? text : `${response.status}`;
      scene.note("leadership transfers", `asked ${node.id} for a transfer: ${outcome}`);
    } catch {
      // Who is asked may be cut off, or have no leader.
    }
  },
};

/** A disk without room: the small one if there is one, else a fault in a node. */
const fullDisk: Fault = {
  name: "full-disk",
  lane: "process",
  weight: 1,
  run: async (scene) => {
    const { cluster, random } = scene;
    const ms = random.between(1500, 4000);
    const small = cluster.smallDisk;
    if (small !== null && small.node.isRunning) {
      await small.disk.fill();
      scene.note("full disks", `filled the disk of ${small.node.id} for ${ms} ms`);
      await scene.hold(ms);
      await small.disk.free();
      return;
    }
    if (cluster.running.length === 0) return;
    const { id } = random.pick(cluster.running);
    cluster.setDisk(id, { full: true });
    scene.note("full disks (injected)", `no room on the disk of ${id} for ${ms} ms`);
    await scene.hold(ms);
    cluster.setDisk(id, { full: false });
  },
};

export const PROCESS_FAULTS: readonly Fault[] = [
  killOne,
  killLeader,
  killAll,
  pauseOne,
  pauseLeader,
  storm,
  transfer,
  fullDisk,
];
