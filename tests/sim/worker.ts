/**
 * One worker of a run over many seeds: takes a seed at a time and tells what it came to.
 *
 * @module
 */
import { drawSchedule } from "./profiles.ts";
import { type Outcome, runSchedule } from "./run.ts";
import { runTwice } from "./twice.ts";

/** A seed to be run. */
export interface Job {
  readonly seed: number;
  readonly profile: string;
  readonly once: boolean;
}

/** What became of it. */
export interface JobDone {
  readonly seed: number;
  readonly outcome: Outcome;
}

/** A worker's global scope, as far as it is used here. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<Job>) => void) | null;
  postMessage(message: JobDone): void;
}

export async function runJob({ seed, profile, once }: Job): Promise<JobDone> {
  const schedule = drawSchedule(seed, profile);
  const outcome = await (once ? runSchedule(schedule) : runTwice(schedule));
  return { seed, outcome };
}

const scope = globalThis as unknown as WorkerScope;
if ("WorkerGlobalScope" in globalThis) {
  scope.onmessage = (event) => void runJob(event.data).then((done) => scope.postMessage(done));
}
