/**
 * What a fault of a chaos run is, and what it is done with.
 *
 * @module
 */
import type { ChaosCluster } from "./cluster.ts";
import type { Random } from "./random.ts";

/** The world of a fault. */
export interface Scene {
  readonly cluster: ChaosCluster;
  readonly random: Random;
  /** How many voters there are when no change is under way. */
  readonly size: number;
  /** Waits so long, but not beyond the end of the run. */
  hold(ms: number): Promise<void>;
  /** Counts what happened under a name, and says it. */
  note(name: string, text: string, times?: number): void;
  /** Ms until the end of the run; 0 from then on. */
  readonly restMs: number;
}

/**
 * One kind of fault. It begins, lasts and is over when it resolves; what it leaves behind on purpose is
 * healed in the end. Faults of one lane come one after the other, the lanes beside each other.
 */
export interface Fault {
  readonly name: string;
  readonly lane: "process" | "network";
  /** How often it comes for each time that a fault of weight 1 comes. */
  readonly weight: number;
  /** A whole run has it at least once before any comes again. Never rejects but for defects. */
  readonly run: (scene: Scene) => Promise<void>;
}
