/**
 * What kvctl has of the process around it, as one interface, so that tests run it without one.
 *
 * @module
 */
import { UsageError } from "../args.ts";
import { concat } from "../bytes.ts";

/** Standard input, output and error, and the environment. */
export interface Io {
  /** Writes to standard output, exactly. */
  write(data: string | Uint8Array): Promise<void>;
  /** Writes one line to standard error. */
  complain(text: string): void;
  /** Whether standard output is read by a person. */
  readonly isTerminal: boolean;
  readonly input: ReadableStream<Uint8Array>;
  env(name: string): string | undefined;
}

/** The process's own. */
export function processIo(): Io {
  return {
    async write(data) {
      const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
      for (let written = 0; written < bytes.length;) {
        written += await Deno.stdout.write(bytes.subarray(written));
      }
    },
    complain: (text) => console.error(text),
    isTerminal: Deno.stdout.isTerminal(),
    get input() {
      return Deno.stdin.readable;
    },
    env: (name) => Deno.env.get(name),
  };
}

/**
 * Reads a stream to its end.
 *
 * @throws {UsageError} as soon as it turns out to be longer than `bytesMax`.
 */
export async function readAll(
  stream: ReadableStream<Uint8Array>,
  bytesMax: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (bytes > bytesMax) {
      throw new UsageError([`standard input is longer than a value may be: ${bytesMax} bytes`]);
    }
    chunks.push(chunk);
  }
  return concat(chunks, bytes);
}
