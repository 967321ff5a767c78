/**
 * The file that `--history` names, which may be anywhere: found out before anything starts.
 *
 * @module
 */
import { UsageError } from "../../cli/args.ts";

/**
 * Makes sure that a history can be written to this file: creates it if need be, and leaves what is in it.
 *
 * @throws {UsageError} saying in one line why it cannot; nothing has been created then.
 */
export function prepareHistory(path: string): void {
  try {
    Deno.openSync(path, { append: true, create: true }).close();
  } catch (error) {
    throw new UsageError([`--history: ${whyNot(path, error)}`]);
  }
}

function whyNot(path: string, error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) {
    return `the file must be inside the checkout: ${path}`;
  }
  if (error instanceof Deno.errors.NotFound) return `the folder of ${path} is not there`;
  return `cannot write ${path}: ${(error as Error).message}`;
}
