/**
 * Records what clients do as it happens, for simulators and for runs on real processes, and writes it to a
 * file line by line, so that it is there even if the run does not end well.
 *
 * @module
 */
import { headerLine, operationLine } from "./formats/kvorum.ts";
import { OPERATIONS_MAX, WRITER_CHARS_MAX } from "./limits.ts";
import {
  MalformedHistory,
  type Operation,
  type ReadAction,
  type ReadOutcome,
  type WriteAction,
  type WriteOutcome,
} from "./types.ts";

/** An operation that is under way. */
export interface Ticket<A extends ReadAction | WriteAction = ReadAction | WriteAction> {
  readonly client: string;
  readonly invokedAt: number;
  readonly action: A;
}

/** See the module. */
export class HistoryRecorder {
  readonly #now: () => number;
  readonly #writer: HistoryWriter | null;
  readonly #operations: Operation[] = [];
  readonly #pending = new Set<Ticket>();

  /**
   * @param now the one monotonic clock of the history.
   * @param writer gets each operation once its outcome is known; not closed by the recorder.
   */
  constructor(now: () => number, writer: HistoryWriter | null = null) {
    this.#now = now;
    this.#writer = writer;
  }

  /** To be called before the request leaves. @throws {MalformedHistory} if there are too many. */
  invoke<A extends ReadAction | WriteAction>(client: string, action: A): Ticket<A> {
    if (this.#operations.length + this.#pending.size >= OPERATIONS_MAX) {
      throw new MalformedHistory(`a history has at most ${OPERATIONS_MAX} operations`);
    }
    const ticket = { client, invokedAt: this.#now(), action };
    this.#pending.add(ticket);
    return ticket;
  }

  /** To be called once the answer is there, or it is clear that none will come. */
  complete(ticket: Ticket<ReadAction>, outcome: ReadOutcome): void;
  complete(ticket: Ticket<WriteAction>, outcome: WriteOutcome): void;
  complete(ticket: Ticket, outcome: ReadOutcome | WriteOutcome): void {
    if (!this.#pending.delete(ticket)) {
      throw new MalformedHistory(`an operation of ${ticket.client} completed twice`);
    }
    const completedAt = outcome.outcome === "unknown" ? null : this.#now();
    this.#record(ticket, completedAt, outcome);
  }

  /** Everything still under way becomes of unknown outcome. @returns the history. */
  finish(): readonly Operation[] {
    for (const ticket of this.#pending) this.#record(ticket, null, { outcome: "unknown" });
    this.#pending.clear();
    return this.#operations;
  }

  #record(
    { client, invokedAt, action }: Ticket,
    completedAt: number | null,
    outcome: ReadOutcome | WriteOutcome,
  ): void {
    const operation = { client, invokedAt, completedAt, ...action, ...outcome } as Operation;
    this.#operations.push(operation);
    this.#writer?.write(operation);
  }
}

/** Where a history's text goes; such as a file of `Deno.open`. */
export interface TextSink {
  writeSync(bytes: Uint8Array): number;
}

/** Writes a history in Kvorum's format (docs/history-format.md). */
export class HistoryWriter {
  readonly #sink: TextSink;
  #text: string;

  /** @param unit of the times, for people who read the file. The sink is not closed by the writer. */
  constructor(sink: TextSink, unit: string) {
    this.#sink = sink;
    this.#text = `${headerLine(unit)}\n`;
  }

  write(operation: Operation): void {
    this.#text += `${operationLine(operation)}\n`;
    if (this.#text.length >= WRITER_CHARS_MAX) this.flush();
  }

  /** To be called in the end, and whenever what was written must be in the file. */
  flush(): void {
    let bytes = new TextEncoder().encode(this.#text);
    this.#text = "";
    while (bytes.length > 0) bytes = bytes.subarray(this.#sink.writeSync(bytes));
  }
}
