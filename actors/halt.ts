/**
 * What a node says of itself when it serves nothing: the sentences for `/readyz`, and the one for its log
 * once that has lasted. A cluster of which a majority is damaged halts rather than lies; it must not do so
 * in silence, and whoever reads the sentence must know what to do.
 *
 * Not here: what damage is (storage/mark.ts), and how a replica is repaired (raft/repair.ts).
 *
 * @module
 */
import { HALTED_MS } from "./limits_replica.ts";
import type { Env, Timer } from "./types.ts";
import { MalformedSnapshot } from "../kv/snapshot_reader.ts";
import { CorruptLog, CorruptSnapshot } from "../storage/types.ts";

/** Where an operator finds the way out. */
const WAY_OUT = "docs/operations.md, A damaged disk";

/** Why a replica that has failed does not run. Its error's own words could name paths: they are for the log. */
export function whyFailed(error: unknown): string {
  const name = error instanceof Error ? error.name : "unknown";
  const failed = `the replica has failed (${name})`;
  return isUnreadable(error)
    ? `${failed}: its data do not read back, and it does not start on them; the node's log says what ` +
      `was found. Delete nothing (${WAY_OUT})`
    : `${failed}; the node's log says more`;
}

/** Why a replica whose log lacks something gives nothing to a quorum yet. */
export function whyDamaged(damage: string, hasLeader: boolean): string {
  return hasLeader
    ? `the replica's log is damaged and is being repaired: ${damage}`
    : `the replica's log is damaged, and there is no leader that could repair it: ${damage}. It takes a ` +
      `majority of undamaged voters (${WAY_OUT})`;
}

/** Whether the data, as they are, are of no use to the replica. */
export function isUnreadable(error: unknown): boolean {
  return [CorruptLog, CorruptSnapshot, MalformedSnapshot].some((kind) => error instanceof kind);
}

/** Tells, once each time, that there has been no leader for HALTED_MS. */
export class HaltWatch {
  readonly #env: Env;
  readonly #why: () => string | null;
  readonly #onHalted: (why: string) => void;
  #timer: Timer | null = null;
  #isTold = false;

  /** `why` says why nothing is served, or null if that is known from elsewhere. */
  constructor(env: Env, why: () => string | null, onHalted: (why: string) => void) {
    this.#env = env;
    this.#why = why;
    this.#onHalted = onHalted;
    this.#arm();
  }

  /** Learns whether a leader is known. */
  led(hasLeader: boolean): void {
    if (!hasLeader) return this.#arm();
    this.stop();
    this.#isTold = false;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #arm(): void {
    if (this.#isTold) return;
    this.#timer ??= this.#env.setTimer(this.#fire, HALTED_MS);
  }

  readonly #fire = (): void => {
    this.#timer = null;
    const why = this.#why();
    if (why === null) return this.#arm();
    this.#isTold = true;
    this.#onHalted(why);
  };
}
