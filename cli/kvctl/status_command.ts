/**
 * `kvctl status`: every member's own view, side by side.
 *
 * @module
 */
import { EXIT_FAILED, EXIT_OK } from "../exit_codes.ts";
import { pause } from "../pause.ts";
import { formatTable } from "../table.ts";
import type { Command, Context } from "./command.ts";
import { CommandFailed } from "./failure.ts";
import { ROUND_MIN_MS, VIEW_MS, WAIT_DEFAULT_MS, WAIT_POLL_MS } from "./limits.ts";
import { type Asked, askReady, askView, type View } from "./view.ts";

export const statusCommand: Command = {
  name: "status",
  summary: "shows members, roles, terms and indexes, as each node sees them",
  usage: "status [flags]",
  help: `Asks the nodes given, and then the members that these name. A node that does not answer is
shown with the reason. Exits with 1 if no node answers, or none that does knows a leader.

  --wait  returns when every member is ready; --timeout is ${WAIT_DEFAULT_MS / 1000}s then`,
  flags: { switches: ["wait"] },
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

async function status({ args, client, io, json }: Context): Promise<number> {
  const timeoutMs = args.values.has("timeout") ? client.timeoutMs : WAIT_DEFAULT_MS;
  const nodes = args.switches.has("wait")
    ? await waitForAll(client.urls, timeoutMs)
    : await askAll(client.urls, Math.min(VIEW_MS, client.timeoutMs));
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

/** Asks again and again until all members are ready, under one leader. */
async function waitForAll(urls: readonly string[], timeoutMs: number): Promise<NodeStatus[]> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const askMs = Math.max(1, Math.min(VIEW_MS, endMs - performance.now()));
    const nodes = await askAll(urls, askMs);
    const unready = await Promise.all(nodes.map((node) => whyUnready(node, askMs)));
    const leaders = new Set(nodes.map(({ asked }) => "view" in asked ? asked.view.leader : null));
    const whys = unready.filter((why) => why !== null);
    if (whys.length === 0 && leaders.size === 1 && !leaders.has(null)) return nodes;
    await pause(WAIT_POLL_MS, new AbortController().signal);
    // A round that the end cuts short would say less than this one.
    if (endMs - performance.now() < ROUND_MIN_MS) {
      const why = whys.length > 0 ? whys.join("; ") : "the members do not agree on a leader";
      throw new CommandFailed(
        "not-in-time",
        null,
        `not all are ready after ${timeoutMs} ms: ${why}`,
      );
    }
  }
}

async function whyUnready({ id, url, asked }: NodeStatus, askMs: number): Promise<string | null> {
  const why = "view" in asked ? await askReady(url, askMs) : asked.why;
  return why === null ? null : `${id ?? url} ${why}`;
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

const head = [
  "node",
  "url",
  "role",
  "term",
  "leader",
  "snapshot",
  "last",
  "commit",
  "applied",
  "state hash",
];

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
    String(replica.snapshotIndex),
    String(replica.lastIndex),
    String(replica.commitIndex),
    String(replica.appliedIndex),
    `${replica.stateHash.hash.slice(0, 8)}@${replica.stateHash.index}`,
  ];
}
