/**
 * A run, and the same once more: what differs then depends on something that is not in the schedule.
 *
 * The second one is not watched, since it can show no promise broken that the first has not: whatever the
 * invariants and the checker of histories look at is in the trace, or follows from it. So the two also show that
 * being watched changes nothing. After a failure both are watched: they have to end at the same event.
 *
 * @module
 */
import { type Outcome, type RunOptions, runSchedule } from "./run.ts";
import type { Schedule } from "./schedule.ts";

/** The outcome of a schedule; that it is not the same a second time is a violation, too. */
export async function runTwice(schedule: Schedule, options: RunOptions = {}): Promise<Outcome> {
  const first = await runSchedule(schedule, options);
  const isWatched = first.violation !== null;
  const second = await runSchedule(schedule, { ...options, isWatched });
  if (first.hash === second.hash && first.events === second.events) return first;
  const message =
    `the second run was another one: hash ${first.hash} after ${first.events} events, ` +
    `then ${second.hash} after ${second.events}`;
  return { ...first, violation: { invariant: "deterministic", message, atMs: 0 } };
}
