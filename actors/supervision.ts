/**
 * What to do about a failed actor: the decision, the restart budget, the backoff. Pure but for the
 * random word it is given; the cell carries the decision out.
 *
 * The budget belongs to one actor, so siblings that fail once each do not spend each other's.
 *
 * @module
 */
import { RETRIES_COUNTED_MAX, SUPERVISION } from "./limits.ts";
import type { Directive, Supervision } from "./types.ts";

export class RestartPolicy {
  readonly #rules: Supervision;
  /** When the restarts of the last `withinMs` happened, oldest first; never more than `restartsMax`. */
  #restartsAtMs: number[] = [];
  /** Retries in a row, and when the last one was. */
  #retries = 0;
  #retriedAtMs = -Infinity;

  /** @throws {RangeError} when a limit is not usable. */
  constructor(rules: Partial<Supervision> = {}) {
    this.#rules = { ...SUPERVISION, ...rules };
    const { restartsMax, withinMs, backoffMinMs, backoffMaxMs } = this.#rules;
    if (!Number.isSafeInteger(restartsMax) || restartsMax < 0) {
      throw new RangeError(`restartsMax must be a whole number from 0, got ${restartsMax}`);
    }
    if (!(withinMs > 0) || !(backoffMinMs >= 0) || !(backoffMaxMs >= backoffMinMs)) {
      throw new RangeError(
        `supervision needs withinMs > 0 and 0 <= backoffMinMs <= backoffMaxMs, ` +
          `got ${withinMs}, ${backoffMinMs}, ${backoffMaxMs}`,
      );
    }
  }

  /** What to do about `error`, and after which pause if it is a restart. */
  judge(error: unknown, nowMs: number, randomUint32: number): Judgement {
    const { restartsMax, withinMs } = this.#rules;
    const directive = this.#rules.decide(error);
    if (directive === "retry") return this.#retry(nowMs, randomUint32);
    if (directive !== "restart") return { directive, backoffMs: 0 };
    this.#restartsAtMs = this.#restartsAtMs.filter((atMs) => atMs > nowMs - withinMs);
    if (this.#restartsAtMs.length >= restartsMax) return { directive: "stop", backoffMs: 0 };
    this.#restartsAtMs.push(nowMs);
    return { directive, backoffMs: this.#backoffMs(this.#restartsAtMs.length, randomUint32) };
  }

  #retry(nowMs: number, randomUint32: number): Judgement {
    const { withinMs, backoffMaxMs } = this.#rules;
    // What failed again soon after it was started anew waits longer each time.
    if (nowMs - this.#retriedAtMs > Math.max(withinMs, 2 * backoffMaxMs)) this.#retries = 0;
    this.#retriedAtMs = nowMs;
    this.#retries = Math.min(this.#retries + 1, RETRIES_COUNTED_MAX);
    return { directive: "retry", backoffMs: this.#backoffMs(this.#retries, randomUint32) };
  }

  /** Doubles with each restart still in the window; the jitter keeps replicas that fell together from rising together. */
  #backoffMs(restarts: number, randomUint32: number): number {
    const { backoffMinMs, backoffMaxMs } = this.#rules;
    const fullMs = Math.min(backoffMaxMs, backoffMinMs * 2 ** (restarts - 1));
    return fullMs * (0.5 + randomUint32 / 2 ** 33);
  }
}

export interface Judgement {
  readonly directive: Directive;
  readonly backoffMs: number;
}
