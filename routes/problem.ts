/**
 * What HTTP makes of everything that can go wrong: the stable codes, and the one place that maps the
 * outcomes of actors/outcomes.ts and the refusals of the state machine to them. The bodies are problem
 * details (RFC 9457).
 *
 * It logs nothing itself and never shows an error's stack or an unknown error's text to a client.
 *
 * @module
 */
import {
  AdminRefused,
  AheadOfCluster,
  Draining,
  NoLeader,
  NotCaughtUp,
  NotServing,
  OutcomeUnknown,
  Overloaded,
  StorageExhausted,
  TooStale,
} from "../actors/outcomes.ts";
import type { RefusalCode } from "../kv/types.ts";
import { RETRY_LATER_S, RETRY_SOON_S } from "./limits.ts";

interface Kind {
  readonly status: number;
  readonly title: string;
  /** Seconds for `Retry-After`. Only on codes that say: certainly not applied. */
  readonly retryAfterS?: number;
}

/** Every code that a client can meet. A code keeps its meaning and its status for good. */
export const PROBLEMS = {
  "bad-key": { status: 400, title: "The key is not well formed" },
  "bad-query": { status: 400, title: "The query is not understood" },
  "bad-header": { status: 400, title: "A header is not understood" },
  "bad-json": { status: 400, title: "The body is not the JSON that is taken here" },
  "bad-request": { status: 400, title: "The body does not describe a request" },
  "bad-value": { status: 400, title: "The value is not well formed" },
  "sum-type-mismatch": { status: 400, title: "The stored value is of another type" },
  "sum-out-of-range": { status: 400, title: "The result lies outside its bounds" },
  "not-found": { status: 404, title: "There is no such key" },
  "unknown-member": { status: 404, title: "There is no such member" },
  "no-such-route": { status: 404, title: "There is nothing at this address" },
  "method-not-allowed": { status: 405, title: "The address does not take this method" },
  "request-timeout": { status: 408, title: "The request took too long to arrive" },
  "member-exists": { status: 409, title: "The member is there already" },
  "address-in-use": { status: 409, title: "Another member has this address" },
  "last-voter": { status: 409, title: "Nobody would be left to vote" },
  "quorum-unreachable": { status: 409, title: "Those left to vote cannot be reached" },
  "change-in-progress": { status: 409, title: "Another change of members is in progress" },
  "wrong-cluster": { status: 409, title: "This is another cluster" },
  "transfer-in-progress": { status: 409, title: "Leadership is being transferred" },
  "not-a-voter": { status: 409, title: "The member does not vote" },
  "target-unreachable": { status: 409, title: "The member cannot be reached" },
  "target-lagging": { status: 409, title: "The member lags too far behind" },
  "transfer-failed": { status: 409, title: "The member did not take over in time" },
  "ahead-of-cluster": { status: 409, title: "The cluster has not come so far" },
  "snapshot-in-progress": { status: 409, title: "A snapshot is being taken" },
  "precondition-failed": { status: 412, title: "The precondition does not hold" },
  "too-large": { status: 413, title: "The request is too large" },
  "unsupported-media-type": { status: 415, title: "The body is in a form that is not taken here" },
  "idempotency-key-reused": {
    status: 422,
    title: "The Idempotency-Key was used for another write",
  },
  "internal": { status: 500, title: "The node failed to answer" },
  "no-leader": { status: 503, title: "The cluster has no leader", retryAfterS: RETRY_SOON_S },
  "overloaded": { status: 503, title: "The node has too much to do", retryAfterS: RETRY_SOON_S },
  "draining": { status: 503, title: "The node is shutting down", retryAfterS: RETRY_SOON_S },
  "not-serving": { status: 503, title: "The node cannot serve now", retryAfterS: RETRY_SOON_S },
  "too-stale": {
    status: 503,
    title: "The replica's state may be too old",
    retryAfterS: RETRY_SOON_S,
  },
  "not-caught-up": {
    status: 503,
    title: "The replica has not caught up in time",
    retryAfterS: RETRY_SOON_S,
  },
  "storage-full": { status: 503, title: "The node's disk is full", retryAfterS: RETRY_LATER_S },
  "idempotency-full": {
    status: 503,
    title: "The store remembers as many idempotency keys as it can",
    retryAfterS: RETRY_LATER_S,
  },
  "outcome-unknown": { status: 504, title: "Whether it was done is not known" },
} as const satisfies Record<string, Kind>;

