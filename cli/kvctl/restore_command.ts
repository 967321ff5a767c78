/**
 * `kvctl restore`: a new cluster whose first state is a backup's.
 *
 * Beside `recover` the only command that does not speak HTTP: it writes the data of nodes that are not
 * running yet.
 *
 * @module
 */
import type { BackupHeader } from "../../kv/backup_file.ts";
import {
  type Configuration,
  logIndex,
  type MemberAddress,
  nodeId,
  term,
} from "../../raft/types.ts";
import { refuseVolatileKv } from "../../storage/disk.ts";
import { DataPresent, foundFromSnapshot } from "../../storage/offline.ts";
import { UsageError } from "../args.ts";
import { DataDirectory, requireEmpty } from "../cluster/data_directory.ts";
import { BASE_PORT_DEFAULT, clusterPeers, readShape } from "../cluster/options.ts";
import { EXIT_OK } from "../exit_codes.ts";
import { CLUSTER_SIZE_MAX } from "../limits.ts";
import { writeMembersFile } from "../members_file.ts";
import { hostAndPort, isNodeId, isUuid, parsePeers, type Peer } from "../peers.ts";
import { backupChunks, checkBackup } from "./backup_source.ts";
import type { Command, Context } from "./command.ts";
import { CommandFailed, messageOf } from "./failure.ts";

export const restoreCommand: Command = {
  name: "restore",
  summary: "makes the data of a new cluster from a backup",
  usage:
    "restore FILE --data DIR [--size N --base-port PORT | --id ID --peers LIST --cluster-id UUID]",
  help:
    `The new cluster has an id of its own; its first state is the backup's, versionstamps included. The file is
checked before anything is written.

  --data DIR         where the data goes; nothing may be there
For nodes on this machine, to be started by "task cluster" with the same flags:
  --size N           how many nodes (3)
  --base-port PORT   the first HTTP port (${BASE_PORT_DEFAULT})
For one node on a machine of its own, to be started by "task node" with the same flags; run it for each,
from the same file:
  --id ID            the node
  --peers LIST       all nodes of the new cluster: n1=host:9001@http://host:8001,…
  --cluster-id UUID  the new cluster's id, the same for all`,
  flags: { values: ["data", "size", "base-port", "id", "peers", "cluster-id"] },
  positionalsMin: 1,
  positionalsMax: 1,
  run: restore,
};

/** One cluster to be founded, as far as it lies on this machine. */
interface Plan {
  readonly clusterId: string;
  readonly peers: readonly Peer[];
  /** By node id. */
  readonly directories: ReadonlyMap<string, string>;
  /** The command that starts it. */
  readonly next: string;
}

async function restore(context: Context): Promise<number> {
  const { args, io, json } = context;
  const [path] = args.positionals;
  const data = args.values.get("data");
  if (data === undefined) throw new UsageError(["--data is missing"]);
  refuseVolatile(context);
  const single = ["id", "peers", "cluster-id"].filter((flag) => args.values.has(flag));
  const local = ["size", "base-port"].filter((flag) => args.values.has(flag));
  if (single.length > 0 && local.length > 0) {
    throw new UsageError([`--${single[0]} and --${local[0]} exclude each other`]);
  }
  const { plan, header } = single.length > 0
    ? await restoreNode(context, path, data)
    : await restoreCluster(context, path, data);
  const nodes = [...plan.directories].map(([id, directory]) => ({ id, directory }));
  const { clusterId, next } = plan;
  const { index, stateHash } = header;
  if (json) await io.write(`${JSON.stringify({ clusterId, index, stateHash, nodes })}\n`);
  else {
    const where = nodes.map(({ directory }) => directory).join(", ");
    await io.write(
      `founded cluster ${clusterId} at index ${index}, state hash ${stateHash}, in ${where}\n` +
        `start it with: ${next}\n`,
    );
  }
  return EXIT_OK;
}

/** Deno KV that forgets would make a restore that is none. @throws {UsageError} */
export function refuseVolatile({ io }: Context): void {
  try {
    refuseVolatileKv(io.env("DENO_KV_DB_MODE"));
  } catch (error) {
    throw new UsageError([messageOf(error)]);
  }
}

interface Restored {
  readonly plan: Plan;
  readonly header: BackupHeader;
}

