/**
 * One watcher of a chaos run: watches at one node for a while, and then goes on at another, where it must
 * be told exactly what comes behind.
 *
 * @module
 */
import { EventParser } from "../../cli/kvctl/event_parser.ts";
import { compareVersionstamps, type Versionstamp } from "../history/mod.ts";
import { ATTEMPT_MAX_MS, RETRY_MS, WATCH_STAY_MAX_MS, WATCH_STAY_MIN_MS } from "./limits.ts";
import type { ChaosNode } from "./node.ts";
import type { Random } from "./random.ts";
import type { WatchLog } from "./watch_log.ts";
import { PASSING_PREFIX, PREFIXES } from "./workload.ts";

/** The first parts of all keys that are watched. */
export const WATCHED: readonly string[] = [...PREFIXES, PASSING_PREFIX, "journal"];

export interface WatcherOptions {
  readonly log: WatchLog;
  readonly random: Random;
  /** The nodes that may be asked now; never empty. */
  readonly nodes: () => readonly ChaosNode[];
}

export class Watcher {
  readonly #options: WatcherOptions;
  readonly #over = new AbortController();
  #until: Versionstamp | null = null;
  /** How often it was let in, and why it was not. */
  visits = 0;
  readonly refusals = new Map<string, number>();

  constructor(options: WatcherOptions) {
    this.#options = options;
  }

  /** Goes on until it has come as far as it is told to, or it is to stop. */
  async run(): Promise<void> {
    const { nodes, random, log } = this.#options;
    while (!this.#over.signal.aborted && !this.#isDone) {
      const all = nodes();
      const node = all[random.between(0, all.length - 1)];
      const stayMs = random.between(WATCH_STAY_MIN_MS, WATCH_STAY_MAX_MS);
      await this.#visit(node, stayMs);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      if (log.violations.length > 0) return;
    }
  }

  /** Ends it once it was told all up to here. */
  finish(until: Versionstamp): void {
    this.#until = until;
  }

  stop(): void {
    this.#over.abort();
  }

  get #isDone(): boolean {
    const { position } = this.#options.log;
    return this.#until !== null && position !== null &&
      compareVersionstamps(position, this.#until) >= 0;
  }

  async #visit(node: ChaosNode, stayMs: number): Promise<void> {
    const { log } = this.#options;
    const { host, port } = node.config;
    const leave = new AbortController();
    const timer = setTimeout(() => leave.abort(), ATTEMPT_MAX_MS);
    let staying: ReturnType<typeof setTimeout> | undefined;
    try {
      const query = WATCHED.map((prefix) => `prefix=${prefix}`).join("&");
      const response = await fetch(`http://${host}:${port}/v1/watch?${query}`, {
        headers: log.position === null ? {} : { "last-event-id": log.position },
        signal: AbortSignal.any([leave.signal, this.#over.signal]),
      });
      clearTimeout(timer);
      if (response.status !== 200) return this.#refused(response.status, await response.text());
      this.visits++;
      staying = setTimeout(() => leave.abort(), stayMs);
      await this.#read(response, node.id);
    } catch {
      // Left, or broken: what had come whole, counts.
    } finally {
      clearTimeout(timer);
      clearTimeout(staying);
      leave.abort();
    }
  }

  async #read(response: Response, node: string): Promise<void> {
    const { log } = this.#options;
    const parser = new EventParser();
    for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
      for (const event of parser.push(text)) log.take(event, node);
      if (parser.lastId !== "") log.reach(parser.lastId, node);
      if (this.#isDone) return;
    }
  }

  #refused(status: number, body: string): void {
    const code = /"code":"([^"]*)"/.exec(body)?.[1] ?? String(status);
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
    if (status !== 503) {
      this.#options.log.violations.push(`${this.#options.log.name} was answered with ${body}`);
    }
  }
}
