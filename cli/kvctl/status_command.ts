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
import { askDetail, type Asked, askReady, askView, freshestOf, type View } from "./view.ts";

export const statusCommand: Command = {
  name: "status",
  summary: "shows members, roles, terms and indexes, as each node sees them",
  usage: "status [flags]",
  help: `Asks the nodes given, and then the members that these name. A node that does not answer is
shown with the reason, and "removed" is the role of one that is no member by the view of whoever has seen
most of the log. Exits with 1 if no node answers, or none that does knows a leader.

  --wait  returns when every member by that view is ready; --timeout is ${
    WAIT_DEFAULT_MS / 1000
  }s then`,
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

/** A node, and whether it is a member by the freshest view of its cluster that was given. */
interface Judged extends NodeStatus {
  readonly isMember: boolean;
}

async function status({ args, client, io, json }: Context): Promise<number> {
  const timeoutMs = args.values.has("timeout") ? client.timeoutMs : WAIT_DEFAULT_MS;
  const nodes = args.switches.has("wait")
    ? await waitForAll(client.urls, timeoutMs)
    : await askAll(client.urls, Math.min(VIEW_MS, client.timeoutMs));
  const views = viewsOf(nodes);
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
    for (const line of damages(nodes)) await io.write(`${line}\n`);
    const askMs = Math.min(VIEW_MS, client.timeoutMs);
    for (const line of await absences(nodes, askMs)) await io.write(`${line}\n`);
  }
  return views.some((view) => view.leader !== null) ? EXIT_OK : EXIT_FAILED;
}

/** Asks again and again until all members are ready, under one leader. */
async function waitForAll(urls: readonly string[], timeoutMs: number): Promise<Judged[]> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const askMs = Math.max(1, Math.min(VIEW_MS, endMs - performance.now()));
    const nodes = await askAll(urls, askMs);
    // If no view tells who is a member, all that were asked are in the way.
    const members = nodes.filter(({ isMember }) => isMember);
    const awaited = members.length > 0 ? members : nodes;
    const unready = await Promise.all(awaited.map((node) => whyUnready(node, askMs)));
    const leaders = new Set(awaited.map(({ asked }) => "view" in asked ? asked.view.leader : null));
    const whys = unready.filter((why) => why !== null);
    if (whys.length === 0 && leaders.size === 1 && !leaders.has(null)) return nodes;
    await pause(WAIT_POLL_MS);
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

/** Asks `urls`, then the members that the answers name under their own addresses, until all are asked. */
async function askAll(urls: readonly string[], timeoutMs: number): Promise<Judged[]> {
  const ask = async (url: string) => ({ url, asked: await askView(url, timeoutMs) });
  const first = await Promise.all(urls.map(ask));
  const nodes = new Map<string, NodeStatus>();
  for (const { url, asked } of first) {
    if ("view" in asked) nodes.set(asked.view.node, { id: asked.view.node, url, asked });
  }
  const memberUrls = new Set<string>();
  for (;;) {
    const others = new Map<string, string>();
    for (const { id, url } of viewsOf([...nodes.values()]).flatMap((view) => view.members)) {
      memberUrls.add(url);
      if (!nodes.has(id)) others.set(id, url);
    }
    if (others.size === 0) break;
    // Their views may name further members: a node that was removed long ago knows only the old ones.
    const asked = [...others].map(async ([id, url]) => ({ id, ...await ask(url) }));
    for (const node of await Promise.all(asked)) nodes.set(node.id, node);
  }
  const strangers = first
    .filter(({ url, asked }) => !("view" in asked) && !memberUrls.has(url))
    .map(({ url, asked }) => ({ id: null, url, asked }));
  const byId = (a: NodeStatus, b: NodeStatus) =>
    (a.id ?? "").localeCompare(b.id ?? "", "en", { numeric: true });
  return judge([...[...nodes.values()].sort(byId), ...strangers]);
}

function judge(nodes: readonly NodeStatus[]): Judged[] {
  const views = viewsOf(nodes);
  return nodes.map((node) => {
    const { id, asked } = node;
    // Indexes of different clusters say nothing about each other.
    const ofCluster = "view" in asked
      ? views.filter((view) => view.clusterId === asked.view.clusterId)
      : views;
    const isMember = freshestOf(ofCluster)?.members.some((member) => member.id === id) ?? false;
    return { ...node, isMember };
  });
}

function viewsOf(nodes: readonly NodeStatus[]): View[] {
  return nodes.flatMap(({ asked }) => "view" in asked ? [asked.view] : []);
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

function table(nodes: readonly Judged[]): string {
  const rows = nodes.flatMap(({ id, url, asked, isMember }) => {
    const silent = (why: string) => [[id ?? "?", url, why, ...head.slice(3).map(() => "-")]];
    if (!("view" in asked)) return silent(asked.why);
    const { replicas } = asked.view;
    if (replicas.length === 0) return silent("no replica");
    return replicas.map((replica) => row(id ?? "?", url, roleOf(replica, isMember), replica));
  });
  return formatTable([head, ...rows]);
}

function roleOf({ role, damage }: View["replicas"][number], isMember: boolean): string {
  if (!isMember) return "removed";
  return damage ? "damaged" : role;
}

/** What each damaged replica lacks, a line each. */
function damages(nodes: readonly Judged[]): string[] {
  return nodes.flatMap(({ id, url, asked }) => {
    const replicas = "view" in asked ? asked.view.replicas : [];
    return replicas.flatMap(({ damage }) => damage ? [`${id ?? url} is damaged: ${damage}`] : []);
  });
}

/** Why nodes that answer have no replica, a line each: their data do not read back, or are still being read. */
async function absences(nodes: readonly Judged[], timeoutMs: number): Promise<string[]> {
  const absent = nodes.filter(({ asked }) => "view" in asked && asked.view.replicas.length === 0);
  return await Promise.all(absent.map(async ({ id, url }) => {
    const detail = await askDetail(url, timeoutMs);
    return `${id ?? url} has no replica running: ${detail ?? "it does not say why"}`;
  }));
}

function row(id: string, url: string, role: string, replica: View["replicas"][number]): string[] {
  return [
    id,
    url,
    role,
    String(replica.term),
    replica.leader ?? "-",
    String(replica.snapshotIndex),
    String(replica.lastIndex),
    String(replica.commitIndex),
    String(replica.appliedIndex),
    `${replica.stateHash.hash.slice(0, 8)}@${replica.stateHash.index}`,
  ];
}
