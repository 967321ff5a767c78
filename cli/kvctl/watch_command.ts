/**
 * `kvctl watch`: prints changes as they happen, from one node or the next, until it is stopped.
 *
 * When a node goes, another is asked to go on behind the last event. What none of them can tell any more
 * is printed as a gap.
 *
 * @module
 */
import { UsageError } from "../args.ts";
import { EXIT_OK } from "../exit_codes.ts";
import { pause } from "../pause.ts";
import { watchStopSignals } from "../signals.ts";
import { CallFailed } from "./client.ts";
import type { Command, Context } from "./command.ts";
import { EventParser, EventTooLong, type ServerEvent } from "./event_parser.ts";
import { CommandFailed } from "./failure.ts";
import { keyPath, keyText } from "./keys.ts";
import { ROUND_PAUSE_MIN_MS, WATCH_SILENT_MS } from "./limits.ts";
import { valueText } from "./list_command.ts";

export const watchCommand: Command = {
  name: "watch",
  summary: "prints changes as they happen",
  usage: "watch [KEY…] [--prefix PREFIX…] [flags]",
  help:
    `Prints a line for each change of the keys, and of all keys under the prefixes; of all keys, if none
is given. It goes on until Ctrl-C, at the next node if one goes: --timeout bounds how long it looks for
one. Nothing is printed twice or left out, but for a gap that no node can fill any more: that is a line
of its own, and says from where to where. What the keys are then, "get" and "list" show.

  --prefix PREFIX  all keys that begin with these parts; may be given again and again
  --since VS       also the changes after versionstamp VS
  --count N        ends after N changes
Lines: "VS set KEY VALUE", "VS delete KEY", "VS gap SINCE". With --json each is an object.`,
  flags: { values: ["since", "count"], lists: ["prefix"] },
  positionalsMin: 0,
  positionalsMax: 10,
  run: watch,
};

/** One change in an event, as far as it is looked at. */
interface ChangeJson {
  readonly type: string;
  readonly key: readonly unknown[];
  readonly value?: unknown;
  readonly encoding?: string;
}

async function watch(context: Context): Promise<number> {
  const { client } = context;
  const path = `/v1/watch?${readQuery(context)}`;
  const printer = new Printer(context, readCount(context));
  const over = new AbortController();
  const interrupted = new CommandFailed("interrupted", null, "interrupted");
  const unwatch = watchStopSignals(() => over.abort(interrupted), () => {});
  let lastId = "";
  try {
    while (!over.signal.aborted && !printer.isDone) {
      const headers: Record<string, string> = lastId === "" ? {} : { "last-event-id": lastId };
      const response = await client.open({ method: "GET", path, headers, signal: over.signal });
      lastId = await follow(response, printer, over.signal, lastId);
      // A node that takes watches and ends them at once must not be asked as fast as it does.
      if (!printer.isDone) await pause(ROUND_PAUSE_MIN_MS, over.signal);
    }
  } catch (error) {
    if (!over.signal.aborted) throw error;
  } finally {
    unwatch();
  }
  return EXIT_OK;
}

/** Prints one stream to its end, however it comes; gives where the next goes on. */
async function follow(
  response: Response,
  printer: Printer,
  signal: AbortSignal,
  since: string,
): Promise<string> {
  if (!(response.headers.get("content-type") ?? "").startsWith("text/event-stream")) {
    await response.body?.cancel();
    throw strange("no stream of events");
  }
  const parser = new EventParser();
  parser.lastId = since;
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const stop = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", stop);
  try {
    while (!printer.isDone) {
      const timer = setTimeout(stop, WATCH_SILENT_MS);
      const { done, value } = await reader.read().finally(() => clearTimeout(timer));
      if (done) break;
      for (const event of parser.push(value)) await printer.print(event);
    }
  } catch (error) {
    if (error instanceof EventTooLong) throw strange(error.message);
    // The connection broke: another is made.
    if (!(error instanceof TypeError)) throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
  return parser.lastId;
}

/** Writes events as lines. */
class Printer {
  readonly #context: Context;
  #left: number;

  constructor(context: Context, count: number) {
    this.#context = context;
    this.#left = count;
  }

  get isDone(): boolean {
    return this.#left <= 0;
  }

  async print({ name, data }: ServerEvent): Promise<void> {
    const content = parse(data);
    const { versionstamp } = content;
    if (name === "compacted") {
      const { since } = content;
      const json = { type: "gap", since, versionstamp };
      await this.#line(json, `${versionstamp} gap ${since}`);
    } else if (name === "change") {
      for (const change of content.changes as readonly ChangeJson[]) {
        if (this.isDone) return;
        this.#left--;
        await this.#line({ ...change, versionstamp }, `${versionstamp} ${changeText(change)}`);
      }
    }
  }

  #line(json: unknown, text: string): Promise<void> {
    return this.#context.io.write(`${this.#context.json ? JSON.stringify(json) : text}\n`);
  }
}

function changeText(change: ChangeJson): string {
  const name = `${change.type} ${keyText(change.key)}`;
  return change.type === "set" ? `${name} ${valueText(change)}` : name;
}

function parse(data: string): Record<string, unknown> {
  try {
    return JSON.parse(data);
  } catch {
    throw strange("an event that is not JSON");
  }
}

function strange(what: string): CallFailed {
  return new CallFailed("unexpected", null, `the answer is ${what}, unlike a Kvorum node's`);
}

/** @throws {UsageError} */
function readQuery({ args }: Context): URLSearchParams {
  const query = new URLSearchParams();
  for (const key of args.positionals) query.append("key", keyPath(key));
  for (const prefix of args.lists.get("prefix") ?? []) {
    query.append("prefix", prefix === "" ? "" : keyPath(prefix));
  }
  const since = args.values.get("since");
  if (since === undefined) return query;
  if (!/^[0-9a-f]{20}$/.test(since)) {
    throw new UsageError([`--since takes a versionstamp, 20 hex digits, not ${since}`]);
  }
  query.set("since", since);
  return query;
}

/** @throws {UsageError} */
function readCount({ args }: Context): number {
  const text = args.values.get("count");
  if (text === undefined) return Infinity;
  if (!/^[1-9]\d{0,8}$/.test(text)) {
    throw new UsageError([`--count takes a number from 1, not ${text}`]);
  }
  return Number(text);
}
