/**
 * A schedule: everything that one run of the simulator depends on, as plain data. The same schedule gives
 * the same run, event for event; a failing one can be kept as JSON and made smaller.
 *
 * Nodes are named by their position: the founders come first, then those that may join. -1 stands for
 * whoever leads when the fault strikes. Times are virtual ms from the start, lengths in ms.
 *
 * @module
 */

/** A clock jump from which on what is remembered for minutes counts as long ago. */
export const LONG_JUMP_MS = 60_000;

/** Whoever leads at the time. */
export const LEADER = -1;

/** Moments that a crash or a cut can be aimed at. */
export const MOMENTS = [
  /** A node has told a candidate that it votes for it. */
  "vote-reply",
  /** A node has become leader. */
  "election",
  /** A node's disk has taken a commit. */
  "persist",
  /** A node was sent a chunk of a snapshot. */
  "snapshot-chunk",
  /** A node has installed a snapshot. */
  "snapshot-install",
  /** A leader has appended another configuration. */
  "configuration",
  /** A leader is in a joint configuration. */
  "joint",
  /** A leader was asked to hand over. */
  "transfer",
  /** A quorum has an uncommitted entry of a former term from a leader, and nothing of its own (figure 8). */
  "prior-entry",
] as const;
export type Moment = typeof MOMENTS[number];

export type PartitionShape =
  /** Two sides that do not hear each other. */
  | "halves"
  /** `nodes` hear the others, but are not heard. */
  | "one-way"
  /** Two sides that have only one node in common. */
  | "bridge"
  /** Each node hears a majority, and each another one. */
  | "ring";

/** The files of a disk: the log, the mark beside it, the chunks of the snapshots. */
export type LosableFile = "log" | "mark" | "snapshots";

interface Timed {
  readonly atMs: number;
}

/** One fault. `node` and `nodes` may be out of range, or down: then nothing happens. */
export type Fault =
  & Timed
  & (
    | {
      readonly type: "crash";
      readonly node: number;
      readonly landed: boolean;
      readonly ms: number;
    }
    /** All nodes at once. */
    | { readonly type: "blackout"; readonly landed: boolean; readonly ms: number }
    /** At the next such moment within 2 s. */
    | {
      readonly type: "aim";
      readonly moment: Moment;
      readonly landed: boolean;
      readonly ms: number;
    }
    | { readonly type: "aim-cut"; readonly moment: Moment; readonly ms: number }
    /** For so long, each leader is cut off in turn, and the one before let back in. */
    | { readonly type: "duel"; readonly ms: number }
    | {
      readonly type: "partition";
      readonly shape: PartitionShape;
      readonly nodes: readonly number[];
      readonly ms: number;
    }
    | { readonly type: "clog"; readonly from: number; readonly to: number; readonly ms: number }
    | { readonly type: "pause"; readonly node: number; readonly ms: number }
    /** As a virtual machine: its monotonic clock stands still, too. */
    | { readonly type: "suspend"; readonly node: number; readonly ms: number }
    | { readonly type: "rate"; readonly node: number; readonly rate: number }
    | { readonly type: "jump"; readonly node: number; readonly ms: number }
    | {
      readonly type: "slow-disk";
      readonly node: number;
      readonly commitMs: number;
      readonly ms: number;
    }
    | {
      readonly type: "disk-full";
      readonly node: number;
      readonly freeBytes: number;
      readonly ms: number;
    }
    | {
      readonly type: "disk-error";
      readonly node: number;
      readonly of: "commit" | "chunk";
      readonly landed: boolean;
    }
    /** A crash after which the disk cannot be read so many times in a row. */
    | {
      readonly type: "open-error";
      readonly node: number;
      readonly times: number;
      readonly ms: number;
    }
    /** A crash after which the disk has lost its last commits. Never more than a minority of voters at a time. */
    | {
      readonly type: "lose-tail";
      readonly node: number;
      readonly commits: number;
      readonly ms: number;
    }
    /** A crash after which a bit of the log or the snapshot is wrong. */
    | {
      readonly type: "flip";
      readonly node: number;
      /** `incoming`: the next chunk of a snapshot that comes in; the process goes on. */
      readonly of: "log" | "snapshot" | "incoming";
      readonly ms: number;
    }
    /** A crash after which one of the files is gone. */
    | {
      readonly type: "lose-file";
      readonly node: number;
      readonly of: LosableFile;
      readonly ms: number;
    }
    /**
     * A copy is made, and so long after comes a crash after which it is in the place of the file, or (`disk`) of
     * all of them. What an older disk must not lack, since nobody need know, is said in damages.ts.
     */
    | {
      readonly type: "put-back";
      readonly node: number;
      readonly of: "log" | "mark" | "disk";
      readonly ageMs: number;
      readonly ms: number;
    }
    /** A crash after which the disk is empty. */
    | { readonly type: "wipe"; readonly node: number; readonly ms: number }
    | { readonly type: "add"; readonly at: number; readonly node: number; readonly voter: boolean }
    | { readonly type: "replace"; readonly at: number; readonly node: number; readonly by: number }
    | {
      readonly type: "remove";
      readonly at: number;
      readonly node: number;
      /** It is switched off so long after it was removed; as soon as an operator can, if that is not said. */
      readonly lingerMs?: number;
    }
    | { readonly type: "transfer"; readonly at: number; readonly to: number | null }
    /** Every running node takes a snapshot. */
    | { readonly type: "storm" }
  );

