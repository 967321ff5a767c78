/**
 * Running promises at once: V8's microtask checkpoint as a function, where the process was started with
 * `--v8-flags=--allow-natives-syntax` (as `deno task sim` is), and null elsewhere. Then the virtual
 * environment goes through the host's event loop instead, with the same outcome and more slowly.
 *
 * @module
 */

/** Has all promise reactions run that can; works only outside of one. Null without the V8 flag. */
export function microtaskCheckpoint(): (() => void) | null {
  try {
    return new Function("%PerformMicrotaskCheckpoint()") as () => void;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
