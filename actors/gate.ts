/**
 * The output gate: what a turn emits waits here, in order, until the turn's commit has resolved.
 * A failed turn discards it, so nobody outside can have seen what was never durable.
 *
 * Source: the output gates of Cloudflare's workerd (`io-gate.h`), for one turn instead of one write.
 *
 * @module
 */
import { GATE_OUTPUTS_MAX, GATE_SLOTS_KEPT_MAX } from "./limits.ts";
import type { ReplyCell } from "./ask.ts";
import type { Ref, TellOptions } from "./types.ts";

/** Carries the outputs out; implemented by the cell, which knows the system. */
export interface GateExit {
  deliver(to: Ref<unknown>, message: unknown, options: TellOptions | undefined): void;
  run(effect: () => void): void;
}

// One output takes four slots: what it is, to whom, what, and its options.
const WIDTH = 4;
const REPLY = 0;
const FAIL = 1;
const SEND = 2;
const AFTER = 3;

export class OutputGate {
  #slots: unknown[] = [];
  #used = 0;

  reply(to: ReplyCell<unknown>, value: unknown): void {
    this.#push(REPLY, to, value, undefined);
  }

  fail(to: ReplyCell<unknown>, error: Error): void {
    this.#push(FAIL, to, error, undefined);
  }

  send(to: Ref<unknown>, message: unknown, options: TellOptions | undefined): void {
    this.#push(SEND, to, message, options);
  }

  after(effect: () => void): void {
    this.#push(AFTER, effect, undefined, undefined);
  }

  /** Lets everything out, in order; also what `after` effects add meanwhile. */
  release(exit: GateExit): void {
    for (let i = 0; i < this.#used; i += WIDTH) {
      const to = this.#slots[i + 1];
      const value = this.#slots[i + 2];
      switch (this.#slots[i]) {
        case REPLY:
          (to as ReplyCell<unknown>).resolve(value);
          break;
        case FAIL:
          (to as ReplyCell<unknown>).reject(value as Error);
          break;
        case SEND:
          exit.deliver(to as Ref<unknown>, value, this.#slots[i + 3] as TellOptions | undefined);
          break;
        case AFTER:
          exit.run(to as () => void);
      }
    }
    this.discard();
  }

  discard(): void {
    if (this.#slots.length > GATE_SLOTS_KEPT_MAX) this.#slots = [];
    else this.#slots.fill(undefined, 0, this.#used);
    this.#used = 0;
  }

  #push(kind: number, to: unknown, value: unknown, options: TellOptions | undefined): void {
    if (this.#used >= GATE_OUTPUTS_MAX * WIDTH) {
      throw new RangeError(`a turn may emit at most ${GATE_OUTPUTS_MAX} outputs`);
    }
    const slots = this.#slots;
    const i = this.#used;
    slots[i] = kind;
    slots[i + 1] = to;
    slots[i + 2] = value;
    slots[i + 3] = options;
    this.#used = i + WIDTH;
  }
}
