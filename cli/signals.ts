/**
 * Being asked to stop: Ctrl-C and SIGTERM.
 *
 * @module
 */
import { SIGNAL_MERGE_MS } from "./limits.ts";

const stopSignals = ["SIGINT", "SIGTERM"] as const;

/**
 * Calls `onFirst` at the first request to stop and `onAgain` at every later one. Copies of one
 * request that arrive together count once.
 *
 * @returns a function that ends the watch, after which the signals act by default again.
 */
export function watchStopSignals(onFirst: () => void, onAgain: () => void): () => void {
  let lastMs: number | null = null;
  const listener = () => {
    const nowMs = performance.now();
    const previousMs = lastMs;
    if (previousMs !== null && nowMs - previousMs < SIGNAL_MERGE_MS) return;
    lastMs = nowMs;
    if (previousMs === null) onFirst();
    else onAgain();
  };
  for (const signal of stopSignals) Deno.addSignalListener(signal, listener);
  return () => {
    for (const signal of stopSignals) Deno.removeSignalListener(signal, listener);
  };
}

/** Sends a signal to a child that may be gone already. */
export function signalChild(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (error) {
    // Deno answers with a TypeError once it has seen the child's end, and with NotFound before.
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
  }
}
