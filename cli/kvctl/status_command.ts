/**
 * `kvctl status`: every member's own view, side by side.
 *
 * @module
 */
import { EXIT_FAILED, EXIT_OK } from "../exit_codes.ts";
import { formatTable } from "../table.ts";
import type { Command, Context } from "./command.ts";
import { VIEW_MS } from "./limits.ts";
import { type Asked, askView, type View } from "./view.ts";

export const statusCommand: Command = {
  name: "status",
  summary: "shows members, roles, terms and indexes, as each node sees them",
  usage: "status [flags]",
  help: `Asks the nodes given, and then the members that these name. A node that does not answer is
shown with the reason. Exits with 1 if no node answers, or none that does knows a leader.`,
  flags: {},
  positionalsMin: 0,
  positionalsMax: 0,
  run: status,
};

interface NodeStatus {
  /** Null for an address that no reachable node names as a member's. */
  readonly id: string | null;
  readonly url: string;
  readonly asked: Asked;
}

async function status({ client, io, json }: Context): Promise<number> {
  const timeoutMs = Math.min(VIEW_MS, client.timeoutMs);
  const nodes = await askAll(client.urls, timeoutMs);
  const views = nodes.flatMap(({ asked }) => "view" in asked ? [asked.view] : []);
  if (json) {
    const clusterIds = new Set(views.map((view) => view.clusterId));
    await io.write(`${
      JSON.stringify({
        clusterId: clusterIds.size === 1 ? [...clusterIds][0] : null,
        nodes: nodes.map(({ id, url, asked }) =>
          "view" in asked
            ? { id, url, reachable: true, status: asked.view }
            : { id, url, reachable: false, error: asked.why }
        ),
      })
    }\n`);
  } else {
    for (const id of new Set(views.map((view) => view.clusterId))) {
      await io.write(`cluster ${id}\n`);
    }
    await io.write(`${table(nodes)}\n`);
  }
  return views.some((view) => view.leader !== null) ? EXIT_OK : EXIT_FAILED;
}

/** Asks `urls`, then the members that did not answer there under their own addresses. */
async function askAll(urls: readonly string[], timeoutMs: number): Promise<NodeStatus[]> {
  const ask = async (url: string) => ({ url, asked: await askView(url, timeoutMs) });
  const first = await Promise.all(urls.map(ask));
  const nodes = new Map<string, NodeStatus>();
  const members = new Map<string, string>();
  for (const { url, asked } of first) {
    if (!("view" in asked)) continue;
    nodes.set(asked.view.node, { id: asked.view.node, url, asked });
    for (const member of asked.view.members) members.set(member.id, member.url);
  }
  const others = [...members].filter(([id]) => !nodes.has(id));
  for (
    const node of await Promise.all(others.map(async ([id, url]) => ({ id, ...await ask(url) })))
  ) {
    nodes.set(node.id, node);
  }
  const memberUrls = new Set(members.values());
  const strangers = first
    .filter(({ url, asked }) => !("view" in asked) && !memberUrls.has(url))
    .map(({ url, asked }) => ({ id: null, url, asked }));
  const byId = (a: NodeStatus, b: NodeStatus) =>
    (a.id ?? "").localeCompare(b.id ?? "", "en", { numeric: true });
  return [...[...nodes.values()].sort(byId), ...strangers];
}

const head = ["node", "url", "role", "term", "leader", "last", "commit", "applied", "state hash"];

function table(nodes: readonly NodeStatus[]): string {
  const rows = nodes.flatMap(({ id, url, asked }) => {
    if (!("view" in asked)) return [[id ?? "?", url, asked.why, ...head.slice(3).map(() => "-")]];
    return asked.view.replicas.map((replica) => row(id ?? "?", url, replica));
  });
  return formatTable([head, ...rows]);
}

function row(id: string, url: string, replica: View["replicas"][number]): string[] {
  return [
    id,
    url,
    replica.role,
    String(replica.term),
    replica.leader ?? "-",
    String(replica.lastIndex),
    String(replica.commitIndex),
    String(replica.appliedIndex),
    `${replica.stateHash.hash.slice(0, 8)}@${replica.stateHash.index}`,
  ];
}
