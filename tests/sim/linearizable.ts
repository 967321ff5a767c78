/**
 * The one place that knows the checker of histories (tests/history/).
 *
 * @module
 */
import { checkLinearizable } from "../history/mod.ts";
import type { Operation } from "../history/mod.ts";

export type { Operation } from "../history/mod.ts";

/** Attempts of the search: a history that takes more counts as wrong, and is to be made shorter. */
const STEPS_MAX = 20_000_000;

/** What is wrong with a history; null if it is linearizable. Not to know counts as wrong. */
export function historyFault(history: readonly Operation[]): string | null {
  const verdict = checkLinearizable(history, { stepsMax: STEPS_MAX });
  switch (verdict.result) {
    case "linearizable":
      return null;
    case "unknown":
      return `not decided within ${verdict.limit}: ${verdict.operations} operations`;
    case "not-linearizable": {
      const { explanation, prefix } = verdict.offence;
      const lines = prefix.map((at) => `  ${JSON.stringify(history[at])}`);
      return `${explanation}\n${lines.join("\n")}`;
    }
  }
}
