/**
 * Sends signals, one right after the other: `send_signal.ts PID SIGNAL [PID SIGNAL…]`. A negative id means
 * a process group. A program of its own because signalling what one did not start needs `--allow-run` for everything, which the tests
 * do not have.
 *
 * @module
 */
for (let i = 0; i < Deno.args.length; i += 2) {
  try {
    Deno.kill(Number(Deno.args[i]), Deno.args[i + 1] as Deno.Signal);
  } catch (error) {
    // An earlier signal may have ended it already.
    if (i === 0 || !(error instanceof Deno.errors.NotFound)) throw error;
  }
}
