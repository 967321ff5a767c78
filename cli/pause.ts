/**
 * Waiting, in the command-line tools.
 *
 * @module
 */

/** Resolves after `ms`, or as soon as `signal`, if any, is aborted; its timer is gone either way. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}
