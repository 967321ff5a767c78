/**
 * Changes as they happen: `GET /v1/watch?key=a/b&prefix=c&since=…`, as server-sent events (WHATWG HTML,
 * section 9.2).
 *
 * The id of each event is a versionstamp, from which another request goes on at any node: one event for
 * one write, so that no id stands for half of it.
 *
 * @module
 */
import { Hono } from "hono";
import type { WatchRequest } from "../actors/service.ts";
import { encodeKey } from "../kv/key_codec.ts";
import { WATCH_KEYS_MAX } from "../kv/limits.ts";
import type { EncodedKey, Versionstamp } from "../kv/types.ts";
import { InvalidVersionstamp, parseVersionstamp } from "../kv/versionstamp.ts";
import { keyOfParts, keyParts, parametersOf, routedPath } from "./address.ts";
import type { Door } from "./door.ts";
import { eventStream } from "./event_stream.ts";
import { HttpProblem, methodNotAllowed } from "./problem.ts";

/** Takes GET and not HEAD. */
export const WATCH_PATH = "/v1/watch";

/** The door to changes. */
export function watchRoutes(door: Door): Hono {
  const app = new Hono({ getPath: routedPath });
  app.get(WATCH_PATH, (c) => watch(door, c.req.raw));
  return app;
}

async function watch(door: Door, request: Request): Promise<Response> {
  // There is nothing that a head could say of what is to come.
  if (request.method === "HEAD") throw methodNotAllowed(["GET"]);
  const opened = await door.service.watch(requestOf(request));
  return door.replies.events(request, eventStream(opened));
}

function requestOf(request: Request): WatchRequest {
  const keys: EncodedKey[] = [];
  const prefixes: EncodedKey[] = [];
  let since: Versionstamp | null = null;
  let sinces = 0;
  for (const [name, value] of parametersOf(request, ["key", "prefix", "since"])) {
    if (name === "key") keys.push(keyOfParts(keyParts(value, "bad-query")));
    else if (name === "prefix") prefixes.push(prefixOf(value));
    else {
      since = versionstampOf(value, "bad-query", "since");
      sinces++;
    }
  }
  if (sinces > 1) throw new HttpProblem("bad-query", 'The parameter "since" stands there twice.');
  if (keys.length + prefixes.length > WATCH_KEYS_MAX) {
    throw new HttpProblem(
      "bad-query",
      `A watch has at most ${WATCH_KEYS_MAX} keys and prefixes, not ${
        keys.length + prefixes.length
      }.`,
    );
  }
  // As a list without bounds lists everything.
  if (keys.length + prefixes.length === 0) prefixes.push(prefixOf(""));
  return { selection: { keys, prefixes }, since: lastEventId(request.headers) ?? since };
}

function prefixOf(text: string): EncodedKey {
  return text === "" ? encodeKey([]) : keyOfParts(keyParts(text, "bad-query"));
}

/** Where a browser goes on, under the address that it began with: it is later than that one's `since`. */
function lastEventId(headers: Headers): Versionstamp | null {
  const id = headers.get("last-event-id");
  return id === null || id === "" ? null : versionstampOf(id, "bad-header", "Last-Event-ID");
}

function versionstampOf(
  text: string,
  code: "bad-query" | "bad-header",
  name: string,
): Versionstamp {
  try {
    return parseVersionstamp(text);
  } catch (error) {
    if (!(error instanceof InvalidVersionstamp)) throw error;
    throw new HttpProblem(code, `${name} is a versionstamp: 20 lowercase hex digits.`);
  }
}
