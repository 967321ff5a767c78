/**
 * Faults of the network, the clocks and slow disks: each lasts for some seconds and then is over.
 *
 * @module
 */
import type { Link } from "../../transport/memory_links.ts";
import type { FaultyDirection } from "./cluster.ts";
import type { Fault, Scene } from "./fault.ts";

const CUT: Partial<Link> = { cut: true };

/** Both directions between each of one group and each of the other. */
function between(a: readonly string[], b: readonly string[]): [string, string][] {
  return a.flatMap((x) => b.flatMap((y): [string, string][] => [[x, y], [y, x]]));
}

function allDirections(ids: readonly string[]): [string, string][] {
  return ids.flatMap((from) =>
    ids.flatMap((to): [string, string][] => from === to ? [] : [[from, to]])
  );
}

function faulty(
  { random }: Scene,
  directions: readonly (readonly [string, string])[],
  link: () => Partial<Link>,
): FaultyDirection[] {
  return directions.map(([from, to]) => {
    // Either end of the wrapper must do.
    const side = random.chance(0.5) ? "sender" : "receiver";
    return { from, to, link: link(), side };
  });
}

/**
 * How long links are faulty; and, at one time in four, how long they outlast a node's own deadline of 5 s: a
 * write that was handed to a leader then ends without an answer.
 */
const FAULTY_MIN_MS = 800;
const FAULTY_MAX_MS = 5000;
const LONG_RATE = 0.25;
const LONG_MIN_MS = 5500;
const LONG_MAX_MS = 8000;

/** Sets links, holds them for a while, heals them. */
async function during(
  scene: Scene,
  name: string,
  text: string,
  links: readonly FaultyDirection[],
): Promise<void> {
  const ms = scene.random.chance(LONG_RATE)
    ? scene.random.between(LONG_MIN_MS, LONG_MAX_MS)
    : scene.random.between(FAULTY_MIN_MS, FAULTY_MAX_MS);
  scene.cluster.setLinks(links);
  scene.note(name, `${text} for ${ms} ms`);
  await scene.hold(ms);
  scene.cluster.setLinks([]);
}

const percent = (rate: number) => `${Math.round(rate * 100)} %`;
const idsOf = ({ cluster }: Scene) => cluster.nodes.map(({ id }) => id);

/** A minority without the leader, or with it: whichever side has a majority must go on. */
const partition: Fault = {
  name: "partition",
  lane: "network",
  weight: 2,
  run: async (scene) => {
    const ids = scene.random.shuffled(idsOf(scene));
    const minority = ids.slice(0, scene.random.between(1, Math.floor((ids.length - 1) / 2)));
    const rest = ids.filter((id) => !minority.includes(id));
    const links = faulty(scene, between(minority, rest), () => CUT);
    await during(scene, "partitions", `cut ${minority} off from ${rest}`, links);
  },
};

const isolateLeader: Fault = {
  name: "isolate-leader",
  lane: "network",
  weight: 2,
  run: async (scene) => {
    const leader = (await scene.cluster.leader())?.id ?? scene.random.pick(idsOf(scene));
    const rest = idsOf(scene).filter((id) => id !== leader);
    const links = faulty(scene, between([leader], rest), () => CUT);
    await during(scene, "partitions", `cut the leader ${leader} off`, links);
  },
};

/** How long those around a leader have to learn that it is cut off, before it is stopped. */
const TOLD_MS = 100;
/** How long a leader that goes on after it was stopped is left alone with what it believes. */
const ALONE_MS = 800;

/**
 * The leader is cut off and stopped, and goes on before it hears of anybody: with a successor elsewhere,
 * it is on its own to find out. One that was only stopped finds the successor's messages waiting, one
 * that was only cut off steps down before there is a successor.
 */
const stallLeader: Fault = {
  name: "stall-leader",
  lane: "network",
  weight: 2,
  run: async (scene) => {
    const { cluster, random } = scene;
    const leader = await cluster.leader();
    if (leader === null) return;
    const others = idsOf(scene).filter((id) => id !== leader.id);
    // The others' ends of the wrapper: a process that is stopped cannot be told.
    cluster.setLinks(others.flatMap((id): FaultyDirection[] => [
      { from: id, to: leader.id, link: CUT, side: "sender" },
      { from: leader.id, to: id, link: CUT, side: "receiver" },
    ]));
    await scene.hold(TOLD_MS);
    if (leader.isRunning && !leader.isPaused) {
      const ms = random.between(1000, 4000);
      leader.pause();
      scene.note("stalled leaders", `cut the leader ${leader.id} off and stopped it for ${ms} ms`);
      await scene.hold(ms);
      leader.resume();
      await scene.hold(ALONE_MS);
    }
    cluster.setLinks([]);
  },
};

