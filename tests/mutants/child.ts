/**
 * One run of Deno over a copy of the source: bounded in time, and what it says kept within bounds.
 *
 * @module
 */

/** Characters of what a run says that are kept: its end, where the trouble is told. */
const SAID_CHARS_MAX = 256 * 1024;

export interface ChildRun {
  /** Null if it was ended because it took too long. */
  readonly exitCode: number | null;
  /** The end of its standard output. */
  readonly said: string;
}

/**
 * Runs Deno in `root` until it ends, is late, or has said enough.
 *
 * @param msMax a run that takes so long hangs, and is killed.
 * @param isEnough told all that was said so far, whenever there is more; then the run is killed.
 */
export async function runDeno(
  root: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  msMax: number,
  isEnough: (said: string) => boolean = () => false,
): Promise<ChildRun> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: root,
    env: { ...env, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    killIfRunning(child);
  }, msMax);
  let said = "";
  try {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      said = (said + text).slice(-SAID_CHARS_MAX);
      if (isEnough(said)) break;
    }
    if (isEnough(said)) killIfRunning(child);
    const { code } = await child.status;
    return { exitCode: isLate ? null : code, said };
  } finally {
    clearTimeout(timer);
  }
}

function killIfRunning(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    // It has ended by itself.
    if (!(error instanceof TypeError)) throw error;
  }
}
