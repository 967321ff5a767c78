/**
 * The command line of `deno task bench:compare`. Pure.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { tieNegatives } from "../../cli/args.ts";
import { integer, OptionError } from "../load_types.ts";
import { type Workload, WORKLOADS } from "./workloads.ts";

export const USAGE = `Usage: deno task bench:compare [options]

Measures three Kvorum nodes side by side with etcd (if it is installed), with the ceiling of the design,
with one Kvorum node and with a local Deno KV file; prints medians, percentiles, paired ratios and the
targets. Takes about 13 minutes, --quick about 3. Keep the machine free of other work meanwhile.

  --quick           2 rounds of 1 s and 5 kills, unless told otherwise
  --rounds N        1 to 20 (default 5)
  --seconds N       of each measurement, behind 1 s of warm-up: 1 to 60 (default 3)
  --kills N         of the leader, for the failover time: 0 to 100 (default 30)
  --only WORKLOAD   one of those below, or a family of them (put, get, lease), or failover; several with
                    commas or by repeating it
  --json FILE       write everything that was measured to a file in this checkout, such as .scratch/x.json
  --record          append the ratios to bench/history.json; needs 3 rounds, and all workloads

Workloads: ${WORKLOADS.map(({ id }) => id).join(", ")}
`;

/** Runs with less to measure, for a look at the figures. */
const QUICK = { rounds: 2, seconds: 1, kills: 5 };
const FULL = { rounds: 5, seconds: 3, kills: 30 };
/** Fewer have no spread to speak of, and every later line would look like a change. */
const RECORD_ROUNDS_MIN = 3;
const FAILOVER = "failover";

export interface CompareOptions {
  readonly rounds: number;
  /** Of each measurement. */
  readonly seconds: number;
  /** Of Kvorum's leader; 0 for no failover. */
  readonly kills: number;
  readonly workloads: readonly Workload[];
  readonly jsonPath: string | null;
  readonly record: boolean;
}

/** Reads the command line; null if it asks for help. @throws {OptionError} if it cannot be done. */
export function parseCompareOptions(args: string[]): CompareOptions | null {
  const string = ["rounds", "seconds", "kills", "only", "json"] as const;
  const flags = parseArgs(tieNegatives(args, string), {
    string,
    boolean: ["quick", "record", "help"],
    collect: ["only"],
    unknown: (name) => {
      throw new OptionError(`Cannot start: unknown argument ${name}`);
    },
  });
  if (flags.help) return null;
  const usual = flags.quick ? QUICK : FULL;
  const words = flags.only.flatMap((text) => text.split(","));
  const asked = integer("kills", flags.kills, usual.kills, 0, 100);
  const kills = words.length === 0 || words.includes(FAILOVER) ? asked : 0;
  const workloads = words.length === 0 ? WORKLOADS : select(words);
  if (kills === 0 && workloads.length === 0) {
    throw new OptionError("Cannot start: nothing to measure");
  }
  if (flags.record && words.length > 0) {
    throw new OptionError("Cannot start: --record keeps all ratios, and --only leaves some out");
  }
  const rounds = integer("rounds", flags.rounds, usual.rounds, 1, 20);
  if (flags.record && rounds < RECORD_ROUNDS_MIN) {
    throw new OptionError(
      `Cannot start: --record needs ${RECORD_ROUNDS_MIN} rounds at least, not ${rounds}`,
    );
  }
  if (flags.json === "") throw new OptionError("Cannot start: --json names no file");
  return {
    rounds,
    seconds: integer("seconds", flags.seconds, usual.seconds, 1, 60),
    kills,
    workloads,
    jsonPath: flags.json ?? null,
    record: flags.record,
  };
}

/** The workloads that the words name, in the order of the table. */
function select(words: readonly string[]): Workload[] {
  const chosen = new Set<Workload>();
  for (const word of words) {
    if (word === FAILOVER) continue;
    const its = WORKLOADS.filter(({ id, mode }) => word === id || word === mode);
    if (its.length === 0) {
      const known = [...WORKLOADS.map(({ id }) => id), "put", "get", "lease", FAILOVER].join(", ");
      throw new OptionError(`Cannot start: --only must be one of ${known}, not "${word}"`);
    }
    for (const it of its) chosen.add(it);
  }
  return WORKLOADS.filter((it) => chosen.has(it));
}
