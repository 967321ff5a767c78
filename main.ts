/**
 * The entry of a node: reads the configuration, wires the rooms together, serves, and ends cleanly.
 * Beside cli/ the only reader of arguments and environment.
 *
 * Exit codes (cli/exit_codes.ts): 0 after a clean stop, 2 for a configuration that cannot work, 3 when
 * another process has taken over the data directory, 1 for everything else.
 *
 * @module
 */
import { type Node, type NodeEvent, startNode } from "./actors/node.ts";
import { systemEnv } from "./actors/env.ts";
import { ConfigError, type NodeConfig, resolveNodeConfig } from "./cli/config.ts";
import { EXIT_FAILED, EXIT_FENCED, EXIT_OK, EXIT_USAGE } from "./cli/exit_codes.ts";
import { GROUP_DEFAULT, InvariantError, nodeId } from "./raft/types.ts";
import { createApp } from "./routes/app.ts";
import { refuseVolatileKv } from "./storage/disk.ts";
import { openKvLogStore } from "./storage/kv_log_store.ts";
import { CorruptLog, Fenced, WrongIdentity } from "./storage/types.ts";
import type { TransportEvent } from "./transport/events.ts";
import { createTcpTransport } from "./transport/tcp.ts";

/** How long a stopping node goes on with the requests that it has taken. */
const DRAIN_MS = 5000;

type Level = "info" | "warn" | "error";

/** One line an event on standard error: time, level, sentence. */
function log(level: Level, text: string): void {
  console.error(`${new Date().toISOString()} ${level.padEnd(5)} ${text}`);
}

/** The cluster's id where none was given: the same for all nodes that were given the same founders. */
async function deriveClusterId(config: NodeConfig): Promise<string> {
  const founders = config.peers.map((peer) => `${peer.id}=${peer.peerHost}:${peer.peerPort}`)
    .sort();
  const bytes = new TextEncoder().encode(founders.join(","));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  digest[6] = digest[6] & 0x0f | 0x80; // UUID version 8, "custom" (RFC 9562)
  digest[8] = digest[8] & 0x3f | 0x80;
  const hex = Array.from(digest.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0"));
  return hex.join("").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function start(config: NodeConfig, clusterId: string): Node {
  const env = systemEnv();
  const id = nodeId(config.id);
  const peers = new Map(
    config.peers.filter((peer) => peer.id !== config.id)
      .map((peer) => [nodeId(peer.id), { hostname: peer.peerHost, port: peer.peerPort }]),
  );
  return startNode({
    id,
    clusterId,
    members: config.peers.map((peer) => ({
      id: peer.id,
      url: peer.url,
      peer: `${peer.peerHost}:${peer.peerPort}`,
      role: "voter",
    })),
    env,
    openLog: () =>
      openKvLogStore({
        directory: config.data,
        group: GROUP_DEFAULT,
        identity: { clusterId, nodeId: config.id },
      }),
    openTransport: (boot, onEvent) =>
      createTcpTransport({
        self: id,
        clusterId,
        boot,
        listen: { hostname: config.host, port: config.peerPort },
        peers,
        env,
        onEvent,
      }),
    onEvent: logNode,
  });
}

function logNode(event: NodeEvent): void {
  switch (event.type) {
    case "opened":
      log("info", `the log is open, boot ${event.boot}`);
      if (event.damage !== null) log("warn", `the log is damaged: ${event.damage}`);
      return;
    case "role":
      log("info", `${event.role} in term ${event.term}, leader ${event.leader ?? "unknown"}`);
      return;
    case "repaired":
      log("info", "the log holds again all that this node had acknowledged");
      return;
    case "fault":
      log("error", `the replica failed (${event.directive}): ${describe(event.error)}`);
      return;
    case "ended":
      log("error", `the node serves no more: ${describe(event.error)}`);
      return;
    case "transport":
      return logTransport(event.event);
    case "runtime":
      return;
  }
}

/** What an operator must know of the peers. That connections come and go is in the metrics, not here. */
function logTransport(event: TransportEvent): void {
  switch (event.type) {
    case "refused": {
      const who = event.peer ?? event.remote;
      const text = event.byPeer ? `${who} refused this node` : `refused a connection of ${who}`;
      return log("warn", `${text}: ${event.reason}`);
    }
    case "malformed":
      return log("warn", `closed the connection of ${event.peer}: ${describe(event.error)}`);
    case "handler-failed":
    case "accept-failed":
      return log("error", `${event.type}: ${describe(event.error)}`);
    case "connected":
      if (event.direction === "outgoing") log("info", `connected to ${event.peer}`);
      return;
    case "disconnected":
      if (event.direction === "outgoing") log("info", `lost ${event.peer}: ${event.reason}`);
      return;
    case "unreachable":
    case "dropped":
      return;
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** @throws {Deno.errors.AddrInUse} if somebody listens there. */
function checkPort(hostname: string, port: number): void {
  Deno.listen({ hostname, port }).close();
}

/** Resolves with what asked the process to stop. */
function stopRequested(config: NodeConfig): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    let seen = false;
    Deno.addSignalListener(signal, () => {
      if (seen) Deno.exit(EXIT_FAILED); // Asked twice: somebody does not want to wait.
      seen = true;
      resolve(signal);
    });
  }
  if (config.exitWithParent) {
    void Deno.stdin.readable.pipeTo(new WritableStream())
      .finally(() => resolve("the end of the parent process"));
  }
  return promise;
}

async function main(): Promise<number> {
  const config = resolveNodeConfig(Deno.args, Deno.env.get, Deno.readTextFileSync);
  refuseVolatileKv(Deno.env.get("DENO_KV_DB_MODE"));
  // Before the data is opened, which fences off whoever may be serving it well.
  for (const port of [config.port, config.peerPort]) checkPort(config.host, port);
  const clusterId = config.clusterId ?? await deriveClusterId(config);
  const stop = stopRequested(config);
  const node = start(config, clusterId);
  const app = createApp({ service: node.service, log: (text) => log("error", text) });
  const server = Deno.serve({
    hostname: config.host,
    port: config.port,
    onListen: ({ hostname, port }) =>
      log("info", `${config.id} listens on http://${hostname}:${port}, cluster ${clusterId}`),
  }, app.fetch);
  const code = await Promise.race([
    stop.then((why) => {
      log("info", `stopping: ${why}`);
      return EXIT_OK;
    }),
    node.ended.then(exitCodeOf),
  ]);
  node.drain();
  const endMs = performance.now() + DRAIN_MS;
  await Promise.race([server.shutdown(), new Promise((end) => setTimeout(end, DRAIN_MS))]);
  await node.stop(Math.max(0, endMs - performance.now()));
  return code;
}

/** Ends the process where another one could do better; where none could, stays to say why. */
function exitCodeOf(error: unknown): number | Promise<number> {
  if (error instanceof Fenced) return EXIT_FENCED;
  if (error instanceof WrongIdentity) return EXIT_USAGE;
  if (error instanceof CorruptLog || error instanceof InvariantError) return new Promise(() => {});
  return EXIT_FAILED;
}

try {
  Deno.exit(await main());
} catch (error) {
  log("error", describe(error));
  Deno.exit(error instanceof ConfigError ? EXIT_USAGE : EXIT_FAILED);
}
