/**
 * `kvctl list`: the keys of a range.
 *
 * @module
 */
import { UsageError, wholeNumber } from "../args.ts";
import { EXIT_OK } from "../exit_codes.ts";
import { answerJson } from "./client.ts";
import type { Command, Context } from "./command.ts";
import {
  addConsistency,
  consistencyFlags,
  consistencyHelp,
  type Served,
  servedOf,
} from "./consistency.ts";
import { keyPath, keyText } from "./keys.ts";
import { PAGE_ENTRIES_MAX } from "./limits.ts";

export const listCommand: Command = {
  name: "list",
  summary: "lists keys, with their values",
  usage: "list [PREFIX] [flags]",
  help:
    `PREFIX is written a/b: all keys that begin with these parts and have more. Without it, all keys.
Prints one line an entry: the key, a tab, the value as JSON (bytes that are text: as that text). Keys
with parts that are no plain strings are printed as JSON.

  --start KEY            begins at KEY, which is included
  --end KEY              ends before KEY
  --reverse              from the end to the start
  --limit N              at most N entries (100)
  --keys-only            leaves the values out
  --cursor TEXT          goes on where an earlier list ended; it printed this
${consistencyHelp}`,
  flags: {
    values: ["start", "end", "limit", "cursor", ...consistencyFlags],
    switches: ["reverse", "keys-only"],
  },
  positionalsMin: 0,
  positionalsMax: 1,
  run: list,
};

/** One entry, as the nodes write it. */
interface Entry {
  readonly key: readonly unknown[];
  readonly value?: unknown;
  readonly encoding?: string;
  readonly versionstamp: string;
}

interface Page {
  readonly entries: readonly Entry[];
  /** Empty, null or absent at the end. */
  readonly cursor?: string | null;
}

async function list(context: Context): Promise<number> {
  const { args, json, io, client } = context;
  const query = readQuery(context);
  let left = readLimit(args.values.get("limit") ?? "100");
  let cursor = args.values.get("cursor") ?? null;
  const entries: Entry[] = [];
  let served: Served = {};
  do {
    query.set("limit", String(Math.min(left, PAGE_ENTRIES_MAX)));
    if (cursor !== null) query.set("cursor", cursor);
    const answer = await client.call({ method: "GET", path: `/v1/kv?${query}` });
    const page = answerJson(answer) as Page;
    served = servedOf(answer.headers);
    // The next page may come from another node, and must not be of an earlier state.
    if (served.consistency === "session" && served.readAt) query.set("min", served.readAt);
    left -= page.entries.length;
    cursor = page.cursor || null;
    // People read on while the next page is fetched; JSON is one text.
    if (json) entries.push(...page.entries);
    else await io.write(page.entries.map((entry) => `${entryLine(entry)}\n`).join(""));
  } while (left > 0 && cursor !== null);
  if (json) await io.write(`${JSON.stringify({ entries, cursor, ...served })}\n`);
  else if (cursor !== null) io.complain(`there are more: --cursor ${cursor}`);
  return EXIT_OK;
}

function readQuery(context: Context): URLSearchParams {
  const { args } = context;
  const query = new URLSearchParams();
  const [prefix] = args.positionals;
  if (prefix !== undefined) query.set("prefix", keyPath(prefix));
  for (const bound of ["start", "end"]) {
    const key = args.values.get(bound);
    if (key !== undefined) query.set(bound, keyPath(key));
  }
  if (args.switches.has("reverse")) query.set("reverse", "true");
  if (args.switches.has("keys-only")) query.set("keysOnly", "true");
  addConsistency(context, query);
  return query;
}

function readLimit(text: string): number {
  const limit = wholeNumber(text, 1, Number.MAX_SAFE_INTEGER);
  if (limit === null) throw new UsageError([`--limit takes a whole number from 1, not ${text}`]);
  return limit;
}

function entryLine(entry: Entry): string {
  const key = keyText(entry.key);
  return "value" in entry ? `${key}\t${valueText(entry)}` : key;
}

/** A value on one line: JSON, except for bytes that are readable text. */
export function valueText({ value, encoding }: Pick<Entry, "value" | "encoding">): string {
  if (encoding === "bytes") {
    try {
      const bytes = Uint8Array.fromBase64((value as { bytes: string }).bytes);
      const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      if (!/\p{Cc}/u.test(text)) return text;
    } catch {
      // Not text: shown as base64, like the node did.
    }
  }
  return JSON.stringify(value);
}
