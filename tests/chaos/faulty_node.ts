/**
 * The node of main.ts with faults between it and its network, clock and disk, as standard input tells
 * (control.ts). A program for tests, and the only way to these faults: production has no setting for them.
 *
 * @module
 */
import type { Env } from "../../actors/types.ts";
import { main } from "../../main.ts";
import { nodeId } from "../../raft/types.ts";
import { faultyTransport } from "../../transport/faulty.ts";
import { LinkTable } from "../../transport/memory_links.ts";
import { FaultLines, NO_FAULTS, type NodeFaults } from "./control.ts";
import { FaultyDisk } from "./faulty_log.ts";

const links = new LinkTable();
const disk = new FaultyDisk();
let clockOffsetMs = NO_FAULTS.clockOffsetMs;

function take(faults: NodeFaults): void {
  links.heal();
  for (const { from, to, link } of faults.links) links.set(nodeId(from), nodeId(to), link);
  clockOffsetMs = faults.clockOffsetMs;
  disk.faults = faults.disk;
}

/** The same world, with another time of day. */
function withOffset(env: Env): Env {
  return { ...env, wallNowMs: () => env.wallNowMs() + clockOffsetMs };
}

await main({
  env: withOffset,
  log: disk.over,
  // Each link stands in the table of one of its two nodes, so that both ends of the wrapper are used.
  transport: (transport, env) => faultyTransport(transport, { env, links, side: "both" }),
  input: new FaultLines(take).push,
});
