/**
 * Kvorum's own history files: one operation a line, as JSON, exactly as types.ts describes it. Documented
 * in docs/history-format.md.
 *
 * @module
 */
import type { Operation } from "../types.ts";
import { faultOf } from "../validate.ts";
import { type History, HistoryUnreadable } from "./history.ts";

/** The unit of a file that does not say. */
export const DEFAULT_UNIT = "ms";
const FORMAT = "kvorum-history";
const VERSION = 1;

/** The first line of a file. */
export function headerLine(unit: string): string {
  return JSON.stringify({ format: FORMAT, version: VERSION, unit });
}

/** The line of an operation. */
export function operationLine(operation: Operation): string {
  return JSON.stringify(operation);
}

/**
 * Reads a file's text. Empty lines are passed over.
 *
 * @throws {HistoryUnreadable}
 */
export function readKvorum(text: string): History {
  let unit = DEFAULT_UNIT;
  let isFirst = true;
  const operations: Operation[] = [];
  const lines: number[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const it = parse(line, i + 1);
    if (isFirst && isHeader(it)) unit = unitOf(it, i + 1);
    else {
      const fault = faultOf(it);
      if (fault !== null) throw new HistoryUnreadable(i + 1, fault);
      operations.push(it as Operation);
      lines.push(i + 1);
    }
    isFirst = false;
  }
  return { format: "kvorum", unit, operations, lines };
}

function parse(line: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    // The parser had one line only: where in it, it says last.
    const why = (error as Error).message
      .replace(/ at position \d+ \(line 1 column (\d+)\)/, " at column $1");
    throw new HistoryUnreadable(number, `it is no JSON: ${why}`);
  }
}

function isHeader(it: unknown): it is Record<string, unknown> {
  return typeof it === "object" && it !== null && "format" in it;
}

function unitOf({ format, version, unit }: Record<string, unknown>, number: number): string {
  if (format !== FORMAT) throw new HistoryUnreadable(number, `format is not ${FORMAT}: ${format}`);
  if (version !== VERSION) {
    throw new HistoryUnreadable(number, `version ${version} is not known, ${VERSION} is`);
  }
  if (typeof unit !== "string") throw new HistoryUnreadable(number, `unit is no text: ${unit}`);
  return unit;
}