/** A node that hears and is not heard, or the other way round; half of the time the leader. */
const oneWay: Fault = {
  name: "one-way",
  lane: "network",
  weight: 2,
  run: async (scene) => {
    const { random, cluster } = scene;
    const leader = random.chance(0.5) ? await cluster.leader() : null;
    const node = leader?.id ?? random.pick(idsOf(scene));
    const others = random.shuffled(idsOf(scene).filter((id) => id !== node));
    const cut = others.slice(0, random.between(1, others.length));
    const isMute = random.chance(0.5);
    const directions = cut.map((other): [string, string] => isMute ? [node, other] : [other, node]);
    const text = isMute ? `${cut} do not hear ${node}` : `${node} does not hear ${cut}`;
    await during(scene, "one-way cuts", text, faulty(scene, directions, () => CUT));
  },
};

/** All hear all, but for two that do not hear each other: whoever is between them is a bridge. */
const bridge: Fault = {
  name: "bridge",
  lane: "network",
  weight: 1,
  run: async (scene) => {
    const [a, b] = scene.random.shuffled(idsOf(scene));
    const links = faulty(scene, between([a], [b]), () => CUT);
    await during(scene, "bridges", `${a} and ${b} do not hear each other`, links);
  },
};

const loss: Fault = {
  name: "loss",
  lane: "network",
  weight: 1,
  run: async (scene) => {
    const dropRate = scene.random.between(5, 30) / 100;
    const links = faulty(scene, allDirections(idsOf(scene)), () => ({ dropRate }));
    await during(scene, "lossy networks", `${percent(dropRate)} of the messages are lost`, links);
  },
};

const delay: Fault = {
  name: "delay",
  lane: "network",
  weight: 1,
  run: async (scene) => {
    const { random } = scene;
    const [delayMs, jitterMs] = [random.between(0, 80), random.between(5, 120)];
    const links = faulty(scene, allDirections(idsOf(scene)), () => ({ delayMs, jitterMs }));
    const text = `messages take ${delayMs} to ${delayMs + jitterMs} ms`;
    await during(scene, "slow networks", text, links);
  },
};

const duplicate: Fault = {
  name: "duplicate",
  lane: "network",
  weight: 1,
  run: async (scene) => {
    const { random } = scene;
    const [duplicateRate, reorderRate] = [
      random.between(20, 50) / 100,
      random.between(5, 40) / 100,
    ];
    const link = { duplicateRate, reorderRate, jitterMs: random.between(0, 30) };
    const links = faulty(scene, allDirections(idsOf(scene)), () => link);
    const text = `${percent(duplicateRate)} are doubled, ${percent(reorderRate)} overtaken`;
    await during(scene, "doubling networks", text, links);
  },
};

const CLOCK_JUMPS_MS = [200, 3000, 60_000, 7_200_000];

/** The time of day jumps at one node, or at each to another time, and jumps back. */
const clock: Fault = {
  name: "clock",
  lane: "network",
  weight: 2,
  run: async (scene) => {
    const { random, cluster } = scene;
    const ids = random.chance(0.7) ? [random.pick(idsOf(scene))] : idsOf(scene);
    for (let jumps = random.between(1, 3); jumps > 0; jumps--) {
      for (const id of ids) {
        const offsetMs = random.pick(CLOCK_JUMPS_MS) * (random.chance(0.5) ? 1 : -1);
        cluster.setClock(id, offsetMs);
        scene.note("clock jumps", `the clock of ${id} is off by ${offsetMs} ms`);
      }
      await scene.hold(random.between(300, 1500));
    }
    for (const id of ids) cluster.setClock(id, 0);
  },
};

const slowDisk: Fault = {
  name: "slow-disk",
  lane: "network",
  weight: 1,
  run: async (scene) => {
    const { random, cluster } = scene;
    const ids = random.chance(0.6) ? [random.pick(idsOf(scene))] : idsOf(scene);
    const [slowMs, ms] = [random.between(10, 250), random.between(1000, 4000)];
    for (const id of ids) cluster.setDisk(id, { slowMs });
    scene.note("slow disks", `the disks of ${ids} take ${slowMs} ms more for ${ms} ms`);
    await scene.hold(ms);
    for (const id of ids) cluster.setDisk(id, { slowMs: 0 });
  },
};

export const NETWORK_FAULTS: readonly Fault[] = [
  partition,
  isolateLeader,
  stallLeader,
  oneWay,
  bridge,
  loss,
  delay,
  duplicate,
  clock,
  slowDisk,
];
