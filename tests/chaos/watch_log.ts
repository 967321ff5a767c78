/**
 * What one watcher of a chaos run was told, over all the nodes that it watched at: each write once, forwards,
 * and of which part of the log it was told everything.
 *
 * @module
 */
import { compareVersionstamps, type Versionstamp } from "../history/mod.ts";
import type { ServerEvent } from "../../cli/kvctl/event_parser.ts";

/** A write, as it was told. */
export interface Told {
  readonly versionstamp: Versionstamp;
  /** JSON of its changes. */
  readonly changes: string;
}

/** All behind `from` and up to `to` was told. */
export interface Span {
  readonly from: Versionstamp;
  to: Versionstamp;
}

export class WatchLog {
  readonly name: string;
  readonly told: Told[] = [];
  readonly spans: Span[] = [];
  /** What no watcher may be told. */
  readonly violations: string[] = [];
  /** How often a node has begun to tell. */
  visits = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Where it goes on; null before it was ever told anything. */
  get position(): Versionstamp | null {
    return this.spans.at(-1)?.to ?? null;
  }

  /** An event has come, from a node that it names. */
  take({ name, data }: ServerEvent, node: string): void {
    const event = readEvent(data);
    if (event === null) return this.#blame(`was told by ${node} what cannot be read: ${data}`);
    const { versionstamp, since, changes } = event;
    switch (name) {
      case "watching":
        return this.#begin(versionstamp, node);
      case "change":
        if (this.#advance(versionstamp, node, "was told of")) {
          this.told.push({ versionstamp, changes: JSON.stringify(changes) });
        }
        return;
      case "compacted":
        // Up to there it was told everything.
        if (this.#reach(since, node)) this.spans.push({ from: versionstamp, to: versionstamp });
        if (versionstamp < since) {
          this.#blame(`was told by ${node} of a gap back to ${versionstamp}`);
        }
        return;
      default:
        this.#blame(`was told by ${node} something of the name ${name}`);
    }
  }

  /** An id has come, with an event or without: it is told all up to there. */
  reach(versionstamp: Versionstamp, node: string): void {
    this.#reach(versionstamp, node);
  }

  #begin(versionstamp: Versionstamp, node: string): void {
    this.visits++;
    const { position } = this;
    if (position === null) this.spans.push({ from: versionstamp, to: versionstamp });
    else if (versionstamp !== position) {
      this.#blame(`wanted to go on from ${position}, and was told by ${node} from ${versionstamp}`);
    }
  }

  #advance(versionstamp: Versionstamp, node: string, what: string): boolean {
    const { position } = this;
    if (position === null || compareVersionstamps(versionstamp, position) <= 0) {
      this.#blame(`${what} ${versionstamp} by ${node} at ${position}`);
      return false;
    }
    return this.#reach(versionstamp, node);
  }

  #reach(versionstamp: Versionstamp, node: string): boolean {
    const span = this.spans.at(-1);
    if (span === undefined || compareVersionstamps(versionstamp, span.to) < 0) {
      this.#blame(`went back from ${span?.to} to ${versionstamp} at ${node}`);
      return false;
    }
    span.to = versionstamp;
    return true;
  }

  #blame(what: string): void {
    this.violations.push(`${this.name} ${what}`);
  }
}

/** What an event says; null if that cannot be: it came whole, so whoever sent it is to blame. */
function readEvent(
  data: string,
): { versionstamp: Versionstamp; since: Versionstamp; changes: unknown } | null {
  try {
    const event = JSON.parse(data);
    return typeof event?.versionstamp === "string" ? event : null;
  } catch {
    return null;
  }
}
