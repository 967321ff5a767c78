/**
 * An actor's timer: one message, delivered in the control lane once or again and again.
 *
 * A timer has at most one message queued. A repeating one is armed again only when its message is
 * served, for the next multiple of its period, so ticks missed meanwhile come as one and the
 * phase is kept.
 *
 * @module
 */
import type { Incarnation } from "./incarnation.ts";
import type { Admission, Ticket } from "./mailbox.ts";
import type { Timer } from "./types.ts";

export class ActorTimer implements Timer, Ticket {
  #armed: Timer | null = null;
  #cancelled = false;
  #dueMs: number;
  readonly #owner: Incarnation;
  readonly #message: unknown;
  /** Null for a timer that fires once. */
  readonly #periodMs: number | null;

  /** @throws {RangeError} when the delay is no number of ms from 0, or a period is below 1 ms. */
  constructor(owner: Incarnation, message: unknown, delayMs: number, repeat: boolean) {
    if (!(delayMs >= (repeat ? 1 : 0)) || delayMs === Infinity) {
      throw new RangeError(
        `delayMs must be finite and at least ${repeat ? 1 : 0}, got ${delayMs}`,
      );
    }
    this.#owner = owner;
    this.#message = message;
    this.#periodMs = repeat ? delayMs : null;
    this.#dueMs = owner.runtime.env.now() + delayMs;
    this.#arm(delayMs);
  }

  cancel(): void {
    this.#cancelled = true;
    this.#owner.timers.delete(this);
    if (this.#armed === null) return;
    this.#armed.cancel();
    this.#armed = null;
    this.#owner.runtime.timersArmed--;
  }

  admit(nowMs: number): Admission {
    if (this.#cancelled) return "cancelled";
    if (this.#periodMs === null) {
      this.#owner.timers.delete(this);
      return "deliver";
    }
    // A host timer may fire a fraction early; that tick still counts as its own.
    const missed = Math.max(0, Math.floor((nowMs - this.#dueMs) / this.#periodMs));
    this.#dueMs += (missed + 1) * this.#periodMs;
    this.#arm(Math.max(0, this.#dueMs - nowMs));
    if (missed > 0) this.#owner.ticksMissed(missed);
    return "deliver";
  }

  discard(): void {}

  #arm(delayMs: number): void {
    const { runtime } = this.#owner;
    runtime.timersArmed++;
    this.#armed = runtime.env.setTimer(this.#fire, delayMs);
  }

  readonly #fire = (): void => {
    this.#armed = null;
    this.#owner.runtime.timersArmed--;
    this.#owner.signalSelf(this.#message, this);
  };
}
