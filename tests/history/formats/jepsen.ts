/**
 * What Jepsen's formats have in common: processes that invoke reads, writes and compare-and-sets of
 * registers, one at a time each, and hear `ok`, `fail` or `info` of them.
 *
 * @module
 */
import type { Action, Operation, Value, WriteAction } from "../types.ts";
import { type Format, type History, HistoryUnreadable } from "./history.ts";

/** What a process does with a register. */
export type RegisterAction =
  | { readonly f: "read" }
  | { readonly f: "write"; readonly value: Value | null }
  | { readonly f: "cas"; readonly from: Value | null; readonly to: Value | null };

/** How it ended. */
export type Ending =
  /** `found`: of a read. */
  | { readonly type: "ok"; readonly found?: Value | null }
  /** `compared`: whether it is known that a comparison failed, rather than that nothing was done. */
  | { readonly type: "fail"; readonly compared: boolean }
  | { readonly type: "info" };

interface Pending {
  readonly slot: number;
  readonly key: string;
  readonly at: number;
  readonly line: number;
  readonly action: RegisterAction;
}

/** Makes operations of invocations and completions. */
export class JepsenHistory {
  readonly #operations: (Operation | null)[] = [];
  readonly #lines: number[] = [];
  readonly #pending = new Map<string, Pending>();

  /** @throws {HistoryUnreadable} if the process is busy. */
  invoke(process: string, key: string, action: RegisterAction, at: number, line: number): void {
    const busy = this.#pending.get(process);
    if (busy !== undefined) {
      throw new HistoryUnreadable(
        line,
        `process ${process} invokes while what it invoked on line ${busy.line} is not over`,
      );
    }
    const slot = this.#operations.push(null) - 1;
    this.#lines.push(line);
    this.#pending.set(process, { slot, key, at, line, action });
  }

  /** @throws {HistoryUnreadable} if the process does nothing, or something else. */
  complete(process: string, f: string, ending: Ending, at: number, line: number): void {
    const pending = this.#pending.get(process);
    if (pending === undefined) {
      throw new HistoryUnreadable(line, `process ${process} completes what it never invoked`);
    }
    if (pending.action.f !== f) {
      throw new HistoryUnreadable(
        line,
        `process ${process} completes a ${f}, but invoked a ${pending.action.f} on line ${pending.line}`,
      );
    }
    this.#pending.delete(process);
    this.#operations[pending.slot] = operationOf(process, pending, ending, at);
  }

  /** What was never completed is of unknown outcome. */
  finish(format: Format, unit: string): History {
    for (const [process, pending] of this.#pending) {
      this.#operations[pending.slot] = operationOf(process, pending, { type: "info" }, null);
    }
    this.#pending.clear();
    return { format, unit, operations: this.#operations as Operation[], lines: this.#lines };
  }
}

function operationOf(
  process: string,
  { key, at: invokedAt, action }: Pending,
  ending: Ending,
  at: number | null,
): Operation {
  const client = `p${process}`;
  if (ending.type === "info") {
    return { client, invokedAt, completedAt: null, ...actionOf(key, action), outcome: "unknown" };
  }
  const span = { client, invokedAt, completedAt: at };
  if (action.f === "read") {
    const read = { op: "read", keys: [key] } as const;
    if (ending.type === "fail") return { ...span, ...read, outcome: "failed" };
    const { found = null } = ending;
    return { ...span, ...read, outcome: "ok", entries: [found === null ? null : { value: found }] };
  }
  const write = actionOf(key, action) as WriteAction;
  if (ending.type === "ok") return { ...span, ...write, outcome: "ok" };
  const outcome = action.f === "cas" && ending.compared ? "check-failed" : "failed";
  return { ...span, ...write, outcome };
}

function actionOf(key: string, action: RegisterAction): Action {
  if (action.f === "read") return { op: "read", keys: [key] };
  const checks = action.f === "cas" ? [{ key, value: action.from }] : [];
  const value = action.f === "cas" ? action.to : action.value;
  const mutation = value === null
    ? { type: "delete", key } as const
    : { type: "set", key, value } as const;
  return { op: "write", checks, mutations: [mutation] };
}
