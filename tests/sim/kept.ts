/**
 * A schedule that somebody names on the command line, which may be anything.
 *
 * Not here: those of the corpus, which sim_test.ts replays.
 *
 * @module
 */
import { UsageError } from "../../cli/args.ts";
import { parseSchedule, type Schedule } from "./schedule.ts";

/**
 * Reads the schedule in a file.
 *
 * @throws {UsageError} saying in one line why it cannot be run.
 */
export async function keptSchedule(path: string): Promise<Schedule> {
  const text = await textOf(path);
  try {
    return parseSchedule(text);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
    // What is quoted of a file that is no JSON may go over several lines.
    const why = error.message.replaceAll(/\s+/g, " ");
    throw new UsageError([`--schedule: ${path} holds no schedule: ${why}`]);
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new UsageError([`--schedule: there is no file ${path}`]);
    }
    if (error instanceof Deno.errors.NotCapable) {
      throw new UsageError([`--schedule: the file must be inside the checkout: ${path}`]);
    }
    throw new UsageError([`--schedule: cannot read ${path}: ${(error as Error).message}`]);
  }
}
