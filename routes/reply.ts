/**
 * Builds every answer of the doors, so that each carries a request id and the same few headers, without
 * a chain of middleware on the hot path.
 *
 * The answers of the hot path are made with a content type alone and get their other headers after that:
 * `Deno.serve` prepares an answer of several headers natively, registers it with the garbage collector,
 * and so takes 3 µs more (docs/decisions/0018-hot-path.md).
 *
 * @module
 */
import type { Backup } from "../actors/service.ts";
import { BACKUP_MEDIA_TYPE } from "../kv/backup_file.ts";
import { type Value, ValueEncoding } from "../kv/types.ts";
import { REQUEST_ID_CHARS_MAX } from "./limits.ts";
import { type HttpProblem, problemBody, PROBLEMS, retryAfterS } from "./problem.ts";
import { type ShownEncoding, showValue } from "./value_json.ts";

const REQUEST_ID = /^[A-Za-z0-9._:/+=@-]+$/;

/**
 * Whoever compresses an answer on its way (`Deno.serve` when told to, a proxy) makes its ETag a weak one,
 * with which If-Match cannot do anything. An answer with an ETag therefore forbids that.
 */
const REVALIDATE_UNCHANGED = "no-cache, no-transform";

const JSON_ANSWER: ResponseInit = { headers: { "content-type": "application/json" } };
const BYTES_ANSWER: ResponseInit = { headers: { "content-type": "application/octet-stream" } };

const NO_HEADERS = {};
const utf8Encoder = new TextEncoder();

/**
 * The length that a GET would have had (RFC 9110, section 8.6): the answer to a HEAD has no body from
 * which the server could tell it, and would claim 0.
 */
function lengthForHead(
  request: Request,
  body: string | Uint8Array,
): { readonly [name: string]: string } {
  return request.method === "HEAD" ? { "content-length": String(byteLength(body)) } : NO_HEADERS;
}

function byteLength(body: string | Uint8Array): number {
  return typeof body === "string" ? utf8Encoder.encode(body).length : body.length;
}

const streamed = new WeakSet<Response>();

/** Whether the answer's body is made as it is read, and has a deadline of its own. */
export function isStreamed(response: Response): boolean {
  return streamed.has(response);
}

export class Replies {
  readonly #idPrefix: string;
  #issued = 0;

  /** @param idPrefix tells this node's ids, in this run of it, from all others. */
  constructor(idPrefix: string) {
    this.#idPrefix = idPrefix;
  }

  /**
   * The id of a request: the client's own `x-request-id` if that is harmless, else the next of a
   * counter. Call it once a request.
   */
  idOf(request: Request): string {
    const given = request.headers.get("x-request-id");
    if (given !== null && given.length <= REQUEST_ID_CHARS_MAX && REQUEST_ID.test(given)) {
      return given;
    }
    this.#issued += 1;
    return this.#idPrefix + this.#issued.toString(36);
  }

  /** An answer without an ETag: `json` is the whole body. */
  json(request: Request, status: number, json: string): Response {
    return new Response(json, {
      status,
      headers: {
        "content-type": "application/json",
        "cache-control": "no-cache",
        "x-content-type-options": "nosniff",
        "x-request-id": this.idOf(request),
        ...lengthForHead(request, json),
      },
    });
  }

  text(request: Request, text: string): Response {
    return new Response(text, {
      headers: {
        "content-type": "text/plain; charset=utf-8",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-request-id": this.idOf(request),
        ...lengthForHead(request, text),
      },
    });
  }

  /** Hot path. What a write of one key's value answers. `versionstamp` is 20 hex digits. */
  written(request: Request, versionstamp: string): Response {
    const response = new Response(`{"versionstamp":"${versionstamp}"}`, JSON_ANSWER);
    const { headers } = response;
    headers.append("etag", `"${versionstamp}"`);
    headers.append("x-content-type-options", "nosniff");
    headers.append("x-request-id", this.idOf(request));
    return response;
  }

  /** Hot path. What a read of one key answers. */
  value(request: Request, versionstamp: string, value: Value): Response {
    if (value.encoding === ValueEncoding.Bytes) {
      return this.#value(request, versionstamp, BYTES_ANSWER, "bytes", value.data);
    }
    const { encoding, json } = showValue(value);
    return this.#value(request, versionstamp, JSON_ANSWER, encoding, json);
  }

  #value(
    request: Request,
    versionstamp: string,
    answer: ResponseInit,
    encoding: ShownEncoding,
    body: string | Uint8Array,
  ): Response {
    const response = new Response(body as BodyInit, answer);
    const { headers } = response;
    headers.append("etag", `"${versionstamp}"`);
    headers.append("cache-control", REVALIDATE_UNCHANGED);
    headers.append("x-content-type-options", "nosniff");
    headers.append("x-kvorum-encoding", encoding);
    headers.append("x-request-id", this.idOf(request));
    // As lengthForHead does it for answers that are not of the hot path.
    if (request.method === "HEAD") headers.append("content-length", String(byteLength(body)));
    return response;
  }

  notModified(request: Request, versionstamp: string): Response {
    return new Response(null, {
      status: 304,
      headers: {
        "etag": `"${versionstamp}"`,
        "cache-control": REVALIDATE_UNCHANGED,
        "x-content-type-options": "nosniff",
        "x-request-id": this.idOf(request),
      },
    });
  }

  /** A copy of the whole state. If it fails on its way, the connection is ended within the body. */
  backup(request: Request, { stateHash, body }: Backup): Response {
    const response = new Response(body, {
      headers: {
        "content-type": BACKUP_MEDIA_TYPE,
        "content-disposition": `attachment; filename="kvorum-${stateHash.index}.backup"`,
        "cache-control": "no-store, no-transform",
        "x-content-type-options": "nosniff",
        "x-kvorum-index": String(stateHash.index),
        "x-kvorum-state-hash": stateHash.hash,
        "x-request-id": this.idOf(request),
      },
    });
    streamed.add(response);
    return response;
  }

  /** What happens, as long as anybody listens (server-sent events). */
  events(request: Request, body: ReadableStream<Uint8Array>): Response {
    const response = new Response(body, {
      headers: {
        "content-type": "text/event-stream",
        "cache-control": "no-store, no-transform",
        // Nginx, which otherwise gathers what it passes on, heeds this.
        "x-accel-buffering": "no",
        "x-content-type-options": "nosniff",
        "x-request-id": this.idOf(request),
      },
    });
    streamed.add(response);
    return response;
  }

  /** @param requestId from `idOf`, so that a log line and the answer carry the same. */
  problem(requestId: string, problem: HttpProblem): Response {
    const seconds = retryAfterS(problem.code);
    const body = problemBody(problem.code, problem.message, requestId);
    return new Response(body, {
      status: PROBLEMS[problem.code].status,
      headers: {
        "content-type": "application/problem+json",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-request-id": requestId,
        "content-length": String(byteLength(body)),
        ...(seconds === null ? {} : { "retry-after": String(seconds) }),
        ...problem.headers,
      },
    });
  }
}
