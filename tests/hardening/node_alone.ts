/**
 * A node on its own, as the launcher would configure it, for tests that start its process in ways of their own.
 *
 * @module
 */
import { founderConfig, type NodeConfig } from "../../cli/config.ts";
import { freePorts } from "../cluster/ports.ts";

/** The only founder of a cluster, with an empty data directory below `root`, on ports of its own. */
export async function configAlone(root: string): Promise<NodeConfig> {
  const [port, peerPort] = freePorts(2);
  const host = "127.0.0.1";
  const config = founderConfig({
    id: "n1",
    host,
    port,
    data: `${root}/n1`,
    peers: [{ id: "n1", peerHost: host, peerPort, url: `http://${host}:${port}` }],
    clusterId: crypto.randomUUID(),
  });
  await Deno.mkdir(config.data);
  return config;
}
