/**
 * A node's HTTP server as its clients see it come to its end. HTTP/1.1 lets a client send into a
 * connection that is being closed, and then it cannot know what became of its request. So nothing is to be
 * on its way when the server closes:
 *
 * 1. Every request is served as ever, and every answer tells its client not to use the connection again.
 * 2. Some clients have nowhere else to go, and connect anew at once. So at last answers are held back:
 *    whoever waits for one sends nothing else meanwhile.
 * 3. Once nothing comes any more, the server stops listening, and the answers are let go.
 *
 * What is left is who sends nothing all that time, and then does just as the connection is closed.
 *
 * @module
 */
import { pause } from "./pause.ts";

/** A step is over when nothing has come for so long. */
const QUIET_MS = 100;
/** The first step is not over while a client may come back that was not told: one that was here so lately. */
const IDLE_MS = 1000;
/** But neither step takes longer than this, whatever comes. */
const SEND_AWAY_MS = 1000;
const HOLD_MS = 500;

/** Sees each request come and each answer leave. */
export class Doors {
  #isClosing = false;
  /** When the last request came, and when the last answer left that did not send its client away. */
  #askedMs = -Infinity;
  #keptMs = -Infinity;
  /** Resolves when the answers are let go that are held back. */
  #held: Promise<void> | null = null;

  /** A request has come. */
  asked(): void {
    this.#askedMs = performance.now();
  }

  /** An answer is about to leave. Returns what it is to wait for, or null. */
  answering(response: Response): Promise<void> | null {
    if (this.#isClosing) {
      response.headers.set("connection", "close");
      return this.#held;
    }
    this.#keptMs = performance.now();
    return null;
  }

  /** From now on every answer tells its client not to use the connection again. */
  sendAway(): void {
    this.#isClosing = true;
  }

  /** Resolves once nobody asks any more who could have gone elsewhere. */
  async quiet(): Promise<void> {
    await this.#until(
      () => Math.max(this.#askedMs + QUIET_MS, this.#keptMs + IDLE_MS),
      SEND_AWAY_MS,
    );
  }

  /** Closes the server, and answers what it has taken; gives up on answers that take longer. */
  async close(server: Pick<Deno.HttpServer, "shutdown">, drainMs: number): Promise<void> {
    this.sendAway();
    const { promise, resolve: letGo } = Promise.withResolvers<void>();
    this.#held = promise;
    await this.#until(() => this.#askedMs + QUIET_MS, HOLD_MS);
    const late = new AbortController();
    const closed = server.shutdown().finally(() => late.abort());
    letGo();
    await Promise.race([closed, pause(drainMs, late.signal)]);
  }

  /** Waits until the time that `endMs` gives, which may move on, but no longer than `maxMs`. */
  async #until(endMs: () => number, maxMs: number): Promise<void> {
    const { signal } = new AbortController();
    const lastMs = performance.now() + maxMs;
    for (;;) {
      const leftMs = Math.min(endMs(), lastMs) - performance.now();
      if (leftMs <= 0) return;
      await pause(leftMs, signal);
    }
  }
}
