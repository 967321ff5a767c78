/**
 * Draws one fault of a class.
 *
 * @module
 */
import type { Dice } from "./random.ts";
import {
  type Fault,
  type FaultClass,
  LEADER,
  type LosableFile,
  type Moment,
  MOMENTS,
  type PartitionShape,
} from "./schedule.ts";

interface World {
  readonly nodes: number;
  readonly spares: number;
  readonly runMs: number;
}

const FILES: readonly LosableFile[] = ["log", "mark", "snapshots"];
const SHAPES: readonly PartitionShape[] = ["halves", "halves", "one-way", "bridge", "ring"];
/** Down times: from a restart that nobody notices to one after which everybody has moved on. */
const DOWN_MS = [5, 20, 100, 300, 800, 2_000, 120_000];

export function drawFault(dice: Dice, of: FaultClass, world: World): Fault {
  // Not before a leader can be there, mostly.
  const atMs = dice.happens(85) ? dice.between(600, world.runMs) : dice.below(600);
  const node = dice.happens(35) ? LEADER : dice.below(world.nodes + world.spares);
  const landed = dice.happens(50);
  const ms = dice.pick(DOWN_MS);
  const shortMs = dice.between(20, 1_500);
  switch (of) {
    case "crashes":
      if (dice.happens(20)) return { atMs, type: "blackout", landed, ms: dice.between(5, 800) };
      return { atMs, type: "crash", node, landed, ms };
    case "aimed":
      if (dice.happens(15)) return { atMs, type: "duel", ms: dice.between(1_000, 4_000) };
      if (dice.happens(30)) {
        // Without newcomers there are few changes of members to be cut off in.
        const moments: readonly Moment[] = world.spares > 0
          ? ["joint", "joint", "configuration", "election", "transfer", "prior-entry"]
          : ["configuration", "election", "transfer", "prior-entry"];
        return { atMs, type: "aim-cut", moment: dice.pick(moments), ms: shortMs };
      }
      return { atMs, type: "aim", moment: dice.pick<Moment>(MOMENTS), landed, ms };
    case "partitions":
      return drawPartition(dice, atMs, shortMs, world.nodes);
    case "clogs": {
      const to = dice.below(world.nodes);
      return { atMs, type: "clog", from: node, to, ms: shortMs };
    }
    case "pauses":
      return { atMs, type: "pause", node, ms: shortMs };
    case "clocks":
      return drawClock(dice, atMs, node);
    case "slow-disk":
      return { atMs, type: "slow-disk", node, commitMs: dice.between(20, 400), ms: shortMs };
    case "full-disk":
      return {
        atMs,
        type: "disk-full",
        node,
        freeBytes: dice.pick([0, 5_000, 20_000]),
        ms: shortMs,
      };
    case "disk-errors":
      if (dice.happens(30)) {
        // A node tries a few times by itself; then its process ends, and another one tries.
        return {
          atMs,
          type: "open-error",
          node,
          times: dice.pick([1, 2, 12]),
          ms: dice.pick([5, 300]),
        };
      }
      return {
        atMs,
        type: "disk-error",
        node,
        of: dice.pick(["commit", "commit", "chunk"]),
        landed,
      };
    case "damage":
      return drawDamage(dice, atMs, node, dice.pick([5, 100, 500]));
    case "membership":
      return drawChange(dice, atMs, world);
    case "transfers": {
      const to = dice.happens(40) ? null : dice.below(world.nodes);
      return { atMs, type: "transfer", at: dice.below(world.nodes), to };
    }
    case "snapshots":
    case "network":
      return { atMs, type: "storm" };
  }
}

/** What has to come with a fault if it is to do more than nothing, most of the time. */
export function drawCompanions(dice: Dice, fault: Fault, world: World): Fault[] {
  const { atMs } = fault;
  switch (fault.type) {
    case "remove": {
      const { at, node } = fault;
      // Who was removed is to come back, as another member under the old name.
      if (!dice.happens(50)) return [];
      return [{ atMs: atMs + dice.between(250, 1_500), type: "add", at, node, voter: true }];
    }
    case "flip": {
      // A chunk of a snapshot comes to who was away while the others cut off their logs.
      if (fault.of !== "incoming") return [];
      const ms = dice.between(800, 2_000);
      return [
        { atMs, type: "partition", shape: "halves", nodes: [fault.node], ms },
        { atMs: atMs + ms - 100, type: "storm" },
      ];
    }
    case "aim":
    case "aim-cut": {
      const isOfChange = fault.moment === "joint" || fault.moment === "configuration";
      if (!isOfChange || world.spares === 0) return [];
      return [drawChange(dice, atMs + dice.between(5, 500), world)];
    }
    default:
      return [];
  }
}

function drawPartition(dice: Dice, atMs: number, ms: number, count: number): Fault {
  const all = Array.from({ length: count }, (_, n) => n);
  const shape = dice.pick(SHAPES);
  const nodes = shape === "ring"
    ? dice.some(all, count)
    : dice.some(all, dice.between(1, Math.max(1, count - 1)));
  return { atMs, type: "partition", shape, nodes, ms };
}

/** Rates within what leases assume half of the time, and 20 % either way in the other half. */
function drawClock(dice: Dice, atMs: number, node: number): Fault {
  switch (dice.below(4)) {
    case 0:
      return { atMs, type: "suspend", node, ms: dice.between(20, 1_500) };
    case 1:
      return {
        atMs,
        type: "jump",
        node,
        ms: dice.pick([-30_000, -500, -120, 120, 500, 30_000, 3_700_000]),
      };
    case 2:
      return { atMs, type: "rate", node, rate: 1 + (dice.below(21) - 10) / 100 };
    default:
      return { atMs, type: "rate", node, rate: 1 + (dice.below(41) - 20) / 100 };
  }
}

function drawDamage(dice: Dice, atMs: number, node: number, ms: number): Fault {
  const draw = dice.below(16);
  if (draw >= 13) return { atMs, type: "lose-file", node, of: dice.pick(FILES), ms };
  if (draw >= 10) {
    const of = dice.pick(["log", "mark", "disk", "disk"] as const);
    return { atMs, type: "put-back", node, of, ageMs: dice.between(30, 1_000), ms };
  }
  if (draw < 5) return { atMs, type: "lose-tail", node, commits: dice.between(1, 12), ms };
  if (draw < 6) {
    return { atMs, type: "flip", node: Math.max(0, node), of: "incoming", ms };
  }
  if (draw < 8) {
    return { atMs, type: "flip", node, of: dice.pick(["log", "snapshot", "snapshot"]), ms };
  }
  return { atMs, type: "wipe", node, ms };
}

function drawChange(dice: Dice, atMs: number, { nodes, spares }: World): Fault {
  const any = dice.below(nodes + spares);
  const at = dice.below(nodes);
  const spare = nodes + dice.below(Math.max(1, spares));
  const draw = dice.below(10);
  if (draw < 5) {
    return { atMs, type: "add", at, node: dice.happens(70) ? spare : any, voter: dice.happens(80) };
  }
  if (draw < 7) return { atMs, type: "replace", at, node: dice.below(nodes), by: spare };
  // Who did not hear of it and is let go on asks the others as before, and is turned away.
  const lingerMs = dice.happens(40) ? dice.between(500, 3_000) : undefined;
  return { atMs, type: "remove", at, node: any, ...(lingerMs === undefined ? {} : { lingerMs }) };
}
