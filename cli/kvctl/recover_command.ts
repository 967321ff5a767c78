/**
 * `kvctl recover`: one node of a cluster that has lost its quorum for good, as a cluster of its own.
 *
 * Beside `restore` the only command that does not speak HTTP: it changes the data of a node that is not
 * running.
 *
 * @module
 */
import { type NodeAddress, nodeId } from "../../raft/types.ts";
import {
  type DataDescription,
  describeData,
  forceNewCluster,
  NoData,
} from "../../storage/offline.ts";
import { UsageError } from "../args.ts";
import { DataDirectory, isLaunched } from "../cluster/data_directory.ts";
import { EXIT_FAILED, EXIT_OK } from "../exit_codes.ts";
import { readMembersFile, writeMembersFile } from "../members_file.ts";
import { parseAddress } from "../node_addresses.ts";
import { hostAndPort, parseOrigin } from "../peers.ts";
import type { Command, Context } from "./command.ts";
import { CommandFailed, messageOf } from "./failure.ts";
import { refuseVolatile } from "./restore_command.ts";

export const recoverCommand: Command = {
  name: "recover",
  summary: "makes a cluster of one out of a stopped node that has lost its quorum for good",
  usage: "recover --force-new-cluster --data DIR [--node ID] [--yes] [flags]",
  help:
    `For when a majority of the voters is gone for good, and a backup is no better. Without --yes it changes
nothing and shows what it finds, so that the survivor with the longest log can be chosen. The node must
be stopped. The new cluster has an id of its own.

What only the lost nodes had is lost, also if it was acknowledged. What this node had and no quorum had
agreed on is kept, also if its client was told that it was not done. If one of the old nodes comes back,
it goes on as the old cluster: make sure that none does.

  --force-new-cluster  says that this is what is meant
  --data DIR           the node's directory, or that of "task cluster" with --node
  --node ID            the node, in a directory of "task cluster"
  --peer HOST:PORT     where other nodes will reach it, if that has changed
  --member-url URL     where clients will, if that has changed
  --yes                does it`,
  flags: {
    values: ["data", "node", "peer", "member-url"],
    switches: ["force-new-cluster", "yes"],
  },
  positionalsMin: 0,
  positionalsMax: 0,
  run: recover,
};

async function recover(context: Context): Promise<number> {
  const { args, io, json } = context;
  if (!args.switches.has("force-new-cluster")) {
    throw new UsageError(["say --force-new-cluster if that is meant"]);
  }
  refuseVolatile(context);
  const target = findTarget(context);
  // No launcher starts the node meanwhile, and none runs.
  using launched = target.launched === null ? null : DataDirectory.open(target.launched);
  const found = await guarded(() => describeData(target.directory));
  const address = addressOf(context, target.directory, found);
  if (!args.switches.has("yes")) {
    if (json) await io.write(`${JSON.stringify({ done: false, found: foundJson(found) })}\n`);
    else {
      await io.write(`${describe(found)}\n${warning}\n`);
      io.complain("kvctl recover: nothing was changed; --yes does it");
    }
    return EXIT_FAILED;
  }
  const clusterId = crypto.randomUUID();
  const { directory } = target;
  const forced = await guarded(() =>
    forceNewCluster({ directory, nodeId: address.id, clusterId, address })
  );
  writeMembersFile(directory, { clusterId, joined: true, founders: [], members: [address] });
  const next = settle(launched, target, clusterId, address);
  if (json) {
    const { index, term } = forced;
    const done = { done: true, clusterId, index, term, found: foundJson(found) };
    await io.write(`${JSON.stringify(done)}\n`);
  } else {
    await io.write(
      `${describe(found)}\nmade ${address.id} the only member of a new cluster, ${clusterId}\n` +
        `start it with: ${next}\n`,
    );
  }
  return EXIT_OK;
}

/** Where the node's data is, and the launcher's directory around it, if there is one. */
interface Target {
  readonly directory: string;
  readonly launched: string | null;
}

