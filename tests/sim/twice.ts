/**
 * A run, and the same once more: what differs then depends on something that is not in the schedule.
 *
 * @module
 */
import { type Outcome, type RunOptions, runSchedule } from "./run.ts";
import type { Schedule } from "./schedule.ts";

/** The outcome of a schedule; that it is not the same a second time is a violation, too. */
export async function runTwice(schedule: Schedule, options: RunOptions = {}): Promise<Outcome> {
  const first = await runSchedule(schedule, options);
  const second = await runSchedule(schedule, options);
  if (first.hash === second.hash && first.events === second.events) return first;
  const message =
    `the second run was another one: hash ${first.hash} after ${first.events} events, ` +
    `then ${second.hash} after ${second.events}`;
  return { ...first, violation: { invariant: "deterministic", message, atMs: 0 } };
}
