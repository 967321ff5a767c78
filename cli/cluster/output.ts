/**
 * What the launcher prints: its own messages, and the nodes' logs line by line with their names
 * before them.
 *
 * A terminal that is paused, or a pipe that nobody reads, must not hold up the nodes: their output is
 * always taken, and what the launcher cannot pass on is dropped and counted.
 *
 * @module
 */
import { concat } from "../bytes.ts";
import { LOG_LINE_BYTES_MAX, LOG_QUEUE_BYTES_MAX } from "../limits.ts";

const encoder = new TextEncoder();
const NEWLINE = 0x0a;

/** Takes bytes, perhaps not all of them at once, like `Deno.stdout`. */
export interface Writer {
  write(bytes: Uint8Array): Promise<number>;
}

/** A bounded queue of lines before a writer that may be slow or gone. */
export class Output {
  readonly #writer: Writer;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #droppedLines = 0;
  #writing: Promise<void> | null = null;
  #broken = false;

  constructor(writer: Writer) {
    this.#writer = writer;
  }

  /** Prints a message of the launcher's own, never dropped. */
  say(text: string): void {
    this.#push(encoder.encode(`${text}\n`));
  }

  /** Prints one line of a log, its newline included; drops it if too much waits already. */
  log(line: Uint8Array): void {
    if (this.#queuedBytes + line.length > LOG_QUEUE_BYTES_MAX) this.#droppedLines++;
    else this.#push(line);
  }

  /** Resolves once everything so far is written or cannot be. */
  async flushed(): Promise<void> {
    await this.#writing;
  }

  #push(bytes: Uint8Array): void {
    if (this.#broken) return;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#writing ??= this.#drain();
  }

  async #drain(): Promise<void> {
    // Lines that arrive together leave in one write.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const chunk = concat(this.#queue, this.#queuedBytes);
      this.#queue = [];
      try {
        for (let written = 0; written < chunk.length;) {
          written += await this.#writer.write(chunk.subarray(written));
        }
      } catch {
        // Nobody reads any more (a closed pipe): the cluster goes on without output.
        this.#broken = true;
        this.#queue = [];
      }
      this.#queuedBytes -= chunk.length;
      if (this.#droppedLines > 0) {
        const dropped = this.#droppedLines;
        this.#droppedLines = 0;
        this.say(`${dropped} log lines dropped: the output did not keep up`);
      }
    }
    this.#writing = null;
  }
}

/**
 * Passes a node's output on until it ends, a line at a time, each with `prefix` before it. A line that
 * is too long, or is not ended by the stream's end, gets its newline here.
 */
export async function pumpLines(
  stream: ReadableStream<Uint8Array>,
  prefix: string,
  output: Output,
): Promise<void> {
  const head = encoder.encode(prefix);
  let rest: Uint8Array = new Uint8Array(0);
  const emit = (line: Uint8Array) =>
    output.log(concat([head, line, newline], head.length + line.length + 1));
  for await (const chunk of stream) {
    let text = rest.length === 0 ? chunk : concat([rest, chunk], rest.length + chunk.length);
    for (let end = text.indexOf(NEWLINE); end !== -1; end = text.indexOf(NEWLINE)) {
      emit(text.subarray(0, end));
      text = text.subarray(end + 1);
    }
    while (text.length >= LOG_LINE_BYTES_MAX) {
      emit(text.subarray(0, LOG_LINE_BYTES_MAX));
      text = text.subarray(LOG_LINE_BYTES_MAX);
    }
    rest = text;
  }
  if (rest.length > 0) emit(rest);
}

const newline = Uint8Array.of(NEWLINE);
