/** Raft's safety over each transport, with faults over it. */
import { systemEnv } from "../../actors/env.ts";
import { type TransportKind, transportKinds } from "../../transport/kinds.ts";
import { createMemoryNetwork } from "../../transport/memory.ts";
import { type OpenTransport, staysSafe } from "./faulty_cluster.ts";
import { CLUSTER_ID } from "./virtual_cluster.ts";

/** A transport between real nodes, here on this machine. */
function overSockets(kind: TransportKind): () => OpenTransport {
  return () => ({ id: self, peer }, life) => {
    const listen = { hostname: "127.0.0.1", port: Number(peer.split(":")[1]) };
    const options = { ...life, self, clusterId: CLUSTER_ID, listen, env: systemEnv() };
    return transportKinds[kind].create(options);
  };
}

function inMemory(): OpenTransport {
  const network = createMemoryNetwork();
  return ({ id }, life) => network.transport(id, life);
}

const kinds = Object.keys(transportKinds) as TransportKind[];
const places = new Map([
  ["memory", inMemory],
  ...kinds.map((kind) => [kind, overSockets(kind)] as const),
]);

for (const [name, place] of places) {
  Deno.test(`faulty ${name}: three nodes that lose, double, reorder and crash stay safe, and recover`, async () => {
    await staysSafe(place(), 1 + Math.floor(Math.random() * 2 ** 31));
  });
}
