/**
 * `deno task drill`: measures, on real processes on this machine, how long a cluster takes to be
 * ready, how long writes stop when its leader is killed or all nodes are restarted in turn, and how long a
 * node with a long log takes to come back. Prints each figure with its list of samples.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { tieNegatives } from "../cli/args.ts";
import { failover } from "./failover.ts";
import { exitCodeFor, integer, OptionError } from "./load_types.ts";
import { median } from "./statistics.ts";
import { type NodeProcess, ProcessCluster } from "../tests/cluster/harness.ts";
import { increment, REFUSED } from "../tests/cluster/writers.ts";

const ENTRIES = 100_000;
const VALUE_BYTES = 256;
const WRITERS = 64;
/** Clients that write while all nodes are restarted, some at each. */
const CLIENTS = 6;

function summary(what: string, samplesMs: number[]): void {
  const [middle, worst] = [median(samplesMs), Math.max(...samplesMs)];
  const list = samplesMs.map((ms) => ms.toFixed(0)).join(" ");
  console.log(`${what}: median ${middle.toFixed(0)} ms, worst ${worst.toFixed(0)} ms (${list})`);
}

/**
 * Restarts all nodes by SIGTERM, one after the other, while clients write at all of them. Gives the
 * longest times in which nobody's write was acknowledged, one a node, in ms; and how many writes failed.
 */
async function rollingRestart(
  cluster: ProcessCluster,
): Promise<{ gapsMs: number[]; writes: number; unknown: number }> {
  let isOver = false;
  let gapMs = 0;
  let writes = 0;
  let unknown = 0;
  let acknowledgedMs = performance.now();
  const clients = Array.from({ length: CLIENTS }, async (_, i) => {
    for (let node = i; !isOver;) {
      const status = await increment(cluster.nodes[node % cluster.nodes.length], "rolling", null);
      const nowMs = performance.now();
      if (status === 200) {
        writes++;
        gapMs = Math.max(gapMs, nowMs - acknowledgedMs);
        acknowledgedMs = nowMs;
      } else {
        // Nobody listens, or it is closing: certainly not done. Anything else is a failed write.
        if (status !== REFUSED && status !== 503) unknown++;
        node++;
      }
    }
  });
  const gapsMs: number[] = [];
  for (const node of cluster.nodes) {
    gapMs = 0;
    await node.end("SIGTERM");
    node.start();
    await cluster.ready();
    gapsMs.push(gapMs);
  }
  isOver = true;
  await Promise.all(clients);
  return { gapsMs, writes, unknown };
}

/** Writes `count` values through one node. */
async function fill(node: NodeProcess, count: number): Promise<void> {
  const value = "x".repeat(VALUE_BYTES);
  let next = 0;
  await Promise.all(Array.from({ length: WRITERS }, async () => {
    while (next < count) {
      const status = await node.put(`fill/${next++}`, value);
      if (status !== 200) throw new Error(`a write was answered with ${status}`);
    }
  }));
}

async function restart(cluster: ProcessCluster, node: NodeProcess): Promise<number> {
  await node.end("SIGKILL");
  const startMs = performance.now();
  node.start();
  await cluster.ready();
  return performance.now() - startMs;
}

async function main(): Promise<void> {
  const flags = parseArgs(tieNegatives(Deno.args, ["kills"]), {
    string: ["kills"],
    boolean: ["help"],
    unknown: (name) => {
      throw new OptionError(`Cannot start: unknown argument ${name}`);
    },
  });
  if (flags.help) {
    console.log(
      "Usage: deno task drill [--kills N]\n\nKills the leader N times (1 to 100, default 10).",
    );
    return;
  }
  const kills = integer("kills", flags.kills, 10, 1, 100);
  const startMs = performance.now();
  await ProcessCluster.run(3, async (cluster) => {
    summary("three processes started to all ready", [performance.now() - startMs]);
    const failovers: number[] = [];
    for (let round = 0; round < kills; round++) {
      const { tookMs, refusals } = await failover(cluster, round);
      // The survivor is to hold the write until there is a leader again.
      if (refusals > 0) throw new Error(`the write after the kill was refused ${refusals} times`);
      failovers.push(tookMs);
    }
    summary("leader killed (kill -9) to next accepted write", failovers);
    const { gapsMs, writes, unknown } = await rollingRestart(cluster);
    summary("node restarted by SIGTERM: longest time without an acknowledged write", gapsMs);
    console.log(`  ${writes} writes acknowledged meanwhile, ${unknown} of unknown outcome`);
    await fill(await cluster.leader(), ENTRIES);
    const leader = await cluster.leader();
    const follower = cluster.nodes.find((node) => node !== leader)!;
    const restarts: number[] = [];
    for (let round = 0; round < 3; round++) restarts.push(await restart(cluster, follower));
    summary(`node with ${ENTRIES} entries of ${VALUE_BYTES} B restarted to ready`, restarts);
  });
}

try {
  await main();
} catch (error) {
  Deno.exit(exitCodeFor(error));
}