function findTarget({ args }: Context): Target {
  const data = args.values.get("data")?.replace(/(?<=.)\/+$/, "");
  const node = args.values.get("node");
  if (data === undefined) throw new UsageError(["--data is missing"]);
  if (node !== undefined) {
    if (!/^n[1-9]$/.test(node)) throw new UsageError([`--node takes n1 to n9, not ${node}`]);
    if (!isLaunched(data)) {
      throw new UsageError([`${data} is no directory of "task cluster": leave --node out`]);
    }
    return { directory: `${data}/${node}`, launched: data };
  }
  if (isLaunched(data)) {
    throw new UsageError([`${data} is a directory of "task cluster": say which --node`]);
  }
  const [, around] = /^(.*)\/n[1-9]$/.exec(data) ?? [];
  const launched = around ?? (/^n[1-9]$/.test(data) ? "." : null);
  return { directory: data, launched: launched !== null && isLaunched(launched) ? launched : null };
}

/** The node's own address: as told, or as its log or its last start had it. */
function addressOf({ args }: Context, directory: string, found: DataDescription): NodeAddress {
  const id = nodeId(found.identity.nodeId);
  const isSelf = (member: { readonly id: string }) => member.id === id;
  const known = found.configuration?.addresses.find(isSelf) ??
    readMembersFile(directory)?.members.find(isSelf);
  const urlText = args.values.get("member-url");
  const peerText = args.values.get("peer");
  const url = urlText === undefined ? known?.url : parseOrigin(urlText);
  const parsed = peerText === undefined ? undefined : parseAddress(peerText);
  const peer = parsed ? hostAndPort(parsed.peerHost, parsed.peerPort) : known?.peer;
  const problems: string[] = [];
  if (url === null) {
    problems.push(`--member-url takes http:// or https:// and a host, not ${urlText}`);
  }
  if (parsed === null) problems.push(`--peer takes HOST:PORT, not ${peerText}`);
  if (url === undefined || peer === undefined) {
    problems.push(`the data does not say where ${id} is reached: say --peer and --member-url`);
  }
  if (!url || peer === undefined || problems.length > 0) throw new UsageError(problems);
  return { id, url, peer };
}

/** Keeps a launcher from starting the old cluster's nodes beside this one; gives what starts this one. */
function settle(
  launched: DataDirectory | null,
  { directory, launched: path }: Target,
  clusterId: string,
  { id, url, peer }: NodeAddress,
): string {
  const basePort = launched?.shape?.basePort;
  if (launched !== null && basePort !== undefined) {
    if (id === "n1") {
      launched.found(clusterId, { size: 1, basePort });
      return `deno task cluster --data ${path} --size 1 --base-port ${basePort}`;
    }
    launched.abandon();
  }
  const port = new URL(url).port || "…";
  const peerPort = peer.slice(peer.lastIndexOf(":") + 1);
  return `deno task node --id ${id} --port ${port} --peer-port ${peerPort} --data ${directory}`;
}

async function guarded<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof NoData) throw new UsageError([error.message]);
    throw new CommandFailed("data-error", null, messageOf(error));
  }
}

const warning = `
If you go on: what only the lost nodes had is lost, also if it was acknowledged. What this node had and no
quorum had agreed on is kept, also if its client was told that it was not done. None of the old nodes may
ever come back.`;

function describe(found: DataDescription): string {
  const { identity, lastIndex, lastTerm, hardState, snapshot, configuration } = found;
  const lines = [
    `node ${identity.nodeId} of cluster ${identity.clusterId}`,
    `last entry: index ${lastIndex}, term ${lastTerm}, of ${timeText(found)}`,
    `known to be committed: up to index ${hardState.commit}`,
    `snapshot: ${snapshot === null ? "none" : `at index ${snapshot.meta.index}`}`,
    configuration === null
      ? "members: those that the cluster was founded with"
      : `members: ${configuration.addresses.map(({ id }) => id).join(", ")}`,
  ];
  if (found.damage !== null) lines.push(`DAMAGED: ${found.damage}`);
  return lines.join("\n");
}

function timeText({ lastTimeMs }: DataDescription): string {
  return lastTimeMs === null ? "unknown time" : new Date(lastTimeMs).toISOString();
}

function foundJson(found: DataDescription): unknown {
  const { identity, lastIndex, lastTerm, lastTimeMs, hardState, damage } = found;
  return {
    clusterId: identity.clusterId,
    node: identity.nodeId,
    lastIndex,
    lastTerm,
    lastTimeMs,
    commitIndex: hardState.commit,
    snapshotIndex: found.snapshot?.meta.index ?? null,
    members: found.configuration?.addresses ?? null,
    damage,
  };
}
