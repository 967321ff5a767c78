/**
 * `deno task check-history FILE`: whether the history in a file is linearizable; and if not, the smallest
 * prefix of it that shows it.
 *
 * @module
 */
import { readArguments, UsageError } from "../../cli/args.ts";
import { EXIT_OK, EXIT_USAGE } from "../../cli/exit_codes.ts";
import {
  type Format,
  FORMATS,
  type History,
  HistoryUnreadable,
  readHistory,
} from "./formats/mod.ts";
import { checkLinearizable, describe, type Offence, type Verdict } from "./mod.ts";

/** The history is not linearizable. */
const EXIT_NOT_LINEARIZABLE = 1;
/** A limit was reached first. */
const EXIT_UNKNOWN = 3;
/** Lines of the prefix that are printed: its end, where the trouble is. */
const PREFIX_LINES_MAX = 40;

const help = `Usage: deno task check-history FILE [--json] [--format ${FORMATS.join("|")}]

Says whether the history in FILE is linearizable (docs/history-format.md).
Exit codes: ${EXIT_OK} linearizable, ${EXIT_NOT_LINEARIZABLE} not, ${EXIT_USAGE} the file cannot be read,
${EXIT_UNKNOWN} unknown: a limit was reached first.`;

async function main(args: readonly string[]): Promise<number> {
  const { values, switches, positionals } = readArguments(args, {
    values: ["format"],
    switches: ["json", "help"],
  });
  if (switches.has("help")) {
    console.log(help);
    return EXIT_OK;
  }
  const format = values.get("format");
  if (format !== undefined && !FORMATS.some((it) => it === format)) {
    throw new UsageError([`--format is none of ${FORMATS.join(", ")}: ${format}`]);
  }
  if (positionals.length !== 1) throw new UsageError(["give one file; --help says more"]);
  const history = readHistory(await textOf(positionals[0]!), format as Format | undefined);
  const startMs = performance.now();
  const verdict = checkLinearizable(history.operations);
  const tookMs = Math.round(performance.now() - startMs);
  console.log(
    switches.has("json") ? toJson(history, verdict, tookMs) : toText(history, verdict, tookMs),
  );
  if (verdict.result === "linearizable") return EXIT_OK;
  return verdict.result === "unknown" ? EXIT_UNKNOWN : EXIT_NOT_LINEARIZABLE;
}

async function textOf(path: string): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await Deno.readFile(path));
  } catch (error) {
    throw new UsageError([`Cannot read ${path}: ${(error as Error).message}`]);
  }
}

function toJson(history: History, verdict: Verdict, tookMs: number): string {
  const { result, operations, keys, components, steps, configurations } = verdict;
  const { format, unit } = history;
  const base = {
    result,
    format,
    unit,
    operations,
    keys,
    components,
    steps,
    configurations,
    tookMs,
  };
  if (verdict.result === "unknown") {
    const { limit, undecidedKeys } = verdict;
    return JSON.stringify({ ...base, limit, undecidedKeys });
  }
  if (verdict.result === "linearizable") return JSON.stringify(base);
  const { offence } = verdict;
  const prefix = offence.prefix.map((index) => history.lines[index]);
  const line = history.lines[offence.index];
  return JSON.stringify({ ...base, offence: { ...offence, line, prefixLines: prefix } });
}

function toText(history: History, verdict: Verdict, tookMs: number): string {
  const { operations, keys, components } = verdict;
  const size = `${counted(operations, "operation")} on ${counted(keys.length, "key")} in ` +
    `${counted(components, "part")}, ${tookMs} ms`;
  switch (verdict.result) {
    case "linearizable":
      return `linearizable: ${size}`;
    case "unknown":
      return `unknown: ${verdict.limit} was reached for ${
        verdict.undecidedKeys.join(", ")
      }; ${size}`;
    case "not-linearizable":
      return [`not linearizable: ${size}`, ...offenceLines(history, verdict.offence)].join("\n");
  }
}

function offenceLines(history: History, { keys, until, prefix, explanation }: Offence): string[] {
  const shown = prefix.slice(-PREFIX_LINES_MAX);
  const rest = shown.length < prefix.length ? `, the last ${shown.length} of them` : "";
  return [
    explanation,
    `The smallest offending prefix is ${counted(prefix.length, "operation")} on ` +
    `${keys.join(", ")}, until ${moment(until, history.unit)}${rest}:`,
    ...shown.map((index) =>
      `  ${String(index).padStart(6)}  line ${history.lines[index]}  ${
        describe(history.operations[index]!)
      }`
    ),
  ];
}

function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? "" : "s"}`;
}

/** `5 ms`, but `line 5`. */
function moment(at: number, unit: string): string {
  return unit === "line" || unit === "event" ? `${unit} ${at}` : `${at} ${unit}`;
}

/** Tells why there is no verdict: a program reads it where it would have read the verdict. */
function refuse(error: UsageError | HistoryUnreadable, asJson: boolean): void {
  const { message } = error;
  if (!asJson) return console.error(message);
  const line = error instanceof HistoryUnreadable ? error.line : null;
  console.log(JSON.stringify({ result: "unreadable", line, message }));
}

if (import.meta.main) {
  try {
    Deno.exitCode = await main(Deno.args);
  } catch (error) {
    const isExpected = error instanceof UsageError || error instanceof HistoryUnreadable;
    if (isExpected) refuse(error, Deno.args.includes("--json"));
    else console.error(error);
    Deno.exitCode = EXIT_USAGE;
  }
}
