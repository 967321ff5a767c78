/**
 * Jepsen's log lines of a register, as in the etcd histories that linearizability checkers are compared by
 * (ahorn/linearizability-checker, and from there anishathalye/porcupine's test data):
 *
 *     INFO  jepsen.util - 2  :invoke  :cas  [2 3]
 *     INFO  jepsen.util - 2  :ok      :cas  [2 3]
 *
 * Lines are all the time there is. A compare-and-set that fails has compared; a read that fails has found
 * out nothing; `:info` is an unknown outcome.
 *
 * @module
 */
import type { Value } from "../types.ts";
import { type History, HistoryUnreadable } from "./history.ts";
import { JepsenHistory, type RegisterAction } from "./jepsen.ts";

const KEY = "register";
/** A process is a number; what else logs (the nemesis) is passed over. */
const linePattern = /^INFO\s+jepsen\.util\s+-\s+(\d+)\s+:(\S+)\s+:(\S+)\s+(.*?)\s*$/;
const processPattern = /^INFO\s+jepsen\.util\s+-\s+\d/;

/** Whether this is such a line. */
export function isJepsenLogLine(line: string): boolean {
  return processPattern.test(line);
}

/** Reads a log. Lines of others are passed over. @throws {HistoryUnreadable} */
export function readJepsenLog(text: string): History {
  const history = new JepsenHistory();
  for (const [i, line] of text.split("\n").entries()) {
    if (isJepsenLogLine(line)) readLine(history, line, i + 1);
  }
  return history.finish("jepsen-log", "line");
}

function readLine(history: JepsenHistory, line: string, number: number): void {
  const [, process, type, f, value] = linePattern.exec(line) ?? [];
  if (process === undefined) throw new HistoryUnreadable(number, `no operation: ${line}`);
  switch (type) {
    case "invoke":
      return history.invoke(process, KEY, actionOf(f!, value!, number), number, number);
    case "ok": {
      const found = f === "read" ? valueOf(value!, number) : null;
      return history.complete(process, f!, { type, found }, number, number);
    }
    case "fail":
      return history.complete(
        process,
        f!,
        { type, compared: value !== ":timed-out" },
        number,
        number,
      );
    case "info":
      return history.complete(process, f!, { type }, number, number);
    default:
      throw new HistoryUnreadable(number, `:${type} is none of :invoke, :ok, :fail and :info`);
  }
}

function actionOf(f: string, value: string, number: number): RegisterAction {
  if (f === "read") return { f };
  if (f === "write") return { f, value: valueOf(value, number) };
  if (f !== "cas") throw new HistoryUnreadable(number, `:${f} is none of :read, :write and :cas`);
  const [, from, to] = /^\[(\S+)\s+(\S+)\]$/.exec(value) ?? [];
  if (from === undefined) throw new HistoryUnreadable(number, `no pair of values: ${value}`);
  return { f, from: valueOf(from, number), to: valueOf(to!, number) };
}

function valueOf(text: string, number: number): Value | null {
  if (text === "nil") return null;
  if (!/^-?\d{1,15}$/.test(text)) throw new HistoryUnreadable(number, `no value: ${text}`);
  return Number(text);
}
