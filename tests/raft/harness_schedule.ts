/**
 * What a run of the harness does to its cluster.
 *
 * @module
 */
import type { NetworkFaults } from "./harness_network.ts";

/** A schedule is data, so that a failing one can be kept and made smaller. Rates are in percent. */
export interface Schedule extends NetworkFaults {
  readonly seed: number;
  readonly nodes: number;
  readonly actions: number;
  /** How many actions are ticks: the fewer, the faster are messages and turns. At most 50. */
  readonly tickRate: number;
  /** Inputs in one turn; 1 shows bugs that larger batches hide. */
  readonly turnInputsMax: number;
  readonly crashes: boolean;
  readonly partitions: boolean;
  readonly damage: boolean;
  readonly snapshots: boolean;
  readonly transfers: boolean;
  /** Changes of membership and more (harness_churn.ts). */
  readonly churn: boolean;
}
