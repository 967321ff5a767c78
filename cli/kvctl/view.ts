/**
 * What each node says of itself and of the cluster: `GET /v1/cluster`, asked of one node at a time.
 *
 * @module
 */
import { pause } from "../pause.ts";
import { CallFailed } from "./client.ts";
import { ROUND_PAUSE_MAX_MS, VIEW_MS } from "./limits.ts";

/** A state hash after applying `index`. */
export interface HashSample {
  readonly index: number;
  readonly hash: string;
}

/** The part of the answer that kvctl uses; `--json` passes on all of it. */
export interface View {
  readonly clusterId: string;
  readonly node: string;
  readonly leader: string | null;
  readonly members: readonly {
    readonly id: string;
    readonly url: string;
    readonly peer: string;
    readonly role: string;
  }[];
  readonly replicas: readonly {
    readonly group: string;
    readonly role: string;
    readonly term: number;
    readonly leader: string | null;
    readonly lastIndex: number;
    readonly commitIndex: number;
    readonly appliedIndex: number;
    readonly snapshotIndex: number;
    readonly stateHash: HashSample;
    /** What its disk lacks; nodes of earlier versions do not say. */
    readonly damage?: string | null;
  }[];
}

/** A node's view, or why there is none. */
export type Asked = { readonly view: View } | Silence;

interface Silence {
  readonly why: string;
  /** The time given was over before there was an answer. */
  readonly isLate: boolean;
}

/** Asks one node, once. */
export async function askView(url: string, timeoutMs: number): Promise<Asked> {
  const asked = await askText(`${url}/v1/cluster`, timeoutMs);
  if ("why" in asked) return asked;
  if (!asked.ok) return { why: `answered ${asked.status}`, isLate: false };
  try {
    const view: unknown = JSON.parse(asked.text);
    if (isView(view)) return { view };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return { why: "answered, but not as a Kvorum node", isLate: false };
}

/** Asks one node, once, whether it is ready: null if it is, otherwise why not. */
export async function askReady(url: string, timeoutMs: number): Promise<string | null> {
  const asked = await askText(`${url}/readyz`, timeoutMs);
  if ("why" in asked) return asked.why;
  return asked.ok ? null : "is not ready";
}

/** Why a node that answers is not ready, in its own words; null if it is, or does not say. */
export async function askDetail(url: string, timeoutMs: number): Promise<string | null> {
  const asked = await askText(`${url}/readyz`, timeoutMs);
  if ("why" in asked || asked.ok) return null;
  try {
    const { detail } = JSON.parse(asked.text);
    return typeof detail === "string" ? detail : null;
  } catch {
    return null;
  }
}

async function askText(
  url: string,
  timeoutMs: number,
): Promise<Silence | { readonly ok: boolean; readonly status: number; readonly text: string }> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), timeoutMs);
  try {
    const response = await fetch(url, { redirect: "manual", signal: limit.signal });
    return { ok: response.ok, status: response.status, text: await response.text() };
  } catch {
    if (!limit.signal.aborted) return { why: "cannot be reached", isLate: false };
    return { why: `did not answer within ${Math.round(timeoutMs)} ms`, isLate: true };
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The view of whichever of the nodes has seen most of the log: one that is cut off, or was removed, tells
 * of members that are none any more. Asks again until one answers.
 *
 * @throws {CallFailed} if none does in time.
 */
export async function freshestView(urls: readonly string[], timeoutMs: number): Promise<View> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const askMs = Math.max(1, Math.min(VIEW_MS, endMs - performance.now()));
    const asked = await Promise.all(urls.map((url) => askView(url, askMs)));
    const views = asked.flatMap((one) => "view" in one ? [one.view] : []);
    const freshest = freshestOf(views);
    if (freshest !== null) return freshest;
    if (performance.now() + ROUND_PAUSE_MAX_MS >= endMs) {
      const list = asked.map((one, i) => `${urls[i]} ${"why" in one ? one.why : ""}`).join("; ");
      throw new CallFailed("unavailable", null, `no node answered: ${list}`);
    }
    await pause(ROUND_PAUSE_MAX_MS);
  }
}

/** The view that has seen most of the log; null if there is none. */
export function freshestOf(views: readonly View[]): View | null {
  if (views.length === 0) return null;
  return views.reduce((best, view) => commitIndex(view) > commitIndex(best) ? view : best);
}

function commitIndex(view: View): number {
  return Math.max(-1, ...view.replicas.map((replica) => replica.commitIndex));
}

/** Whether the content of an answer is a view, as far as that can be seen without reading all of it. */
export function isView(content: unknown): content is View {
  if (typeof content !== "object" || content === null) return false;
  const { clusterId, node, members, replicas } = content as Record<string, unknown>;
  return typeof clusterId === "string" && typeof node === "string" && Array.isArray(members) &&
    Array.isArray(replicas);
}
