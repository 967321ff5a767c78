/**
 * Requests to a cluster that some node may answer: from one URL to the next until one does.
 *
 * What makes that safe for writes: every attempt carries the same `Idempotency-Key`, under which
 * the cluster applies a write once and gives every copy the first one's result.
 *
 * @module
 */
import { pause } from "../pause.ts";
import { CommandFailed } from "./failure.ts";
import { ROUND_MIN_MS, ROUND_PAUSE_MAX_MS, ROUND_PAUSE_MIN_MS } from "./limits.ts";

/**
 * A request that came to nothing, or to a refusal. Its code is that of the problem, or `unavailable`,
 * `outcome-unknown` or `unexpected` from here.
 */
export class CallFailed extends CommandFailed {
  override readonly name = "CallFailed";
}

/** One request, to whichever node takes it. */
export interface Call {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** Path and query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
  /**
   * For a request that must not be sent again once it may have done its work: where to see whether it
   * has, as the rest of a sentence. All others must be harmless when they are done twice: reads, and writes
   * under an `idempotency-key`.
   */
  readonly lookAt?: string;
  /**
   * Only beside `lookAt`: how long a node that has been sent the request may take over its answer, if that
   * is longer than the client's timeout, which then bounds the attempts to send it.
   */
  readonly answerMs?: number;
  /** Gives the request up, with a {@linkcode CommandFailed} as the reason; also while its answer is read. */
  readonly signal?: AbortSignal;
}

/** A request whose body is JSON. */
export function jsonCall(
  method: "POST" | "DELETE",
  path: string,
  body: unknown,
  lookAt?: string,
): Call {
  return {
    method,
    path,
    headers: { "content-type": "application/json" },
    body: new TextEncoder().encode(JSON.stringify(body)),
    lookAt,
  };
}

/** An answer with a status of 200 to 299. */
export interface Answer {
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
}

/**
 * The JSON of an answer.
 *
 * @throws {CallFailed} if it is none: then it did not come from a Kvorum node.
 */
export function answerJson(answer: Answer): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(answer.body));
  } catch {
    throw new CallFailed("unexpected", null, "the answer is not JSON, as a Kvorum node's would be");
  }
}

/** One attempt's failure that another node may not share. */
interface Passing {
  readonly why: string;
  /** The request may have done its work all the same. */
  readonly mayHaveWorked: boolean;
  /** It was given up by us, for want of time. */
  readonly isCutOff?: boolean;
  readonly retryAfterMs: number;
}

/** The way to a cluster: some of its nodes, and how long a call may take over all of them. */
export class ClusterClient {
  readonly urls: readonly string[];
  readonly timeoutMs: number;
  /** The node that answered last: the first to be asked next. */
  #current = 0;

  /** @param urls origins, at least one. */
  constructor(urls: readonly string[], timeoutMs: number) {
    this.urls = urls;
    this.timeoutMs = timeoutMs;
  }

  /**
   * Asks the nodes in turn, for as long as the timeout allows, until one gives an answer that is not
   * the node's own failure (a status from 500, or no answer).
   *
   * @throws {CallFailed}
   */
  call(call: Call): Promise<Answer> {
    return this.#inTurn(call, readAnswer);
  }

  /** The same for an answer that is read as it comes, which the timeout bounds up to its head only. */
  open(call: Call): Promise<Response> {
    return this.#inTurn(call, (response) => Promise.resolve(response));
  }

  async #inTurn<T>(call: Call, take: (response: Response) => Promise<T>): Promise<T> {
    const endMs = performance.now() + this.timeoutMs;
    const failures = new Map<string, Passing>();
    let mayHaveWorked = false;
    let pauseMs = ROUND_PAUSE_MIN_MS;
    for (;;) {
      let retryAfterMs = 0;
      for (let i = 0; i < this.urls.length; i++) {
        const leftMs = endMs - performance.now();
        // A node that takes the request and never answers (paused, cut off) must leave time to ask others,
        // if others may be asked then.
        if (leftMs <= 0) break;
        const attemptMs = call.lookAt === undefined
          ? leftMs / (this.urls.length - i)
          : Math.max(leftMs, call.answerMs ?? 0);
        const url = this.urls[this.#current];
        const outcome = await attempt(url, call, attemptMs, take);
        if ("taken" in outcome) return outcome.taken;
        // An attempt in what is left of the time says less than one that was answered before it.
        if (!outcome.isCutOff || !failures.has(url)) failures.set(url, outcome);
        mayHaveWorked ||= outcome.mayHaveWorked;
        if (mayHaveWorked && call.lookAt !== undefined) {
          throw gaveUp(call, failures, true, Math.max(this.timeoutMs, call.answerMs ?? 0));
        }
        retryAfterMs = Math.max(retryAfterMs, outcome.retryAfterMs);
        this.#current = (this.#current + 1) % this.urls.length;
      }
      const leftMs = endMs - performance.now();
      // The last pause is a short one: better one more round than a wait for nothing.
      const waitMs = Math.max(retryAfterMs, Math.min(pauseMs, leftMs / 2));
      if (leftMs - waitMs < ROUND_MIN_MS) break;
      await pause(waitMs);
      pauseMs = Math.min(pauseMs * 2, ROUND_PAUSE_MAX_MS);
    }
    throw gaveUp(call, failures, mayHaveWorked && call.method !== "GET", this.timeoutMs);
  }
}

