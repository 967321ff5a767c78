/**
 * One key: `PUT`, `GET` and `DELETE /v1/kv/{part}/{part}…`.
 *
 * These are the requests that come by the ten thousand a second. {@linkcode keyLane} leads them past the
 * router straight to their handlers; the same handlers are routes of Hono's for whoever asks it.
 *
 * @module
 */
import { Hono } from "hono";
import type { Consistency, ServedRead, WriteResult } from "../actors/service.ts";
import { VALUE_BYTES_MAX } from "../kv/limits.ts";
import type { AtomicWrite, EncodedKey, Expiry, Mutation, Value } from "../kv/types.ts";
import { bytesValue } from "../kv/value_codec.ts";
import { formatVersionstamp } from "../kv/versionstamp.ts";
import { integerParameter, KEY_MOUNT, keyOfPath, queryOf, routedPath } from "./address.ts";
import { isJsonBody, parseJson } from "./body.ts";
import { idempotencyKey, isUnmodified, refuseHeader, writeChecks } from "./conditions.ts";
import { CONSISTENCY_PARAMETERS, consistencyOf, served, servedHeaders } from "./consistency.ts";
import { accepted, type Door, limited } from "./door.ts";
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
  // Hono has a HEAD answered by the handler of GET.
  return app.on(["PUT", "GET", "DELETE"], KEY_MOUNT, (c) => serveKey(door, c.req.raw));
}

/**
 * Hot path: the way to the handler that costs no router and no context. Null for a request that is not for
 * a single key, and for methods that Hono answers (HEAD by GET, and those that are not taken).
 */
export function keyLane(door: Door): (request: Request) => Promise<Response> | null {
  return (request) => {
    if (routedPath(request) !== KEY_MOUNT) return null;
    const { method } = request;
    const isTaken = method === "PUT" || method === "GET" || method === "DELETE";
    return isTaken ? serveKey(door, request) : null;
  };
}

/**
 * Hot path: all that waits stands in this one function, since each asynchronous function between a request
 * and its answer costs a promise, a turn of the microtasks and their collection.
 */
async function serveKey(door: Door, request: Request): Promise<Response> {
  try {
    switch (request.method) {
      case "PUT": {
        const put = putOf(request);
        const body = await door.bodies.read(request, put.bytesMax);
        const write = writeOf(request, put.key, setOf(put, body));
        return written(door, request, await door.service.write(write));
      }
      case "DELETE": {
        const key = deletedKey(request);
        const write = writeOf(request, key, { type: "delete", key });
        return deleted(door, request, await door.service.write(write));
      }
      default: {
        const { key, consistency } = getOf(request);
        const read = await door.service.read({ type: "get", keys: [key] }, consistency);
        return shown(door, request, consistency, read);
      }
    }
  } catch (error) {
    return door.failed(error, request);
  }
}

/** What a PUT's target and headers say. */
interface Put {
  readonly key: EncodedKey;
  readonly expiry: Expiry;
  readonly encoding: ShownEncoding;
  /** Of the body. */
  readonly bytesMax: number;
}

function putOf(request: Request): Put {
  const key = keyOfPath(request);
  const expireIn = integerParameter(
    queryOf(request, ["expireIn"]),
    "expireIn",
    1,
    EXPIRE_IN_MS_MAX,
  );
  const expiry: Expiry = expireIn === null ? NEVER : { type: "in", ms: expireIn };
  const encoding = encodingOf(request.headers);
  const bytesMax = encoding === "bytes" ? VALUE_BYTES_MAX : BODY_BYTES_MAX;
  return { key, expiry, encoding, bytesMax };
}

function setOf({ key, expiry, encoding }: Put, body: Uint8Array): Mutation {
  return { type: "set", key, value: valueOf(encoding, body), expiry };
}

function valueOf(encoding: ShownEncoding, body: Uint8Array): Value {
  if (encoding === "bytes") return bytesValue(body);
  const depthMax = encoding === "v8" ? TAGGED_VALUE_DEPTH_MAX : VALUE_DEPTH_MAX;
  return takeValue(encoding, parseJson(body, depthMax));
}

function deletedKey(request: Request): EncodedKey {
  const key = keyOfPath(request);
  queryOf(request, []);
  refuseHeader(request.headers, "if-none-match");
  return key;
}

function writeOf(request: Request, key: EncodedKey, mutation: Mutation): AtomicWrite {
  return limited({
    checks: writeChecks(request.headers, key),
    mutations: [mutation],
    idempotencyKey: idempotencyKey(request.headers),
  });
}

function written(door: Door, request: Request, result: WriteResult): Response {
  return door.replies.written(request, versionstampOf(result));
}

function deleted(door: Door, request: Request, result: WriteResult): Response {
  return door.replies.json(request, 200, `{"versionstamp":"${versionstampOf(result)}"}`);
}

function versionstampOf(result: WriteResult): string {
  const outcome = accepted(result);
  if (outcome.status === "applied") return formatVersionstamp(outcome.versionstamp);
  throw new HttpProblem(
    "precondition-failed",
    "The key was changed, made or removed since the version that the condition names.",
  );
}

function getOf(request: Request): { key: EncodedKey; consistency: Consistency } {
  const key = keyOfPath(request);
  const consistency = consistencyOf(queryOf(request, CONSISTENCY_PARAMETERS));
  refuseHeader(request.headers, "if-match");
  return { key, consistency };
}

function shown(
  door: Door,
  request: Request,
  consistency: Consistency,
  read: ServedRead,
): Response {
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
