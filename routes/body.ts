/**
 * Reads request bodies under a cap, and JSON strictly. A body that is too large is refused before it is
 * read, or, when its length was not announced, as soon as the cap is passed.
 *
 * Not here: how long a body may take, and how many may be read at a time (bodies.ts).
 *
 * @module
 */
import { HttpProblem } from "./problem.ts";

// A byte order mark is dropped (RFC 8259 section 8.1 lets a parser do so); bytes that are not UTF-8 throw.
const UTF8 = new TextDecoder("utf-8", { fatal: true });

const JSON_TYPE = /^(?:application\/json|[^\s;/]+\/[^\s;/]+\+json)[ \t]*(?:;|$)/i;
const CHARSET = /;[ \t]*charset="?([^\s;"]*)/i;

/**
 * The length that a request announces for its body; null if it announces none.
 *
 * @throws {HttpProblem} `too-large` over `bytesMax`; `unsupported-media-type` when the body is compressed;
 * `bad-header` when the length is no number, or stands there twice.
 */
export function announcedBytes(headers: Headers, bytesMax: number): number | null {
  const coding = headers.get("content-encoding");
  if (coding !== null) {
    throw new HttpProblem(
      "unsupported-media-type",
      `Bodies are taken as they are, without a Content-Encoding, not as "${coding}".`,
    );
  }
  const announced = headers.get("content-length");
  if (announced === null) {
    const transfer = headers.get("transfer-encoding");
    if (transfer === null || transfer.toLowerCase() === "chunked") return null;
    // The server undoes the chunks only, and would hand on what is compressed inside them.
    throw new HttpProblem(
      "unsupported-media-type",
      `Bodies are taken chunked at most, not with the Transfer-Encoding "${transfer}".`,
    );
  }
  if (!/^\d+$/.test(announced)) {
    throw new HttpProblem("bad-header", "Content-Length is not a decimal number.");
  }
  if (Number(announced) > bytesMax) throw tooLarge(bytesMax);
  return Number(announced);
}

/**
 * Reads the whole body, of the length that {@linkcode announcedBytes} gave.
 *
 * @throws {HttpProblem} `too-large` over `bytesMax`; `bad-request` when the client broke off.
 */
export function readBody(
  request: Request,
  announced: number | null,
  bytesMax: number,
): Promise<Uint8Array> {
  return announced === null ? readCounting(request, bytesMax) : readAnnounced(request, bytesMax);
}

/**
 * Whether the body is JSON by its Content-Type: `application/json`, or a type that ends in `+json`.
 *
 * @throws {HttpProblem} `unsupported-media-type` for JSON in a charset other than UTF-8.
 */
export function isJsonBody(headers: Headers): boolean {
  const type = headers.get("content-type");
  if (type === null || !JSON_TYPE.test(type)) return false;
  const charset = CHARSET.exec(type);
  if (charset === null || charset[1].toLowerCase() === "utf-8") return true;
  throw new HttpProblem("unsupported-media-type", "JSON is taken in UTF-8.");
}

/**
 * Parses JSON (RFC 8259). An object's last member wins among those of one name; a member `__proto__`
 * is a member like any other.
 *
 * @throws {HttpProblem} `bad-json` for bytes that are not UTF-8, text that is not JSON, more than
 * `depthMax` levels of arrays and objects, or a number beyond a double's range.
 */
export function parseJson(body: Uint8Array, depthMax: number): unknown {
  let text: string;
  try {
    text = UTF8.decode(body);
  } catch {
    throw new HttpProblem("bad-json", "The body is not UTF-8.");
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new HttpProblem("bad-json", "The body is not JSON.");
  }
  checkJson(value, depthMax);
  return value;
}

/** Hot path. The server's own reading is the fastest there is, and it reads no more than was announced. */
function readAnnounced(request: Request, bytesMax: number): Promise<Uint8Array> {
  return request.bytes().then((body) => {
    // Under HTTP/1.1 and HTTP/2 the server enforces the announced length. A Request made by hand does not.
    if (body.byteLength > bytesMax) throw tooLarge(bytesMax);
    return body;
  }, () => {
    throw brokenOff();
  });
}

async function readCounting(request: Request, bytesMax: number): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array(0);
  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    let next: ReadableStreamReadResult<Uint8Array>;
    try {
      next = await reader.read();
    } catch {
      throw brokenOff();
    }
    if (next.done) break;
    bytes += next.value.byteLength;
    if (bytes > bytesMax) {
      // What became of the sender is not ours to wait for.
      reader.cancel().catch(() => {});
      throw tooLarge(bytesMax);
    }
    chunks.push(next.value);
  }
  if (chunks.length === 1) return chunks[0];
  const body = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.byteLength;
  }
  return body;
}

function checkJson(value: unknown, depthLeft: number): void {
  if (typeof value === "number") {
    // JSON.parse makes Infinity of 1e999: it would be stored as another value than was sent.
    if (!Number.isFinite(value)) {
      throw new HttpProblem("bad-json", "A number lies beyond the range of a double.");
    }
    return;
  }
  if (typeof value !== "object" || value === null) return;
  if (depthLeft === 0) throw new HttpProblem("bad-json", "Arrays and objects are nested too deep.");
  if (Array.isArray(value)) {
    for (const item of value) checkJson(item, depthLeft - 1);
  } else {
    for (const item of Object.values(value)) checkJson(item, depthLeft - 1);
  }
}

function tooLarge(bytesMax: number): HttpProblem {
  return new HttpProblem("too-large", `The body is larger than ${bytesMax} bytes.`);
}

function brokenOff(): HttpProblem {
  return new HttpProblem("bad-request", "The body ended early.");
}
