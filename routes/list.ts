/**
 * Many keys: `GET /v1/kv?prefix=…`, page by page.
 *
 * @module
 */
import { Hono } from "hono";
import {
  decodeKey,
  InvalidKey,
  keyFromBytes,
  type KeyRange,
  keyToBytes,
  prefixRange,
} from "../kv/key_codec.ts";
import { keyToJson } from "../kv/key_json.ts";
import { READ_ENTRIES_MAX } from "../kv/limits.ts";
import type { EncodedKey, StoredEntry } from "../kv/types.ts";
import { formatVersionstamp } from "../kv/versionstamp.ts";
import {
  integerParameter,
  keyParts,
  type Query,
  queryOf,
  routedPath,
  switchParameter,
} from "./address.ts";
import { CONSISTENCY_PARAMETERS, consistencyOf, served, servedHeaders } from "./consistency.ts";
import type { Door } from "./door.ts";
import { LIST_CHARS_MAX, LIST_LIMIT_DEFAULT } from "./limits.ts";
import { HttpProblem } from "./problem.ts";
import { showValue } from "./value_json.ts";

const PARAMETERS = [
  "prefix",
  "start",
  "end",
  "limit",
  "reverse",
  "cursor",
  "keysOnly",
  ...CONSISTENCY_PARAMETERS,
];

/** The door to ranges of keys. */
export function listRoutes(door: Door): Hono {
  const app = new Hono({ getPath: routedPath });
  app.get("/v1/kv", (c) => list(door, c.req.raw));
  return app;
}

async function list(door: Door, request: Request): Promise<Response> {
  const query = queryOf(request, PARAMETERS);
  const consistency = consistencyOf(query);
  const limit = integerParameter(query, "limit", 1, READ_ENTRIES_MAX) ?? LIST_LIMIT_DEFAULT;
  const reverse = switchParameter(query, "reverse");
  const keysOnly = switchParameter(query, "keysOnly");
  const { start, end } = remaining(selected(query), query.get("cursor") ?? "", reverse);
  const read = await door.service.read(
    { type: "ranges", ranges: [{ start, end, limit, reverse }] },
    consistency,
  );
  // Ranges never hold null.
  const entries = read.results[0] as readonly StoredEntry[];
  const response = door.replies.json(request, 200, page(entries, limit, keysOnly));
  return served(response, servedHeaders(consistency, read));
}

/** The keys that `prefix`, `start` and `end` select, as Deno KV's selectors do. */
function selected(query: Query): KeyRange {
  const prefix = keyParameter(query, "prefix") ?? [];
  const start = keyParameter(query, "start");
  const end = keyParameter(query, "end");
  try {
    return prefixRange(prefix, { ...(start && { start }), ...(end && { end }) });
  } catch (error) {
    if (error instanceof InvalidKey) throw new HttpProblem("bad-query", error.message);
    throw error;
  }
}

/** A key written as in a path; null when it is absent or empty. */
function keyParameter(query: Query, name: string): string[] | null {
  const text = query.get(name) ?? "";
  return text === "" ? null : keyParts(text, "bad-query");
}

/** What of the range lies behind the cursor, which is the last key of the page before in base64url. */
function remaining(range: KeyRange, cursor: string, reverse: boolean): KeyRange {
  if (cursor === "") return range;
  const last = keyOfCursor(cursor);
  if (last === null || last < range.start || last >= range.end) {
    throw new HttpProblem("bad-query", "The cursor is not one of this list's.");
  }
  // The next key in byte order is the same with a zero byte behind it.
  return reverse
    ? { start: range.start, end: last }
    : { start: last + "\0" as EncodedKey, end: range.end };
}

function keyOfCursor(cursor: string): EncodedKey | null {
  try {
    return keyFromBytes(
      Uint8Array.fromBase64(cursor, { alphabet: "base64url", lastChunkHandling: "loose" }),
    );
  } catch {
    return null;
  }
}

function page(entries: readonly StoredEntry[], limit: number, keysOnly: boolean): string {
  const parts: string[] = [];
  let chars = 0;
  for (const entry of entries) {
    const json = entryJson(entry, keysOnly);
    parts.push(json);
    chars += json.length;
    if (chars > LIST_CHARS_MAX) break;
  }
  const isLast = parts.length === entries.length && entries.length < limit;
  const cursor = isLast ? "" : keyToBytes(entries[parts.length - 1].key)
    .toBase64({ alphabet: "base64url", omitPadding: true });
  return `{"entries":[${parts.join(",")}],"cursor":"${cursor}"}`;
}

function entryJson(entry: StoredEntry, keysOnly: boolean): string {
  const key = JSON.stringify(keyToJson(decodeKey(entry.key)));
  const versionstamp = formatVersionstamp(entry.versionstamp);
  if (keysOnly) return `{"key":${key},"versionstamp":"${versionstamp}"}`;
  const { encoding, json } = showValue(entry.value);
  return `{"key":${key},"value":${json},"encoding":"${encoding}","versionstamp":"${versionstamp}"}`;
}
