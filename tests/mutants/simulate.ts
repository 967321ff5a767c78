/**
 * A mutant before the simulator instead of before scripted tests: the first seeds, until one breaks a
 * promise.
 *
 * @module
 */
import { runDeno } from "./child.ts";
import { isStumble, type Verdict } from "./verdict.ts";

/** So many seeds take a minute or two on one core; a run that takes this long hangs. */
const RUN_MS_MAX = 600_000;
/** What it says is whole once the line has ended. */
const failurePattern = /^seed (\d+) FAILED: (.*)\n/m;

/** Runs seeds 1 to `seeds` in the copy of the source at `root`, as it is. */
export async function simulate(root: string, seeds: number): Promise<Verdict> {
  const args = [
    ...["run", "--no-check", "--no-prompt", "--v8-flags=--allow-natives-syntax"],
    ...["--allow-read", `--allow-write=${root}/tests/sim/corpus`, "tests/sim/main.ts"],
    ...["--seeds", String(seeds), "--once", "--no-shrink", "--jobs", "1"],
  ];
  const isEnough = (said: string) => failurePattern.test(said);
  const { exitCode, said } = await runDeno(root, args, {}, RUN_MS_MAX, isEnough);
  const failure = failurePattern.exec(said);
  if (failure !== null) {
    const [, seed, message] = failure;
    if (isStumble(message!)) return { type: "broken", why: `seed ${seed}: ${message}` };
    return { type: "caught", test: `seed ${seed}`, message: message! };
  }
  if (exitCode === null) return { type: "broken", why: "did not end in time" };
  if (exitCode !== 0) return { type: "broken", why: `exit code ${exitCode}, no failed seed` };
  return { type: "passed", tests: [] };
}
