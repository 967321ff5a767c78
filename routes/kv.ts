/**
 * One key: `PUT`, `GET` and `DELETE /v1/kv/{part}/{part}…`.
 *
 * These are the requests that come by the ten thousand a second. {@linkcode keyLane} leads them past the
 * router straight to their handlers; the same handlers are routes of Hono's for whoever asks it.
 *
 * @module
 */
import { Hono } from "hono";
import { VALUE_BYTES_MAX } from "../kv/limits.ts";
import type { Expiry, Mutation, Value } from "../kv/types.ts";
import { bytesValue } from "../kv/value_codec.ts";
import { formatVersionstamp } from "../kv/versionstamp.ts";
import { integerParameter, KEY_MOUNT, keyOfPath, queryOf, routedPath } from "./address.ts";
import { isJsonBody, parseJson } from "./body.ts";
import { idempotencyKey, isUnmodified, refuseHeader, writeChecks } from "./conditions.ts";
import { CONSISTENCY_PARAMETERS, consistencyOf, served, servedHeaders } from "./consistency.ts";
import { type Door, submit } from "./door.ts";
import {
  BODY_BYTES_MAX,
  EXPIRE_IN_MS_MAX,
  TAGGED_VALUE_DEPTH_MAX,
  VALUE_DEPTH_MAX,
} from "./limits.ts";
import { HttpProblem } from "./problem.ts";
import { isShownEncoding, SHOWN_ENCODINGS, type ShownEncoding, takeValue } from "./value_json.ts";

const NEVER: Expiry = { type: "never" };

/** The door to single keys. */
export function kvRoutes(door: Door): Hono {
  const app = new Hono({ getPath: routedPath });
  app.put(KEY_MOUNT, (c) => put(door, c.req.raw));
  app.get(KEY_MOUNT, (c) => get(door, c.req.raw));
  app.delete(KEY_MOUNT, (c) => remove(door, c.req.raw));
  return app;
}

/**
 * Hot path: the way to the handlers that costs no router and no context. Null for a request that is not for
 * a single key, and for methods that Hono answers (HEAD by GET, and those that are not taken).
 */
export function keyLane(door: Door): (request: Request) => Promise<Response> | null {
  return (request) => {
    if (routedPath(request) !== KEY_MOUNT) return null;
    switch (request.method) {
      case "PUT":
        return put(door, request);
      case "GET":
        return get(door, request);
      case "DELETE":
        return remove(door, request);
      default:
        return null;
    }
  };
}

async function put(door: Door, request: Request): Promise<Response> {
  const key = keyOfPath(request);
  const expireIn = integerParameter(
    queryOf(request, ["expireIn"]),
    "expireIn",
    1,
    EXPIRE_IN_MS_MAX,
  );
  const expiry: Expiry = expireIn === null ? NEVER : { type: "in", ms: expireIn };
  return await write(door, request, {
    type: "set",
    key,
    value: await readValue(door, request),
    expiry,
  });
}

async function remove(door: Door, request: Request): Promise<Response> {
  const key = keyOfPath(request);
  queryOf(request, []);
  refuseHeader(request.headers, "if-none-match");
  return await write(door, request, { type: "delete", key });
}

async function get(door: Door, request: Request): Promise<Response> {
  const key = keyOfPath(request);
  const consistency = consistencyOf(queryOf(request, CONSISTENCY_PARAMETERS));
  refuseHeader(request.headers, "if-match");
  const read = await door.service.read({ type: "get", keys: [key] }, consistency);
  const headers = servedHeaders(consistency, read);
  const entry = read.results[0][0];
  if (entry === null) {
    const detail = "The store holds nothing under this key.";
    throw new HttpProblem("not-found", detail, headers ?? {});
  }
  const versionstamp = formatVersionstamp(entry.versionstamp);
  const response = isUnmodified(request.headers, versionstamp)
    ? door.replies.notModified(request, versionstamp)
    : door.replies.value(request, versionstamp, entry.value);
  return served(response, headers);
}

async function write(door: Door, request: Request, mutation: Mutation): Promise<Response> {
  const result = await submit(door, {
    checks: writeChecks(request.headers, mutation.key),
    mutations: [mutation],
    idempotencyKey: idempotencyKey(request.headers),
  });
  if (result.status === "applied") {
    const versionstamp = formatVersionstamp(result.versionstamp);
    return mutation.type === "delete"
      ? door.replies.json(request, 200, `{"versionstamp":"${versionstamp}"}`)
      : door.replies.written(request, versionstamp);
  }
  throw new HttpProblem(
    "precondition-failed",
    "The key was changed, made or removed since the version that the condition names.",
  );
}

async function readValue(door: Door, request: Request): Promise<Value> {
  switch (encodingOf(request.headers)) {
    case "bytes":
      return bytesValue(await door.bodies.read(request, VALUE_BYTES_MAX));
    case "v8":
      return takeValue("v8", await readJson(door, request, TAGGED_VALUE_DEPTH_MAX));
    case "le64":
      return takeValue("le64", await readJson(door, request, VALUE_DEPTH_MAX));
    case "json":
      return takeValue("json", await readJson(door, request, VALUE_DEPTH_MAX));
  }
}

async function readJson(door: Door, request: Request, depthMax: number): Promise<unknown> {
  return parseJson(await door.bodies.read(request, BODY_BYTES_MAX), depthMax);
}

/** How the body is to be stored: as `x-kvorum-encoding` says, else by its Content-Type. */
function encodingOf(headers: Headers): ShownEncoding {
  const named = headers.get("x-kvorum-encoding");
  if (named === null) return isJsonBody(headers) ? "json" : "bytes";
  if (isShownEncoding(named)) return named;
  throw new HttpProblem(
    "bad-header",
    `x-kvorum-encoding is one of ${SHOWN_ENCODINGS.join(", ")}.`,
  );
}
