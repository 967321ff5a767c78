/**
 * The HTTP server of a node as main.ts wires it, over a store in memory, with a clock that the test moves.
 *
 * @module
 */
import { HttpServer, type HttpServerOptions } from "../../transport/http/server.ts";
import { Bodies, type BodyLimits } from "../../routes/bodies.ts";
import { isStreamed } from "../../routes/reply.ts";
import { quietApp } from "../routes/answers.ts";
import { testService } from "../routes/service.ts";

/** Time that passes when it is told to. */
export class HandClock {
  #nowMs = 0;
  readonly #timers = new Map<() => void, number>();

  now(): number {
    return this.#nowMs;
  }

  setTimer(callback: () => void, delayMs: number): { cancel(): void } {
    this.#timers.set(callback, this.#nowMs + delayMs);
    return { cancel: () => void this.#timers.delete(callback) };
  }

  /** Lets `ms` pass, firing what comes due on the way, in order. */
  pass(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const [callback, dueMs] = [...this.#timers].sort((a, b) => a[1] - b[1])[0] ?? [];
      if (callback === undefined || dueMs > endMs) break;
      this.#timers.delete(callback);
      this.#nowMs = Math.max(this.#nowMs, dueMs);
      callback();
    }
    this.#nowMs = endMs;
  }
}

export interface Served {
  readonly port: number;
  readonly clock: HandClock;
  readonly server: HttpServer;
  readonly bodies: Bodies;
  /** Lines that the server logged. */
  readonly lines: readonly string[];
}

export type ServedOptions = Partial<Pick<HttpServerOptions, "limits" | "handle" | "isStreamed">> & {
  readonly bodyLimits?: Partial<BodyLimits>;
};

/** A test with a served node of its own. */
export function servedTest(
  name: string,
  run: (served: Served) => Promise<void>,
  { bodyLimits, ...options }: ServedOptions = {},
): void {
  Deno.test(name, async () => {
    const { service, close } = await testService();
    const clock = new HandClock();
    const bodies = new Bodies(bodyLimits);
    const lines: string[] = [];
    const app = quietApp(service, service, bodies);
    const server = new HttpServer({
      hostname: "127.0.0.1",
      port: 0,
      handle: async (request) => await app.fetch(request),
      isStreamed,
      onSweep: (nowMs) => bodies.sweep(nowMs),
      log: (text) => lines.push(text),
      clock,
      ...options,
    });
    try {
      await run({ port: server.addr.port, clock, server, bodies, lines });
    } finally {
      await server.shutdown();
      await close();
    }
  });
}
