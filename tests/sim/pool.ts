/**
 * Runs many seeds on several workers, each of which has one at a time.
 *
 * @module
 */
import type { Job, JobDone } from "./worker.ts";

/** What a run over many seeds is made of. */
export interface Range {
  readonly first: number;
  readonly seeds: number;
  readonly profile: string;
  readonly once: boolean;
  readonly jobs: number;
}

/**
 * Runs all seeds of the range, in order, as workers become free. `onDone` gets each outcome as it comes, and
 * says whether to go on: if not, no more seeds begin, and those that have begun are still waited for.
 */
export function runRange(range: Range, onDone: (done: JobDone) => boolean): Promise<void> {
  const { first, seeds, profile, once, jobs } = range;
  const workers: Worker[] = [];
  let next = first;
  let open = 0;
  return new Promise<void>((resolve, reject) => {
    const end = () => {
      for (const worker of workers) worker.terminate();
    };
    const feed = (worker: Worker) => {
      if (next < first + seeds) {
        open++;
        worker.postMessage({ seed: next++, profile, once } satisfies Job);
      } else if (open === 0) {
        end();
        resolve();
      }
    };
    for (let n = 0; n < Math.min(jobs, seeds); n++) {
      const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
      workers.push(worker);
      worker.onmessage = (event: MessageEvent<JobDone>) => {
        open--;
        if (!onDone(event.data)) next = first + seeds;
        feed(worker);
      };
      worker.onerror = (event) => {
        end();
        reject(new Error(`Cannot go on: a worker failed: ${event.message}`));
      };
      feed(worker);
    }
  });
}
