/**
 * Finds out whether replicas agree, from samples of their state hashes.
 *
 * A node reports the hash at its latest index only, so that two answers rarely speak of the same index
 * while the cluster is writing. Enough samples of each do in the end.
 *
 * @module
 */
import { VERIFY_SAMPLES_MAX } from "./limits.ts";
import type { HashSample } from "./view.ts";

/** What nodes reported at one index of one group: equal or not, but all at the same point. */
export interface Comparison {
  readonly group: string;
  readonly index: number;
  /** By node id. */
  readonly hashes: ReadonlyMap<string, string>;
}

/** The samples of one group: by index, by node id, the hash. */
type Samples = Map<number, Map<string, string>>;

/** Collects samples, and tells when they prove something. */
export class HashComparison {
  readonly #groups = new Map<string, Samples>();
  #difference: Comparison | null = null;

  /** The first index seen at which two nodes differ, or one differs from what it said before. */
  get difference(): Comparison | null {
    return this.#difference;
  }

  add(node: string, group: string, sample: HashSample): void {
    const samples: Samples = this.#groups.get(group) ?? new Map();
    this.#groups.set(group, samples);
    const hashes = samples.get(sample.index) ?? new Map<string, string>();
    samples.set(sample.index, hashes);
    const differs = [...hashes.values()].some((hash) => hash !== sample.hash);
    if (differs) {
      this.#difference ??= {
        group,
        index: sample.index,
        hashes: new Map(hashes).set(node, sample.hash),
      };
    }
    hashes.set(node, sample.hash);
    // Maps keep the order of insertion: the first index is the one seen first.
    if (samples.size > VERIFY_SAMPLES_MAX) samples.delete(samples.keys().next().value!);
  }

  /** For every group the highest index that all of `nodes` reported; null while one has none. */
  agreement(nodes: ReadonlySet<string>): Comparison[] | null {
    const found: Comparison[] = [];
    for (const [group, samples] of this.#groups) {
      let best: Comparison | null = null;
      for (const [index, hashes] of samples) {
        const newer = best === null || index > best.index;
        if (newer && [...nodes].every((node) => hashes.has(node))) best = { group, index, hashes };
      }
      if (best === null) return null;
      found.push(best);
    }
    return found.length === 0 ? null : found;
  }
}
