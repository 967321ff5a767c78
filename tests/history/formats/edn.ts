/**
 * Jepsen's histories in EDN, one operation a map, with or without brackets around them all:
 *
 *     {:type :invoke, :f :cas, :value [2 3], :process 0, :time 3291485317, :index 4}
 *
 * Reads, writes and compare-and-sets of registers; a value of the form `[key value]` names one of several
 * (jepsen.independent). `:fail` means that nothing was done, as in Jepsen; `:info` that nobody knows.
 *
 * @module
 */
import type { Value } from "../types.ts";
import { type Edn, EdnParser, Name, textOf } from "./edn_parser.ts";
import { type History, HistoryUnreadable } from "./history.ts";
import { JepsenHistory, type RegisterAction } from "./jepsen.ts";

const KEY = "register";

interface Line {
  readonly number: number;
  readonly fields: ReadonlyMap<string, Edn>;
}

/** Reads a history. @throws {HistoryUnreadable} */
export function readEdn(text: string): History {
  const lines = linesOf(text).filter(({ fields }) => typeof fields.get(":process") === "number");
  // Times are used only if all have one: the order of events is a clock, too.
  const isTimed = lines.every(({ fields }) => typeof fields.get(":time") === "number");
  const history = new JepsenHistory();
  for (const [i, line] of lines.entries()) {
    readLine(history, line, isTimed ? line.fields.get(":time") as number : i);
  }
  return history.finish("edn", isTimed ? "ns" : "event");
}

function linesOf(text: string): Line[] {
  const parser = new EdnParser(text);
  const lines: Line[] = [];
  const isVector = parser.skipBracket("[");
  while (parser.hasMore) {
    if (isVector && parser.skipBracket("]")) continue;
    const number = parser.line;
    const fields = parser.next();
    if (!(fields instanceof Map)) {
      throw new HistoryUnreadable(number, `an operation is a map: ${textOf(fields)}`);
    }
    lines.push({ number, fields });
  }
  return lines;
}

function readLine(history: JepsenHistory, { number, fields }: Line, at: number): void {
  const process = String(fields.get(":process"));
  const type = nameOf(fields, ":type", number);
  const f = nameOf(fields, ":f", number);
  const { key, value } = keyed(f, fields.get(":value") ?? null);
  switch (type) {
    case "invoke":
      return history.invoke(process, key, actionOf(f, value, number), at, number);
    case "ok":
      return history.complete(process, f, { type, found: valueOf(value) }, at, number);
    case "fail":
      return history.complete(process, f, { type, compared: false }, at, number);
    case "info":
      return history.complete(process, f, { type }, at, number);
    default:
      throw new HistoryUnreadable(number, `:${type} is none of :invoke, :ok, :fail and :info`);
  }
}

function nameOf(fields: ReadonlyMap<string, Edn>, field: string, number: number): string {
  const name = fields.get(field);
  if (name instanceof Name && name.text.startsWith(":")) return name.text.slice(1);
  throw new HistoryUnreadable(number, `${field} is no keyword: ${textOf(name ?? null)}`);
}

/** Takes the key off a value that has one: of a compare-and-set `[key [from to]]`, else `[key value]`. */
function keyed(f: string, value: Edn): { key: string; value: Edn } {
  const hasKey = Array.isArray(value) && value.length === 2 &&
    (f !== "cas" || Array.isArray(value[1]));
  return hasKey ? { key: textOf(value[0]!), value: value[1]! } : { key: KEY, value };
}

function actionOf(f: string, value: Edn, number: number): RegisterAction {
  if (f === "read") return { f };
  if (f === "write") return { f, value: valueOf(value) };
  if (f !== "cas") throw new HistoryUnreadable(number, `:${f} is none of :read, :write and :cas`);
  if (!Array.isArray(value) || value.length !== 2) {
    throw new HistoryUnreadable(number, `no pair of values: ${textOf(value)}`);
  }
  return { f, from: valueOf(value[0]!), to: valueOf(value[1]!) };
}

function valueOf(value: Edn): Value | null {
  if (value === null || Number.isSafeInteger(value)) return value as number | null;
  return textOf(value);
}