export type ProblemCode = keyof typeof PROBLEMS;

/** An answer other than the one asked for, on its way to the client. `message` is shown as `detail`. */
export class HttpProblem extends Error {
  override readonly name = "HttpProblem";
  readonly code: ProblemCode;
  /** Further headers of the answer. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ProblemCode, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail);
    this.code = code;
    this.headers = headers;
  }
}

/** The problem of a known address that does not take the method; these are the ones it takes. */
export function methodNotAllowed(allowed: readonly string[]): HttpProblem {
  const allow = allowed.join(", ");
  return new HttpProblem("method-not-allowed", `The address takes ${allow}.`, { allow });
}

/** The problem that an outcome of a call comes to, or null for an error that is no outcome. */
export function problemOf(error: unknown): HttpProblem | null {
  if (error instanceof HttpProblem) return error;
  if (error instanceof NoLeader) {
    return new HttpProblem("no-leader", "No leader was found in time; nothing was done.");
  }
  if (error instanceof Overloaded) {
    return new HttpProblem(
      "overloaded",
      "Too much of this is under way already; nothing was done.",
    );
  }
  if (error instanceof Draining) {
    return new HttpProblem("draining", "The node takes no new requests; nothing was done.");
  }
  if (error instanceof NotServing) {
    // Why it cannot, a client may know: a node that was removed will never serve it again.
    const why = error.message || "The node cannot serve this now";
    return new HttpProblem("not-serving", `${why}; nothing was done.`);
  }
  if (error instanceof AdminRefused) return new HttpProblem(error.reason, error.message);
  if (error instanceof TooStale) {
    return new HttpProblem(
      "too-stale",
      "This replica cannot vouch that its state is as fresh as maxStalenessMs or a watch asks.",
    );
  }
  if (error instanceof NotCaughtUp) {
    return new HttpProblem(
      "not-caught-up",
      "This replica had not applied what min or since names when the deadline passed.",
    );
  }
  if (error instanceof AheadOfCluster) {
    return new HttpProblem(
      "ahead-of-cluster",
      "This cluster has not come to the versionstamp that the watch is to go on from: it is one of another " +
        "cluster, or of this one before a restore or a recovery. Begin without it.",
    );
  }
  if (error instanceof StorageExhausted) {
    return new HttpProblem(
      "storage-full",
      "The node's disk is full, and it takes nothing but deletes; nothing was done.",
    );
  }
  if (error instanceof OutcomeUnknown) {
    return new HttpProblem(
      "outcome-unknown",
      "The write was proposed, and the deadline passed before its result was known. It may have " +
        "been applied, or still be. A retry is safe under the same Idempotency-Key.",
    );
  }
  return null;
}

/** The problem that a refusal by the state machine comes to. A refused write changed nothing. */
export function problemOfRefusal(code: RefusalCode, message: string): HttpProblem {
  // A replica that does not understand what this very version wrote is a fault of ours, not the client's.
  if (code === "malformed") throw new Error(`a command was refused as malformed: ${message}`);
  return new HttpProblem(code, message);
}

/** The body of the answer. */
export function problemBody(code: ProblemCode, detail: string, requestId: string): string {
  const { status, title } = PROBLEMS[code];
  return JSON.stringify({
    type: `urn:kvorum:problem:${code}`,
    title,
    status,
    detail,
    code,
    requestId,
  });
}

/** Seconds for `Retry-After`, or null. */
export function retryAfterS(code: ProblemCode): number | null {
  const kind: Kind = PROBLEMS[code];
  return kind.retryAfterS ?? null;
}
