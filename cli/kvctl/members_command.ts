/**
 * `kvctl members`: who is a member, and changes to that.
 *
 * @module
 */
import { UsageError } from "../args.ts";
import { EXIT_OK } from "../exit_codes.ts";
import { isMember, type Member } from "../members_file.ts";
import { parseAddress } from "../node_addresses.ts";
import { pause } from "../pause.ts";
import { hostAndPort, isNodeId, parseOrigin } from "../peers.ts";
import { formatTable } from "../table.ts";
import { type Answer, answerJson, CallFailed, jsonCall } from "./client.ts";
import type { Command, Context } from "./command.ts";
import { CommandFailed } from "./failure.ts";
import { ROUND_MIN_MS, WAIT_DEFAULT_MS, WAIT_POLL_MS } from "./limits.ts";
import { freshestView, type View } from "./view.ts";

export const membersCommand: Command = {
  name: "members",
  summary: "shows who is a member; adds, removes and replaces members",
  usage: "members [list | add ID | remove ID | replace OLD NEW] [flags]",
  help: `A member is voter, learner, joining (a learner on its way to voter) or leaving.
"add" and "replace" tell the cluster of a node that is about to start; "task node --join" does that by
itself. "replace" puts NEW in OLD's place in one step, as soon as it has caught up. "remove" returns when
ID is out for good. Changes are made one at a time: a second one is refused with change-in-progress.

  --peer HOST:PORT   add, replace: where the other nodes reach the new one
  --member-url URL   add, replace: where clients reach it (--url says where the cluster is)
  --role ROLE        add: voter (the default) or learner
  --wait ID          list: returns when ID is voter or learner, for good; --timeout is ${
    WAIT_DEFAULT_MS / 1000
  }s then`,
  flags: { values: ["peer", "member-url", "role", "wait"] },
  positionalsMin: 0,
  positionalsMax: 3,
  run: members,
};

/** Where to see whether a change came through, for one whose answer was lost. */
const LOOK_AT = "kvctl members";

function members(context: Context): Promise<number> {
  const [verb = "list", ...ids] = context.args.positionals;
  requireFlags(context, verb);
  for (const id of ids) {
    if (!isNodeId(id)) throw new UsageError([`${JSON.stringify(id)} is no node's id`]);
  }
  if (verb === "list" && ids.length === 0) return list(context);
  if (verb === "add" && ids.length === 1) return add(context, ids[0], null);
  if (verb === "replace" && ids.length === 2) return add(context, ids[1], ids[0]);
  if (verb === "remove" && ids.length === 1) return remove(context, ids[0]);
  throw new UsageError([`usage: kvctl ${membersCommand.usage}`]);
}

const flagsOf: Readonly<Record<string, readonly string[]>> = {
  list: ["wait"],
  add: ["peer", "member-url", "role"],
  replace: ["peer", "member-url"],
  remove: [],
};

/** A flag of another verb would be dropped in silence. */
function requireFlags({ args }: Context, verb: string): void {
  const known = flagsOf[verb];
  if (known === undefined) throw new UsageError([`usage: kvctl ${membersCommand.usage}`]);
  const strange = membersCommand.flags.values?.filter((flag) =>
    args.values.has(flag) && !known.includes(flag)
  );
  if (strange?.length) throw new UsageError([`members ${verb} takes no --${strange.join(", --")}`]);
}

async function list(context: Context): Promise<number> {
  const id = context.args.values.get("wait");
  const view = id === undefined
    ? await freshestView(context.client.urls, context.client.timeoutMs)
    : await waitFor(context, id);
  return await print(context, view.members, { clusterId: view.clusterId, leader: view.leader });
}

/** Waits until `id` is what it is to be. */
async function waitFor({ args, client }: Context, id: string): Promise<View> {
  if (!isNodeId(id)) throw new UsageError([`--wait takes a node's id, not ${JSON.stringify(id)}`]);
  const timeoutMs = args.values.has("timeout") ? client.timeoutMs : WAIT_DEFAULT_MS;
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const view = await freshestView(client.urls, endMs - performance.now());
    const role = view.members.find((member) => member.id === id)?.role;
    if (role === "voter" || role === "learner") return view;
    await pause(WAIT_POLL_MS);
    if (endMs - performance.now() < ROUND_MIN_MS) {
      const why = role === undefined ? `${id} is no member yet` : `${id} is still ${role}`;
      throw new CommandFailed("not-in-time", null, `${why} after ${timeoutMs} ms`);
    }
  }
}

async function add(context: Context, id: string, replaces: string | null): Promise<number> {
  const { args, client } = context;
  const peer = parseAddress(required(context, "peer"));
  const url = parseOrigin(required(context, "member-url"));
  const role = args.values.get("role") ?? "voter";
  const problems: string[] = [];
  if (peer === null) problems.push(`--peer takes HOST:PORT, not ${args.values.get("peer")}`);
  if (url === null) {
    problems.push(
      `--member-url takes http:// or https:// and a host, not ${args.values.get("member-url")}`,
    );
  }
  if (role !== "voter" && role !== "learner") {
    problems.push(`--role takes voter or learner, not ${role}`);
  }
  if (replaces === id) {
    problems.push(`${id} cannot take its own place: give the new node another id`);
  }
  if (peer === null || url === null || problems.length > 0) throw new UsageError(problems);
  const request = { id, url, peer: hostAndPort(peer.peerHost, peer.peerPort), role };
  const answer = await client.call(jsonCall(
    "POST",
    "/v1/cluster/members",
    replaces === null ? request : { ...request, replaces },
    LOOK_AT,
  ));
  return await print(context, membersOf(answer));
}

function required({ args }: Context, flag: string): string {
  const value = args.values.get(flag);
  if (value === undefined) throw new UsageError([`--${flag} is missing`]);
  return value;
}

async function remove(context: Context, id: string): Promise<number> {
  const answer = await context.client.call({
    method: "DELETE",
    path: `/v1/cluster/members/${id}`,
    lookAt: LOOK_AT,
  });
  return await print(context, membersOf(answer));
}

type Shown = Member & { readonly role: string };

/** @throws {CallFailed} if the answer is not a node's. */
function membersOf(answer: Answer): readonly Shown[] {
  const { members } = (answerJson(answer) ?? {}) as Record<string, unknown>;
  if (Array.isArray(members) && members.every(isMember)) return members as Shown[];
  throw new CallFailed("unexpected", null, "the answer is not a Kvorum node's list of members");
}

async function print(
  { io, json }: Context,
  members: readonly Shown[],
  rest: Record<string, unknown> = {},
): Promise<number> {
  if (json) {
    await io.write(`${JSON.stringify({ ...rest, members })}\n`);
    return EXIT_OK;
  }
  const rows = members.map(({ id, role, url, peer }) => [id, role, url, peer]);
  await io.write(`${formatTable([["member", "role", "url", "peer"], ...rows])}\n`);
  return EXIT_OK;
}
