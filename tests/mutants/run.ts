/**
 * `deno task sim --mutants`: tries every mutant, `caught NAME …` a line each, and `N/N caught` in the end.
 * Exits with 1 unless all are.
 *
 * First the checks run on the source as it is: a test that fails there would catch anything. With `--by`
 * all tests of some files, and with `--seeds` the simulator, take the place of each mutant's own checks,
 * which shows what these are worth by themselves.
 *
 * @module
 */
import { MUTANTS } from "./list.ts";
import type { Mutant } from "./mutant.ts";
import { readMutantOptions, USAGE } from "./options.ts";
import { type Fate, isCopied, type Trial, Workshop } from "./workshop.ts";

/** Tries the mutants that the arguments name; the exit code. @throws {UsageError} */
export async function runMutants(args: readonly string[]): Promise<number> {
  const source = new URL("../../", import.meta.url);
  const isFile = (path: string) => isCopied(source, path);
  const options = readMutantOptions(args, MUTANTS.map(({ name }) => name), isFile);
  if (options === null) {
    console.log(USAGE);
    return 0;
  }
  const { only, jobs, trial } = options;
  const mutants = MUTANTS.filter(({ name }) => only === null || only.includes(name));
  if (options.list) {
    for (const { name, file, breaks } of mutants) console.log(`${name}  ${file}: ${breaks}`);
    return 0;
  }
  const parent = `${decodeURIComponent(source.pathname)}.scratch`;
  Deno.mkdirSync(parent, { recursive: true });
  const scratch = Deno.makeTempDirSync({ dir: parent, prefix: "mutants-" });
  try {
    const workshops = Array.from({ length: Math.min(jobs, mutants.length) }, (_, at) => {
      return Workshop.open(source, `${scratch}/${at + 1}`);
    });
    return await tryAll(workshops, mutants, trial);
  } finally {
    Deno.removeSync(scratch, { recursive: true });
  }
}

async function tryAll(
  workshops: readonly Workshop[],
  mutants: readonly Mutant[],
  trial: Trial,
): Promise<number> {
  const startMs = performance.now();
  const wrong = await failuresWithoutMutants(workshops, testsOf(mutants, trial));
  for (const why of wrong) console.error(`unusable: ${why}`);
  if (wrong.length > 0) return 1;
  const width = Math.max(...mutants.map(({ name }) => name.length));
  const fates: Fate[] = [];
  await share(workshops, mutants, async (workshop, mutant) => {
    const fate = await workshop.try(mutant, trial);
    fates.push(fate);
    console.log(linesOf(fate, width));
  });
  const caught = fates.filter(({ by }) => by !== null).length;
  const tookS = ((performance.now() - startMs) / 1000).toFixed(0);
  console.log(`${caught}/${mutants.length} caught in ${tookS} s`);
  return caught === mutants.length ? 0 : 1;
}

/** Runs what is to catch the mutants on the source as it is; what fails or is missing there. */
async function failuresWithoutMutants(
  workshops: readonly Workshop[],
  tests: ReadonlyMap<string, ReadonlySet<string>>,
): Promise<string[]> {
  const wrong: string[] = [];
  await share(workshops, [...tests], async (workshop, [file, names]) => {
    const verdict = await workshop.run(file, [...names]);
    if (verdict.type === "caught") {
      wrong.push(`${file}: "${verdict.test}" fails without any mutant`);
    } else if (verdict.type === "broken") wrong.push(`${file}: ${verdict.why}`);
  });
  return wrong;
}

/** What must pass without a mutant: the names of tests by their files; no names are all of them. */
function testsOf(mutants: readonly Mutant[], trial: Trial): Map<string, Set<string>> {
  switch (trial.type) {
    case "files":
      return new Map(trial.files.map((file) => [file, new Set()]));
    case "simulator":
      // Its own tests run seeds on the source as it is.
      return new Map();
    case "its checks": {
      const tests = new Map<string, Set<string>>();
      for (const { file, test } of mutants.flatMap(({ caughtBy }) => caughtBy)) {
        tests.set(file, (tests.get(file) ?? new Set()).add(test));
      }
      return tests;
    }
  }
}

/** Has each workshop take one item after the other, until there are none left. */
async function share<T>(
  workshops: readonly Workshop[],
  items: readonly T[],
  work: (workshop: Workshop, item: T) => Promise<void>,
): Promise<void> {
  const left = items[Symbol.iterator]();
  await Promise.all(workshops.map(async (workshop) => {
    for (const item of left) await work(workshop, item);
  }));
}

function linesOf({ mutant, by, says, tookMs }: Fate, width: number): string {
  const took = `${(tookMs / 1000).toFixed(1).padStart(5)} s`;
  const name = mutant.name.padEnd(width);
  if (by === null) return `MISSED ${name} ${took}  ${says}`;
  const indent = " ".repeat(`caught ${name} ${took}  `.length);
  return `caught ${name} ${took}  ${by.file}: ${by.test}\n${indent}${says}`;
}
