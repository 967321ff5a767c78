/**
 * The command line of `deno task chaos`.
 *
 * @module
 */
import { readArguments, UsageError, wholeNumber } from "../../cli/args.ts";
import { readTransport, type TransportName, TRANSPORTS } from "../../cli/config.ts";

const others = TRANSPORTS.filter((name) => name !== "tcp").map((name) => `, ${name}`).join("");

export const USAGE = `Usage: deno task chaos [--minutes N] [--size 3|5] [--seed S]
                        [--transport NAME] [--history FILE] [--only FAULT,…]

Starts real nodes, lets clients work at all of them, and kills, stops, cuts off and misleads the nodes
meanwhile. Then checks what the clients were told: linearizable, nothing lost, nothing doubled, equal
state hashes. Exits with 1 if anything of that does not hold.

  --minutes   how long clients and faults go on: 0.1 to 1440, 10 unless told
  --size      how many voters: 3 (unless told) or 5
  --seed      what the order of requests and faults is drawn from; a new one unless told
  --transport how the nodes reach each other: tcp (unless told)${others}
  --history   keeps the history in this file, also of a run without violations;
              its folder must be there, inside the checkout
  --only      the faults that may come, separated by commas; all unless told:
              `;

export interface ChaosOptions {
  readonly minutes: number;
  readonly size: number;
  readonly seed: number;
  readonly transport: TransportName;
  /** Null: kept only if there are violations. */
  readonly history: string | null;
  readonly faults: ReadonlySet<string>;
}

const MINUTES_MAX = 1440;
const SEED_MAX = 2 ** 31 - 1;

/**
 * Reads the command line.
 *
 * @param faults the names of all faults that there are.
 * @param freshSeed called if no seed was given.
 * @returns null if help was asked for.
 * @throws {UsageError} listing everything that is wrong.
 */
export function readOptions(
  args: readonly string[],
  faults: readonly string[],
  freshSeed: () => number,
): ChaosOptions | null {
  const { values, switches, positionals } = readArguments(args, {
    values: ["minutes", "size", "seed", "transport", "history", "only"],
    switches: ["help"],
  });
  if (switches.has("help")) return null;
  const problems = positionals.map((argument) => `unexpected argument: ${argument}`);
  const minutes = Number(values.get("minutes") ?? "10");
  if (!(minutes >= 0.1 && minutes <= MINUTES_MAX)) {
    problems.push(`--minutes must be from 0.1 to ${MINUTES_MAX}: ${values.get("minutes")}`);
  }
  const size = Number(values.get("size") ?? "3");
  if (size !== 3 && size !== 5) problems.push(`--size must be 3 or 5: ${values.get("size")}`);
  const seedText = values.get("seed");
  const seed = seedText === undefined ? freshSeed() : wholeNumber(seedText, 1, SEED_MAX);
  if (seed === null) problems.push(`--seed must be from 1 to ${SEED_MAX}: ${seedText}`);
  const transport = readTransport(({ flag }) => {
    const text = values.get(flag);
    return text === undefined ? null : { text, source: `--${flag}` };
  }, problems);
  const only = values.get("only")?.split(",") ?? faults;
  for (const name of only) if (!faults.includes(name)) problems.push(`no such fault: ${name}`);
  if (problems.length > 0 || seed === null) throw new UsageError(problems);
  const history = values.get("history") ?? null;
  return { minutes, size, seed, transport, history, faults: new Set(only) };
}

export function freshSeed(): number {
  return 1 + Math.floor(Math.random() * (SEED_MAX - 1));
}
