/**
 * Brings faults over a cluster for as long as a run lasts: in two lanes beside each other, each a deck that
 * is shuffled and dealt again and again, so that every fault comes in every run that is long enough.
 *
 * @module
 */
import { CHURN_FAULTS } from "./churn.ts";
import type { ChaosCluster } from "./cluster.ts";
import type { Fault, Scene } from "./fault.ts";
import { NETWORK_FAULTS } from "./network_faults.ts";
import { PROCESS_FAULTS } from "./process_faults.ts";
import type { Random } from "./random.ts";

export const FAULTS: readonly Fault[] = [...PROCESS_FAULTS, ...CHURN_FAULTS, ...NETWORK_FAULTS];

/** Between two faults of a lane. */
const PAUSE_MIN_MS = 200;
const PAUSE_MAX_MS = 1200;

export interface NemesisOptions {
  readonly cluster: ChaosCluster;
  readonly random: Random;
  readonly size: number;
  /** Ms until the end of the run; 0 from then on. */
  readonly restMs: () => number;
  /** Names of the faults that may come. */
  readonly faults: ReadonlySet<string>;
  /** Takes a sentence for each thing that is done. */
  readonly say: (text: string) => void;
}

export class Nemesis {
  /** How often what happened. */
  readonly counts = new Map<string, number>();
  readonly #options: NemesisOptions;

  constructor(options: NemesisOptions) {
    this.#options = options;
  }

  /** Goes on until the end of the run. */
  async run(): Promise<void> {
    const { random, faults } = this.#options;
    await Promise.all((["process", "network"] as const).map((lane) => {
      const deck = FAULTS
        .filter((fault) => fault.lane === lane && faults.has(fault.name))
        .flatMap((fault) => Array<Fault>(fault.weight).fill(fault));
      return deck.length === 0 ? undefined : this.#deal(deck, this.sceneFor(random.fork()));
    }));
  }

  /** What a fault is done with. */
  sceneFor(random: Random): Scene {
    const { cluster, size, restMs, say } = this.#options;
    return {
      cluster,
      random,
      size,
      get restMs() {
        return restMs();
      },
      hold: (ms) => new Promise((resolve) => setTimeout(resolve, Math.min(ms, restMs()))),
      note: (name, text, times = 1) => {
        this.counts.set(name, (this.counts.get(name) ?? 0) + times);
        say(text);
      },
    };
  }

  async #deal(deck: readonly Fault[], scene: Scene): Promise<void> {
    while (scene.restMs > 0) {
      for (const fault of scene.random.shuffled(deck)) {
        if (scene.restMs === 0) return;
        await fault.run(scene);
        await scene.hold(scene.random.between(PAUSE_MIN_MS, PAUSE_MAX_MS));
      }
    }
  }
}
