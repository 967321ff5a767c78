/**
 * Makes a failing schedule smaller as long as it still breaks the same promise: whole classes of faults go
 * first, then single ones, then clients, keys and nodes, and time.
 *
 * @module
 */
import { CLASS_OF, FAULT_CLASSES, NETWORK_PERFECT, type Schedule } from "./schedule.ts";

/** Runs that one shrinking may take. */
export const SHRINK_RUNS_MAX = 400;

/** The invariant that a schedule breaks; null if none. */
export type Judge = (schedule: Schedule) => Promise<string | null>;

/** The smallest schedule found that breaks `invariant`, and how many runs that took. */
export async function shrink(
  schedule: Schedule,
  invariant: string,
  judge: Judge,
): Promise<{ readonly schedule: Schedule; readonly runs: number }> {
  let smallest = schedule;
  let runs = 0;
  for (let isSmaller = true; isSmaller;) {
    isSmaller = false;
    for (const candidate of candidates(smallest)) {
      if (runs >= SHRINK_RUNS_MAX) return { schedule: smallest, runs };
      runs++;
      if (await judge(candidate) !== invariant) continue;
      smallest = candidate;
      isSmaller = true;
      break;
    }
  }
  return { schedule: smallest, runs };
}

/** What is a little smaller than a schedule, the largest steps first. */
function* candidates(schedule: Schedule): Generator<Schedule> {
  const { faults, network, nodes, spares, clients, keys, runMs } = schedule;
  for (const each of FAULT_CLASSES) {
    const rest = faults.filter(({ type }) => CLASS_OF[type] !== each);
    if (rest.length < faults.length) yield { ...schedule, faults: rest };
  }
  for (let half = faults.length >> 1; half > 1; half >>= 1) {
    for (let from = 0; from < faults.length; from += half) {
      yield { ...schedule, faults: faults.toSpliced(from, half) };
    }
  }
  for (let at = 0; at < faults.length; at++) yield { ...schedule, faults: faults.toSpliced(at, 1) };
  const isPerfect = Object.entries(NETWORK_PERFECT).every(([name, value]) =>
    network[name as keyof typeof network] === value
  );
  if (!isPerfect) yield { ...schedule, network: NETWORK_PERFECT };
  for (const rate of ["dropRate", "duplicateRate", "reorderRate", "tailMs", "jitterMs"] as const) {
    if (network[rate] > 0 && !isPerfect) yield { ...schedule, network: { ...network, [rate]: 0 } };
  }
  if (clients > 1) yield { ...schedule, clients: 1 };
  if (clients > 2) yield { ...schedule, clients: clients - 1 };
  if (keys > 1) yield { ...schedule, keys: 1 };
  if (spares > 0) yield { ...schedule, spares: spares - 1 };
  for (const fewer of [3, 5]) if (nodes > fewer) yield { ...schedule, nodes: fewer };
  const lastMs = Math.max(0, ...faults.map(({ atMs }) => atMs));
  const shorterMs = Math.max(lastMs + 100, runMs >> 1);
  if (shorterMs < runMs) yield { ...schedule, runMs: shorterMs };
  if (schedule.batch !== 0) yield { ...schedule, batch: 0 };
}
