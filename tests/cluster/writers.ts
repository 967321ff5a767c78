/**
 * Clients that count: each adds one to a counter, over and over, and keeps a tally of what it was
 * told, so that a test can hold the counter's final value against it.
 *
 * @module
 */
import { assertLessOrEqual } from "@std/assert";
import type { NodeProcess } from "./harness.ts";

/** In place of a status: nobody listened. */
export const REFUSED = -1;
/** In place of a status: the connection broke before the answer. */
export const BROKEN = 0;

/** How long a client that found nobody waits before it tries again. */
const RETRY_MS = 50;
/** How long keyed clients go on after the end to learn what became of their last increment. */
const LAST_WORD_MS = 10_000;

/** What a client was told. */
export interface Tally {
  /** Increments that were answered with 200. */
  acknowledged: number;
  /** Increments whose last word was "unknown", or a connection that broke. */
  unknown: number;
  /** The longest time between two acknowledgements, in ms. */
  gapMs: number;
}

export function emptyTally(): Tally {
  return { acknowledged: 0, unknown: 0, gapMs: 0 };
}

/** The tallies of several clients as one. */
export function total(tallies: readonly Tally[]): Tally {
  return {
    acknowledged: tallies.reduce((sum, tally) => sum + tally.acknowledged, 0),
    unknown: tallies.reduce((sum, tally) => sum + tally.unknown, 0),
    gapMs: Math.max(0, ...tallies.map((tally) => tally.gapMs)),
  };
}

/** Nothing acknowledged is lost, and nothing happened twice. */
export function assertCounted(final: number, tally: Tally): void {
  assertLessOrEqual(tally.acknowledged, final, "an acknowledged increment is lost");
  assertLessOrEqual(final, tally.acknowledged + tally.unknown, "an increment happened twice");
}

/**
 * Sends one increment over a connection of its own; gives the status, REFUSED or BROKEN. Not with
 * `fetch`, which sends a request again by itself when a connection breaks: what it then reports is
 * the second attempt, and the first may have been applied.
 */
export async function increment(
  node: NodeProcess,
  key: string,
  idempotencyKey: string | null,
): Promise<number> {
  const body = JSON.stringify({ mutations: [{ type: "sum", key: [key], value: "1" }] });
  const lines = [
    "POST /v1/atomic HTTP/1.1",
    `Host: ${node.config.host}`,
    "Connection: close",
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
  ];
  if (idempotencyKey !== null) lines.push(`Idempotency-Key: ${idempotencyKey}`);
  let connection: Deno.TcpConn;
  try {
    connection = await Deno.connect({ hostname: node.config.host, port: node.config.port });
  } catch {
    return REFUSED;
  }
  try {
    await connection.write(new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n${body}`));
    const answer = await new Response(connection.readable).text();
    const status = /^HTTP\/1\.1 (\d{3}) .*\r\n\r\n/s.exec(answer);
    return status === null ? BROKEN : Number(status[1]);
  } catch {
    return BROKEN;
  } finally {
    try {
      connection.close();
    } catch {
      // Reading it to its end has closed it.
    }
  }
}

/** Whether a client should go on; asked before each increment. */
export type GoesOn = () => boolean;

/** A client that goes on until `endMs` of `performance.now()`. */
export function until(endMs: number): GoesOn {
  return () => performance.now() < endMs;
}

/**
 * Increments under an idempotency key each, going to the next of `nodes()` with the same key until
 * one has said 200: what an application does that must not lose anything.
 */
export async function keyedWriter(
  nodes: () => readonly NodeProcess[],
  key: string,
  first: number,
  goesOn: GoesOn,
): Promise<Tally> {
  const tally = emptyTally();
  let acknowledgedMs = performance.now();
  while (goesOn()) {
    const idempotencyKey = crypto.randomUUID();
    let status = BROKEN;
    let endMs = Infinity;
    for (let tries = 0; status !== 200 && performance.now() < endMs; tries++) {
      const asked = nodes();
      if (asked.length === 0) throw new Error("there is nobody left to write to");
      const isNewRound = tries > 0 && tries % asked.length === 0;
      if (isNewRound) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      status = await increment(asked[(first + tries) % asked.length], key, idempotencyKey);
      if (endMs === Infinity && !goesOn()) endMs = performance.now() + LAST_WORD_MS;
    }
    if (status !== 200) {
      tally.unknown++;
      continue;
    }
    const nowMs = performance.now();
    tally.acknowledged++;
    tally.gapMs = Math.max(tally.gapMs, nowMs - acknowledgedMs);
    acknowledgedMs = nowMs;
  }
  return tally;
}

/**
 * Increments at one node, each sent once: the node's own session keeps it from happening twice.
 *
 * @throws {Error} for an answer that is neither done (200), certainly not done (503) nor unknown (504).
 */
export async function plainWriter(
  node: NodeProcess,
  key: string,
  goesOn: GoesOn,
): Promise<Tally> {
  const tally = emptyTally();
  while (goesOn()) {
    const status = await increment(node, key, null);
    if (status === 200) tally.acknowledged++;
    else if (status === 504 || status === BROKEN) tally.unknown++;
    else if (status === REFUSED) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    else if (status !== 503) throw new Error(`${node.id} answered an increment with ${status}`);
  }
  return tally;
}
