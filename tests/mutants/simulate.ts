/**
 * A mutant before the simulator instead of before scripted tests: the first seeds, until one breaks a
 * promise.
 *
 * @module
 */
import { isStumble, type Verdict } from "./verdict.ts";

/** So many seeds take a minute or two on one core; a run that takes this long hangs. */
const RUN_MS_MAX = 600_000;
const failurePattern = /^seed (\d+) FAILED: (.*)$/m;

/** Runs seeds 1 to `seeds` in the copy of the source at `root`, as it is. */
export async function simulate(root: string, seeds: number): Promise<Verdict> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-check", "--no-prompt", "--v8-flags=--allow-natives-syntax"],
      ...["--allow-read", `--allow-write=${root}/tests/sim/corpus`, "tests/sim/main.ts"],
      ...["--seeds", String(seeds), "--once", "--no-shrink", "--jobs", "1"],
    ],
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, RUN_MS_MAX);
  let said = "";
  let failure: RegExpExecArray | null = null;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    said += text;
    failure = failurePattern.exec(said);
    // What it says is whole once the next line has begun.
    if (failure !== null && said.length > failure.index + failure[0].length) break;
  }
  if (failure !== null) killIfRunning(child);
  const { code } = await child.status;
  clearTimeout(timer);
  if (failure !== null) {
    const [, seed, message] = failure;
    if (isStumble(message!)) return { type: "broken", why: `seed ${seed}: ${message}` };
    return { type: "caught", test: `seed ${seed}`, message: message! };
  }
  if (isLate) return { type: "broken", why: "did not end in time" };
  if (code !== 0) return { type: "broken", why: `exit code ${code}, no failed seed` };
  return { type: "passed", tests: [] };
}

function killIfRunning(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    // It has ended by itself.
    if (!(error instanceof TypeError)) throw error;
  }
}
