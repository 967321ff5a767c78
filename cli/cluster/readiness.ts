/**
 * Whether the cluster serves writes, found out over HTTP and without writing any key.
 *
 * @module
 */
import { READY_POLL_MS, READY_PROBE_MS, READY_REPORT_MS, READY_STRAGGLERS_MS } from "../limits.ts";
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

/** Who is asked. */
export interface Asked {
  readonly id: string;
  readonly url: string;
}

/** See cli/limits.ts. */
export interface Patience {
  readonly stragglersMs: number;
  readonly reportMs: number;
}

const patienceDefault: Patience = {
  stragglersMs: READY_STRAGGLERS_MS,
  reportMs: READY_REPORT_MS,
};

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
 * Says `cluster ready` once it serves writes; until then, now and then, what is waited for. If a quorum
 * serves and the other nodes do not follow within a while, that is enough.
 *
 * @param signal ends the wait.
 */
export async function announceReady(
  nodes: readonly Asked[],
  signal: AbortSignal,
  say: (text: string) => void,
  patience: Patience = patienceDefault,
): Promise<void> {
  let reportAtMs = performance.now() + patience.reportMs;
  let quorumSinceMs: number | null = null;
  while (!signal.aborted) {
    const probes = await Promise.all(nodes.map((node) => probe(node, signal)));
    if (signal.aborted) return;
    const verdict = judge(probes);
    const nowMs = performance.now();
    quorumSinceMs = verdict === "quorum" ? quorumSinceMs ?? nowMs : null;
    const isLate = quorumSinceMs !== null && nowMs - quorumSinceMs >= patience.stragglersMs;
    if (verdict === "ready" || isLate) {
      say("cluster ready");
      if (verdict === "quorum") say(`a quorum serves, but not all: ${describeMissing(probes)}`);
      return;
    }
    if (nowMs >= reportAtMs) {
      say(`not ready yet: ${describeMissing(probes)}`);
      reportAtMs = nowMs + patience.reportMs;
    }
    await pause(READY_POLL_MS, signal);
  }
}

function describeMissing(probes: readonly Probe[]): string {
  const missing = probes.filter((probe) => !probe.ready);
  if (missing.length === 0) return "the nodes do not agree on a leader";
  return missing.map((probe) => `${probe.id} ${probe.detail}`).join("; ");
}

async function probe({ id, url }: Asked, signal: AbortSignal): Promise<Probe> {
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
  if (error instanceof TypeError) return "does not answer";
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
