/**
 * Whether the cluster serves writes, found out over HTTP and without writing any key.
 *
 * @module
 */
import { READY_POLL_MS, READY_PROBE_MS, READY_STRAGGLERS_MS } from "../limits.ts";
import { pause } from "../pause.ts";

/** What one node said of itself. */
export interface Probe {
  readonly id: string;
  readonly ready: boolean;
  /** The leader that the node knows. */
  readonly leader: string | null;
  /** Why it is not ready, in its own words or those of the failed question. */
  readonly detail: string;
}

/** The names of the nodes that do not serve yet, and why; empty once the cluster is whole. */
export type Waiting = readonly Probe[];

/**
 * Judges a round of answers: `"ready"` if all nodes serve under one leader, `"quorum"` if enough of
 * them do for writes to be taken, `"waiting"` otherwise.
 */
export function judge(probes: readonly Probe[]): "ready" | "quorum" | "waiting" {
  const ready = probes.filter((probe) => probe.ready);
  const followersOf = (leader: string) => ready.filter((probe) => probe.leader === leader).length;
  const leaders = ready.filter((probe) => probe.leader === probe.id);
  const following = Math.max(0, ...leaders.map((leader) => followersOf(leader.id)));
  if (following === probes.length) return "ready";
  return following > probes.length / 2 ? "quorum" : "waiting";
}

/**
 * Asks all nodes until the cluster serves writes. If a quorum does and the others do not follow
 * within a while, that is enough.
 *
 * @returns the nodes that do not serve, or null if `signal` ended the wait.
 */
export async function untilReady(
  nodes: readonly { readonly id: string; readonly url: string }[],
  signal: AbortSignal,
  onRound: (waiting: Waiting) => void,
): Promise<Waiting | null> {
  let quorumSinceMs: number | null = null;
  while (!signal.aborted) {
    const probes = await Promise.all(nodes.map((node) => probe(node.id, node.url, signal)));
    const verdict = judge(probes);
    const waiting = probes.filter((probe) => !probe.ready);
    if (verdict === "ready") return waiting;
    if (verdict === "waiting") quorumSinceMs = null;
    else quorumSinceMs ??= performance.now();
    const quorumMs = quorumSinceMs === null ? 0 : performance.now() - quorumSinceMs;
    if (quorumMs >= READY_STRAGGLERS_MS) return waiting;
    onRound(waiting);
    await pause(READY_POLL_MS, signal);
  }
  return null;
}

async function probe(id: string, url: string, signal: AbortSignal): Promise<Probe> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(READY_PROBE_MS)]);
  try {
    const readiness = await fetch(`${url}/readyz`, { signal: bounded });
    const text = await readiness.text();
    if (!readiness.ok) return { id, ready: false, leader: null, detail: problemDetail(text) };
    const status = await fetch(`${url}/v1/cluster`, { signal: bounded });
    const { leader } = await status.json();
    return leader === null
      ? { id, ready: false, leader: null, detail: "knows no leader" }
      : { id, ready: true, leader, detail: "" };
  } catch (error) {
    return { id, ready: false, leader: null, detail: describeFailure(error) };
  }
}

function describeFailure(error: unknown): string {
  // fetch reports a refused or broken connection as a TypeError, the time limit as a DOMException.
  if (error instanceof TypeError) return "does not answer yet";
  if (error instanceof DOMException) return `did not answer within ${READY_PROBE_MS} ms`;
  return "gives an answer that cannot be read";
}

/** The reason in a problem+json answer. */
function problemDetail(text: string): string {
  try {
    const { detail, title } = JSON.parse(text);
    return String(detail ?? title);
  } catch {
    return "says that it is not ready";
  }
}