function gaveUp(
  call: Call,
  failures: ReadonlyMap<string, Passing>,
  mayHaveWorked: boolean,
  timeoutMs: number,
): CallFailed {
  const list = [...failures].map(([url, failure]) => `${url} ${failure.why}`).join("; ");
  if (!mayHaveWorked) {
    const message = `no node could serve it within ${timeoutMs} ms; nothing was done: ${list}`;
    return new CallFailed("unavailable", null, message);
  }
  const key = call.headers?.["idempotency-key"];
  const next = key === undefined
    ? `${call.lookAt ?? "a second try"} shows it`
    : `The same command with --idempotency-key ${key} finds out and does it once at most`;
  return new CallFailed(
    "outcome-unknown",
    null,
    `no node could say within ${timeoutMs} ms whether it was done: ${list}. It may have been, or still ` +
      `be. ${next}`,
  );
}

async function readAnswer(response: Response): Promise<Answer> {
  return { headers: response.headers, body: await response.bytes() };
}

/**
 * Asks one node once.
 *
 * @throws {CallFailed} for a refusal that any node would repeat.
 */
async function attempt<T>(
  url: string,
  call: Call,
  timeoutMs: number,
  take: (response: Response) => Promise<T>,
): Promise<{ readonly taken: T } | Passing> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), timeoutMs);
  try {
    const response = await fetch(url + call.path, {
      method: call.method,
      headers: call.headers,
      body: call.body,
      redirect: "manual",
      signal: call.signal ? AbortSignal.any([limit.signal, call.signal]) : limit.signal,
    });
    if (response.ok) return { taken: await take(response) };
    const problem = readProblem(response.status, await response.bytes());
    if (response.status >= 500) {
      return {
        why: `answered ${problem.message}`,
        // A 503 promises that nothing was done.
        mayHaveWorked: response.status !== 503,
        retryAfterMs: readRetryAfter(response.headers),
      };
    }
    throw problem;
  } catch (error) {
    if (error instanceof CommandFailed) throw error;
    if (limit.signal.aborted) {
      const why = `did not answer within ${Math.round(timeoutMs)} ms`;
      return { why, mayHaveWorked: true, isCutOff: true, retryAfterMs: 0 };
    }
    return { ...describeBreak(error), retryAfterMs: 0 };
  } finally {
    clearTimeout(timer);
  }
}

function describeBreak(error: unknown): { why: string; mayHaveWorked: boolean } {
  if (!(error instanceof TypeError)) throw error;
  // Deno 2.9 says only "fetch failed", and why in the cause.
  const text = error.cause instanceof Error ? error.cause.message : error.message;
  // How it words a failure that came before anything was sent. Anything else may have come after.
  if (text.includes("client error (Connect)") || text.includes("are blocked")) {
    return { why: "cannot be reached", mayHaveWorked: false };
  }
  return { why: "broke the connection off", mayHaveWorked: true };
}

/** The error that an answer carries, problem+json (RFC 9457) or not. */
function readProblem(status: number, body: Uint8Array<ArrayBuffer>): CallFailed {
  try {
    const { code, title, detail } = JSON.parse(new TextDecoder().decode(body));
    if (typeof code === "string") {
      return new CallFailed(code, status, `${status} ${code}: ${detail ?? title}`);
    }
  } catch {
    // Not from a Kvorum node: a proxy, perhaps.
  }
  return new CallFailed("unexpected", status, `${status}, and not as a Kvorum node would`);
}

/** How long the node asks to be left alone. Dates, which nodes do not send, count as nothing. */
function readRetryAfter(headers: Headers): number {
  const text = headers.get("retry-after") ?? "";
  return /^\d{1,6}$/.test(text) ? Number(text) * 1000 : 0;
}
