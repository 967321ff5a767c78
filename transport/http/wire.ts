/**
 * What HTTP requests between nodes look like: two addresses, two headers, and which status says what.
 *
 * A stream is a session of requests. Its dialler draws the session's id, and numbers the pieces of the
 * stream from 0: a request that comes twice, late or out of turn is known by them. The answer to a piece
 * carries what the other side wrote on its way back.
 *
 * @module
 */
import type { RefusalReason } from "../events.ts";

/** Where a session's pieces are sent. The TCP transport knows a dialler of this one by its first characters. */
export const MESSAGES_PATH = "/v1/peer/messages";
/** Where a session is watched: an answer without an end, which breaks off when its node has gone. */
export const WATCH_PATH = "/v1/peer/watch";

export const PIECE_TYPE = "application/vnd.kvorum.peer";
export const PROBLEM_TYPE = "application/problem+json";

export const SESSION_HEADER = "kvorum-session";
export const SEQUENCE_HEADER = "kvorum-sequence";

const SESSION = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const SEQUENCE = /^(?:0|[1-9]\d{0,14})$/;

/** A session's id, or null if the text is none. */
export function readSession(text: string | null): string | null {
  return text !== null && SESSION.test(text) ? text : null;
}

/** A piece's number, or null if the text is none. */
export function readSequence(text: string | null): number | null {
  return text !== null && SEQUENCE.test(text) ? Number(text) : null;
}

/** What can be wrong with a request, beside the refusals of a handshake. */
export const PROBLEMS = {
  "bad-request": { status: 400, title: "The request is not one of a Kvorum node" },
  "no-such-route": { status: 404, title: "Nothing is at this address" },
  "body-timeout": { status: 408, title: "The body took too long to come" },
  "out-of-order": { status: 409, title: "Another piece of this session comes first" },
  /** The dialler begins another session. */
  "session-ended": { status: 410, title: "There is no such session any more" },
  "too-large": { status: 413, title: "The body is larger than a piece may be" },
  "unsupported-media-type": {
    status: 415,
    title: "The body is not of the type that is taken here",
  },
  "busy": { status: 503, title: "Too much is under way already" },
  "internal": { status: 500, title: "The node failed" },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

export type ProblemCode = keyof typeof PROBLEMS;

/** The status of each refusal of a handshake. */
const REFUSAL_STATUS: Readonly<Partial<Record<RefusalReason, number>>> = {
  "unknown-sender": 403,
  "old-boot": 409,
  "other-data": 409,
  "older-data": 409,
  "wrong-cluster": 421,
  "wrong-recipient": 421,
  "wrong-version": 426,
};

/** The answer to a request that cannot be taken. */
export function problem(code: ProblemCode): Response {
  return problemResponse(code, PROBLEMS[code].status, PROBLEMS[code].title);
}

/** The answer to a dialler that is refused. */
export function refusal(reason: RefusalReason): Response {
  return problemResponse(reason, REFUSAL_STATUS[reason] ?? 400, "This node does not take that one");
}

function problemResponse(code: string, status: number, title: string): Response {
  return new Response(JSON.stringify({ title, status, code }), {
    status,
    headers: { "content-type": PROBLEM_TYPE, "cache-control": "no-store" },
  });
}

/** The code of a problem's body; null if it is none. */
export function readProblemCode(bytes: Uint8Array): string | null {
  try {
    const { code } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    return typeof code === "string" ? code : null;
  } catch {
    return null;
  }
}
