/** Writers at all nodes while nodes are killed: nothing acknowledged is lost, nothing is doubled. */
import { assert, assertEquals, assertGreater, assertLessOrEqual } from "@std/assert";
import { type NodeProcess, ProcessCluster } from "./harness.ts";

const RUN_MS = 60_000;
const KILL_EVERY_MS = 5000;
/** A killed node stays down for so long: others must carry on without it. */
const DOWN_MS = 1500;
const WRITERS_PER_NODE = 2;

/** In place of a status: nobody listened. */
const REFUSED = -1;
/** In place of a status: the connection broke before the answer. */
const BROKEN = 0;

interface Tally {
  /** Increments that were answered with 200. */
  acknowledged: number;
  /** Increments whose last word was "unknown", or a connection that broke. */
  unknown: number;
}

/**
 * Sends one increment over a connection of its own; gives the status, REFUSED or BROKEN. Not with
 * `fetch`, which sends a request again by itself when a connection breaks: what it then reports is
 * the second attempt, and the first may have been applied.
 */
async function sum(node: NodeProcess, key: string, idempotencyKey: string | null): Promise<number> {
  const body = JSON.stringify({ mutations: [{ type: "sum", key: [key], value: "1" }] });
  const lines = [
    "POST /v1/atomic HTTP/1.1",
    `Host: ${node.config.host}`,
    "Connection: close",
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
  ];
  if (idempotencyKey !== null) lines.push(`Idempotency-Key: ${idempotencyKey}`);
  let connection: Deno.TcpConn;
  try {
    connection = await Deno.connect({ hostname: node.config.host, port: node.config.port });
  } catch {
    return REFUSED;
  }
  try {
    await connection.write(new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n${body}`));
    const answer = await new Response(connection.readable).text();
    const status = /^HTTP\/1\.1 (\d{3}) .*\r\n\r\n/s.exec(answer);
    return status === null ? BROKEN : Number(status[1]);
  } catch {
    return BROKEN;
  } finally {
    try {
      connection.close();
    } catch {
      // Reading it to its end has closed it.
    }
  }
}

/** Increments under a key, going to the next node with the same key until one has said 200. */
async function keyedWriter(cluster: ProcessCluster, first: number, endMs: number): Promise<Tally> {
  const tally: Tally = { acknowledged: 0, unknown: 0 };
  while (performance.now() < endMs) {
    const idempotencyKey = crypto.randomUUID();
    let status = 0;
    let tries = 0;
    // One retry more after the end, so that almost none stays open.
    do status = await sum(cluster.nodes[(first + tries++) % 3], "keyed", idempotencyKey); while (
      status !== 200 && performance.now() < endMs + 10_000
    );
    if (status === 200) tally.acknowledged++;
    else tally.unknown++;
  }
  return tally;
}

/** Increments at one node, each sent once: the node's own session keeps it from happening twice. */
async function plainWriter(node: NodeProcess, endMs: number): Promise<Tally> {
  const tally: Tally = { acknowledged: 0, unknown: 0 };
  while (performance.now() < endMs) {
    const status = await sum(node, "plain", null);
    if (status === 200) tally.acknowledged++;
    else if (status === 504 || status === BROKEN) tally.unknown++;
    else if (status !== REFUSED) assertEquals(status, 503); // Certainly not applied.
    if (status === REFUSED) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return tally;
}

/** Kills a random node every few seconds, the leader as often as chance has it. */
async function killer(cluster: ProcessCluster, endMs: number): Promise<number> {
  let kills = 0;
  while (performance.now() + KILL_EVERY_MS < endMs) {
    await new Promise((resolve) => setTimeout(resolve, KILL_EVERY_MS - DOWN_MS));
    const node = cluster.nodes[Math.floor(Math.random() * cluster.nodes.length)];
    await node.end("SIGKILL");
    kills++;
    await new Promise((resolve) => setTimeout(resolve, DOWN_MS));
    node.start();
  }
  return kills;
}

function total(tallies: Tally[]): Tally {
  return {
    acknowledged: tallies.reduce((sum, tally) => sum + tally.acknowledged, 0),
    unknown: tallies.reduce((sum, tally) => sum + tally.unknown, 0),
  };
}

Deno.test("cluster: 60 s of writers at all nodes and kill -9 every 5 s lose nothing and double nothing", async () => {
  await ProcessCluster.run(3, async (cluster) => {
    const endMs = performance.now() + RUN_MS;
    const keyed: Promise<Tally>[] = [];
    const plain: Promise<Tally>[] = [];
    for (const [i, node] of cluster.nodes.entries()) {
      for (let j = 0; j < WRITERS_PER_NODE; j++) {
        keyed.push(keyedWriter(cluster, i, endMs));
        plain.push(plainWriter(node, endMs));
      }
    }
    const kills = await killer(cluster, endMs);
    const [keyedTally, plainTally] = [
      total(await Promise.all(keyed)),
      total(await Promise.all(plain)),
    ];
    await cluster.ready();
    const readers = await Promise.all(
      cluster.nodes.map(async (node) => [
        Number(JSON.parse(await node.get("keyed") ?? "0")),
        Number(JSON.parse(await node.get("plain") ?? "0")),
      ]),
    );
    console.log(`${kills} kills; keyed`, keyedTally, "plain", plainTally, "final", readers[0]);
    for (const [keyedFinal, plainFinal] of readers) {
      assertBetween(keyedFinal, keyedTally);
      assertBetween(plainFinal, plainTally);
    }
    assertGreater(kills, 5);
    assertGreater(keyedTally.acknowledged, 100);
    assert(keyedTally.unknown <= keyed.length);
    await cluster.agreedHash();
  });
});

function assertBetween(final: number, tally: Tally): void {
  assertLessOrEqual(tally.acknowledged, final, "an acknowledged increment is lost");
  assertLessOrEqual(final, tally.acknowledged + tally.unknown, "an increment happened twice");
}
