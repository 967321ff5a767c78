/**
 * From a seed to a schedule. A profile says which classes of faults may be in it, one for each row of the
 * table "Figures to reach" (docs/reliability.md): in the swarm each class is left out of about half of
 * the seeds, since faults that always come together hide each other's effects.
 *
 * @module
 */
import { drawCompanions, drawFault } from "./draw_faults.ts";
import { Dice } from "./random.ts";
import {
  type Fault,
  FAULT_CLASSES,
  type FaultClass,
  NETWORK_PERFECT,
  type NetworkFaults,
  type Schedule,
} from "./schedule.ts";

interface Profile {
  /** Always there. */
  readonly always: readonly FaultClass[];
  /** There in about half of the seeds. */
  readonly sometimes: readonly FaultClass[];
  /** Faults a run, at most. */
  readonly faultsMax: number;
}

const NETWORK: readonly FaultClass[] = ["network", "partitions", "clogs"];

export const PROFILES: Readonly<Record<string, Profile>> = {
  swarm: { always: [], sometimes: FAULT_CLASSES, faultsMax: 12 },
  crash: {
    always: ["crashes", "aimed"],
    sometimes: [...NETWORK, "slow-disk", "snapshots"],
    faultsMax: 40,
  },
  bitrot: { always: ["damage"], sometimes: [...NETWORK, "crashes", "snapshots"], faultsMax: 8 },
  disk: {
    always: ["full-disk", "disk-errors"],
    sometimes: [...NETWORK, "slow-disk", "crashes", "snapshots"],
    faultsMax: 10,
  },
  clock: {
    always: ["pauses", "clocks"],
    sometimes: [...NETWORK, "crashes", "transfers"],
    faultsMax: 12,
  },
  membership: {
    always: ["membership", "transfers"],
    sometimes: [...NETWORK, "crashes", "aimed", "pauses", "snapshots", "damage"],
    faultsMax: 18,
  },
};

/** Draws are independent of the world's own randomness, which starts from the same seed. */
const SCHEDULE_SALT = 0x5ced;

/**
 * The schedule of a seed.
 *
 * @throws {RangeError} if there is no such profile.
 */
export function drawSchedule(seed: number, profileName = "swarm"): Schedule {
  const profile = PROFILES[profileName];
  if (profile === undefined) throw new RangeError(`Cannot draw: no profile ${profileName}`);
  const dice = new Dice((seed ^ SCHEDULE_SALT) >>> 0);
  const classes = new Set<FaultClass>(profile.always);
  for (const each of profile.sometimes) if (dice.happens(50)) classes.add(each);
  const nodes = profileName === "membership" || profileName === "bitrot"
    ? dice.pick([3, 3, 5])
    : dice.pick([1, 3, 3, 3, 3, 5, 5, 7]);
  const spares = classes.has("membership") ? dice.between(1, 2) : 0;
  const runMs = dice.between(1_500, 5_000);
  const snapshotEntries = dice.pick([2, 3, 5, 10, 20, 50, 100]);
  return {
    version: 1,
    profile: profileName,
    seed,
    nodes,
    spares,
    runMs,
    snapshotEntries,
    tailEntries: dice.pick([0, 0, 1, 5, 20]),
    batch: dice.pick([0, 0, 1, 1, 2, 16]),
    keys: dice.between(1, 10),
    clients: dice.between(1, 4),
    thinkMs: dice.pick([10, 40, 40, 100]),
    valueBytes: dice.pick([0, 0, 0, 0, 2_000, 20_000]),
    hashCheckMs: dice.pick([200, 1_000, 60_000]),
    network: drawNetwork(dice, classes.has("network")),
    commitMs: dice.pick([0, 0.5, 2, 5]),
    commitTailMs: classes.has("slow-disk") ? dice.pick([1, 10, 40]) : 0.2,
    faults: drawFaults(dice, classes, profile.faultsMax, { nodes, spares, runMs }),
  };
}

function drawNetwork(dice: Dice, isFaulty: boolean): NetworkFaults {
  if (!isFaulty) return NETWORK_PERFECT;
  return {
    dropRate: dice.happens(60) ? dice.below(31) / 100 : 0,
    duplicateRate: dice.happens(60) ? dice.below(51) / 100 : 0,
    reorderRate: dice.happens(60) ? dice.below(51) / 100 : 0,
    delayMs: dice.pick([0, 0.5, 2, 10]),
    jitterMs: dice.pick([0, 1, 5, 20]),
    tailMs: dice.pick([0, 0, 2, 20, 60]),
  };
}

function drawFaults(
  dice: Dice,
  classes: ReadonlySet<FaultClass>,
  faultsMax: number,
  world: { readonly nodes: number; readonly spares: number; readonly runMs: number },
): Fault[] {
  // The network's is no timed fault.
  const timed = [...classes].filter((each) => each !== "network");
  if (timed.length === 0) return [];
  const count = dice.between(1, faultsMax);
  const faults: Fault[] = [];
  for (let n = 0; n < count; n++) {
    const fault = drawFault(dice, n < timed.length ? timed[n]! : dice.pick(timed), world);
    faults.push(fault, ...drawCompanions(dice, fault, world));
  }
  return faults.sort((a, b) => a.atMs - b.atMs);
}