/** Classes of faults, each of which a seed leaves out about half of the time. */
export const FAULT_CLASSES = [
  "network",
  "partitions",
  "clogs",
  "crashes",
  "aimed",
  "pauses",
  "clocks",
  "slow-disk",
  "full-disk",
  "disk-errors",
  "damage",
  "membership",
  "transfers",
  "snapshots",
] as const;
export type FaultClass = typeof FAULT_CLASSES[number];

export const CLASS_OF: Readonly<Record<Fault["type"], FaultClass>> = {
  "crash": "crashes",
  "blackout": "crashes",
  "aim": "aimed",
  "aim-cut": "aimed",
  "duel": "aimed",
  "partition": "partitions",
  "clog": "clogs",
  "pause": "pauses",
  "suspend": "clocks",
  "rate": "clocks",
  "jump": "clocks",
  "slow-disk": "slow-disk",
  "disk-full": "full-disk",
  "disk-error": "disk-errors",
  "open-error": "disk-errors",
  "lose-tail": "damage",
  "flip": "damage",
  "lose-file": "damage",
  "put-back": "damage",
  "wipe": "damage",
  "add": "membership",
  "replace": "membership",
  "remove": "membership",
  "transfer": "transfers",
  "storm": "snapshots",
};

/** How many faults of each class have befallen a machine, a link or the members; those in vain are left out. */
export type StruckCounts = Partial<Record<FaultClass, number>>;

export interface NetworkFaults {
  readonly dropRate: number;
  readonly duplicateRate: number;
  readonly reorderRate: number;
  readonly delayMs: number;
  readonly jitterMs: number;
  readonly tailMs: number;
}

export const NETWORK_PERFECT: NetworkFaults = {
  dropRate: 0,
  duplicateRate: 0,
  reorderRate: 0,
  delayMs: 0.5,
  jitterMs: 0.2,
  tailMs: 0,
};

export interface Schedule {
  /** Of the format. */
  readonly version: 1;
  readonly profile: string;
  readonly seed: number;
  /** Founders. */
  readonly nodes: number;
  /** Nodes that may join. */
  readonly spares: number;
  /** How long faults and clients go on. */
  readonly runMs: number;
  readonly snapshotEntries: number;
  readonly tailEntries: number;
  /** Messages in a turn, commands in a proposal and entries in an append; 0 for the replica's own limits. */
  readonly batch: number;
  /** Keys that clients set, and as many that they count in. */
  readonly keys: number;
  readonly clients: number;
  /** What a client waits between two calls, on average. */
  readonly thinkMs: number;
  /** What clients set is at least so large: with large values a snapshot takes several chunks. */
  readonly valueBytes: number;
  readonly hashCheckMs: number;
  readonly network: NetworkFaults;
  /** A commit takes so long; the second is the mean of what comes on top. */
  readonly commitMs: number;
  readonly commitTailMs: number;
  readonly faults: readonly Fault[];
}

/** Whether the clocks keep to what leases assume: rates within a quarter of each other (decision 0015). */
export function clocksKeepLeases({ faults }: Schedule): boolean {
  let [slowest, fastest] = [1, 1];
  for (const fault of faults) {
    if (fault.type !== "rate") continue;
    slowest = Math.min(slowest, fault.rate);
    fastest = Math.max(fastest, fault.rate);
  }
  return fastest / slowest <= 1.25;
}

/** Whether clocks jump so far that idempotency keys and sessions expire: then a retry may be done twice. */
export function outlivesMemory({ faults }: Schedule): boolean {
  return faults.some((fault) => fault.type === "jump" && Math.abs(fault.ms) >= LONG_JUMP_MS);
}

/**
 * A schedule that was kept as JSON.
 *
 * @throws {SyntaxError} if it is no JSON.
 * @throws {TypeError} if it is none of this version, or lacks something without which it cannot run.
 */
export function parseSchedule(text: string): Schedule {
  const found = JSON.parse(text) as Partial<Schedule> | null;
  if (found?.version !== 1) throw new TypeError("it is none of version 1");
  if (typeof found.profile !== "string") throw new TypeError("profile is no text");
  for (const name of NUMBERS) demandNumber(found[name], name);
  for (const name of Object.keys(NETWORK_PERFECT) as (keyof NetworkFaults)[]) {
    demandNumber(found.network?.[name], `network.${name}`);
  }
  if (!Array.isArray(found.faults)) throw new TypeError("faults is no list");
  for (const [i, fault] of (found.faults as readonly (Partial<Fault> | null)[]).entries()) {
    const type = fault?.type;
    if (type === undefined || !Object.hasOwn(CLASS_OF, type)) {
      throw new TypeError(`faults[${i}] is of no known type: ${type}`);
    }
    demandNumber(fault?.atMs, `faults[${i}].atMs`);
  }
  return found as Schedule;
}

/** Fields of a schedule that are plain numbers. */
const NUMBERS = [
  ...["seed", "nodes", "spares", "runMs", "snapshotEntries", "tailEntries", "batch", "keys"],
  ...["clients", "thinkMs", "valueBytes", "hashCheckMs", "commitMs", "commitTailMs"],
] as (keyof Schedule)[];

function demandNumber(value: unknown, name: string): void {
  if (typeof value !== "number") throw new TypeError(`${name} is no number: ${value}`);
}