async function restoreCluster({ args }: Context, path: string, data: string): Promise<Restored> {
  const problems: string[] = [];
  const shape = readShape(args.values, problems);
  if (data.includes(",")) problems.push(`--data must not contain a comma: ${data}`);
  if (shape === null || problems.length > 0) throw new UsageError(problems);
  requireEmpty(data);
  const header = await checkBackup(path);
  const isNew = !exists(data);
  const peers = clusterPeers(shape);
  const plan = {
    clusterId: crypto.randomUUID(),
    peers,
    directories: new Map(peers.map((peer) => [peer.id, `${data}/${peer.id}`])),
    next: `deno task cluster --data ${data} --size ${shape.size} --base-port ${shape.basePort}`,
  };
  using directory = DataDirectory.open(data);
  try {
    await found(plan, path, header);
    // Last: with this it is a cluster.
    directory.found(plan.clusterId, shape);
  } catch (error) {
    if (isNew) Deno.removeSync(data, { recursive: true });
    throw error;
  }
  return { plan, header };
}

async function restoreNode({ args }: Context, path: string, data: string): Promise<Restored> {
  const id = args.values.get("id");
  const list = args.values.get("peers");
  const clusterId = args.values.get("cluster-id")?.toLowerCase();
  const problems: string[] = [];
  if (id === undefined || !isNodeId(id)) problems.push("--id must name the node");
  if (list === undefined) problems.push("--peers must name all nodes of the new cluster");
  const peers = list === undefined ? [] : parsePeers(list.split(","), "--peers", problems);
  if (clusterId === undefined || !isUuid(clusterId)) {
    problems.push("--cluster-id must be a UUID, the same for all nodes of the new cluster");
  }
  if (peers.length > CLUSTER_SIZE_MAX) {
    problems.push(
      `--peers has ${peers.length} members, and at most ${CLUSTER_SIZE_MAX} are allowed`,
    );
  }
  if (problems.length === 0 && !peers.some((peer) => peer.id === id)) {
    problems.push(`--peers must name ${id}`);
  }
  if (id === undefined || clusterId === undefined || problems.length > 0) {
    throw new UsageError(problems);
  }
  const header = await checkBackup(path);
  if (header.clusterId === clusterId) {
    throw new UsageError([
      "--cluster-id must not be that of the cluster of the backup: its nodes could take the new " +
      "ones for theirs",
    ]);
  }
  const plan = {
    clusterId,
    peers,
    directories: new Map([[id, data]]),
    next: `deno task node --id ${id} --data ${data} --peers ${list} --cluster-id ${clusterId} …`,
  };
  await found(plan, path, header);
  return { plan, header };
}

/** Makes the nodes' directories; if one cannot be made, none is left. */
async function found(plan: Plan, path: string, header: BackupHeader): Promise<void> {
  const addresses = plan.peers.map(addressOf);
  const meta = {
    index: logIndex(header.index),
    term: term(header.term),
    timeMs: header.timeMs,
    configuration: configurationOf(addresses),
  };
  const { clusterId } = plan;
  const made: string[] = [];
  try {
    for (const [id, directory] of plan.directories) {
      const isNew = !exists(directory);
      await foundFromSnapshot({
        directory,
        identity: { clusterId, nodeId: id },
        meta,
        chunks: backupChunks(path),
      });
      if (isNew) made.push(directory);
      writeMembersFile(directory, { clusterId, joined: true, founders: [], members: addresses });
    }
  } catch (error) {
    for (const directory of made) Deno.removeSync(directory, { recursive: true });
    if (error instanceof DataPresent) throw new UsageError([error.message]);
    if (error instanceof CommandFailed) throw error;
    throw new CommandFailed("file-error", null, messageOf(error));
  }
}

function addressOf({ id, url, peerHost, peerPort }: Peer): MemberAddress {
  // A founder, though the log begins behind the backup.
  return { id: nodeId(id), url, peer: hostAndPort(peerHost, peerPort), since: logIndex(0) };
}

function configurationOf(addresses: readonly MemberAddress[]): Configuration {
  return {
    voters: addresses.map(({ id }) => id),
    votersOutgoing: [],
    learners: [],
    promoting: [],
    addresses,
  };
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
