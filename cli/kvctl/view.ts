/**
 * What each node says of itself and of the cluster: `GET /v1/cluster`, asked of one node at a time.
 *
 * @module
 */

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
  readonly members: readonly { readonly id: string; readonly url: string }[];
  readonly replicas: readonly {
    readonly group: string;
    readonly role: string;
    readonly term: number;
    readonly leader: string | null;
    readonly lastIndex: number;
    readonly commitIndex: number;
    readonly appliedIndex: number;
    readonly stateHash: HashSample;
  }[];
}

/** A node's view, or why there is none. */
export type Asked = { readonly view: View } | { readonly why: string };

/** Asks one node, once. */
export async function askView(url: string, timeoutMs: number): Promise<Asked> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), timeoutMs);
  try {
    const response = await fetch(`${url}/v1/cluster`, { redirect: "manual", signal: limit.signal });
    const text = await response.text();
    if (!response.ok) return { why: `answered ${response.status}` };
    const view: unknown = JSON.parse(text);
    return isView(view) ? { view } : { why: "answered, but not as a Kvorum node" };
  } catch (error) {
    if (limit.signal.aborted) return { why: `did not answer within ${Math.round(timeoutMs)} ms` };
    if (error instanceof SyntaxError) return { why: "answered, but not as a Kvorum node" };
    return { why: "cannot be reached" };
  } finally {
    clearTimeout(timer);
  }
}

/** Whether the content of an answer is a view, as far as that can be seen without reading all of it. */
export function isView(content: unknown): content is View {
  if (typeof content !== "object" || content === null) return false;
  const { clusterId, node, members, replicas } = content as Record<string, unknown>;
  return typeof clusterId === "string" && typeof node === "string" && Array.isArray(members) &&
    Array.isArray(replicas);
}
