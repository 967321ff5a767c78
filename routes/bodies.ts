/**
 * The bodies that a node is reading: how many bytes of them at a time, and how long each may take. A client
 * that sends slowly, or stops, must hold neither memory nor its request for ever.
 *
 * It has no clock: whoever looks after the connections calls {@linkcode Bodies.sweep} from time to time,
 * and closes the connection of a body that was given up, which ends what still waits for it.
 *
 * @module
 */
import { announcedBytes, readBody } from "./body.ts";
import { BODIES_BYTES_MAX, BODY_MS } from "./limits.ts";
import { HttpProblem } from "./problem.ts";

export interface BodyLimits {
  /** Bytes of all bodies that are being read; a body of unannounced length counts with its cap. */
  readonly bytesMax: number;
  /** From the headers to the end of the body. */
  readonly bodyMs: number;
}

interface Reading {
  /** As of the last sweep before it began. */
  readonly sinceMs: number;
  readonly giveUp: (problem: HttpProblem) => void;
}

export class Bodies {
  readonly #limits: BodyLimits;
  readonly #readings = new Set<Reading>();
  #bytes = 0;
  #nowMs = 0;

  constructor(limits: Partial<BodyLimits> = {}) {
    this.#limits = { bytesMax: BODIES_BYTES_MAX, bodyMs: BODY_MS, ...limits };
  }

  /** Bytes that bodies which are being read may take. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Reads the whole body.
   *
   * @throws {HttpProblem} `too-large` over `bytesMax`; `unsupported-media-type` when it is compressed;
   * `bad-request` when the client broke off; `overloaded` when too much is being read already;
   * `request-timeout` when it takes too long.
   */
  read(request: Request, bytesMax: number): Promise<Uint8Array> {
    const announced = announcedBytes(request.headers, bytesMax);
    const bytes = announced ?? bytesMax;
    if (this.#bytes + bytes > this.#limits.bytesMax) {
      throw new HttpProblem("overloaded", "Too many bodies are being read; nothing was done.");
    }
    this.#bytes += bytes;
    return new Promise((resolve, reject) => {
      const reading: Reading = { sinceMs: this.#nowMs, giveUp: reject };
      this.#readings.add(reading);
      // One that was given up holds its room until its connection is closed.
      const end = () => {
        this.#bytes -= bytes;
        this.#readings.delete(reading);
      };
      readBody(request, announced, bytesMax).then((body) => {
        end();
        resolve(body);
      }, (error) => {
        end();
        reject(error);
      });
    });
  }

  /** Gives up bodies that take too long. */
  sweep(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const reading of this.#readings) {
      // They stand in the order in which they began.
      if (nowMs - reading.sinceMs <= this.#limits.bodyMs) return;
      this.#readings.delete(reading);
      reading.giveUp(
        new HttpProblem(
          "request-timeout",
          `The body did not arrive within ${this.#limits.bodyMs} ms; nothing was done.`,
          { connection: "close" },
        ),
      );
    }
  }
}
