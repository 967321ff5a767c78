/**
 * What a leader's transport costs under load: one process sends batches of entries to two follower
 * processes over a transport, and hears their replies, at a fixed rate; then the same without the transport,
 * so that what the generator itself costs can be taken off.
 *
 * `deno run --no-prompt --allow-net=127.0.0.1 --allow-read --allow-env \
 *   "--allow-run=$(deno run --no-prompt tools/deno_path.ts)" bench/transport_load.ts \
 *   [--transport tcp] [--batches 760] [--entries 50] [--bytes 300] [--seconds 5]`
 *
 * Bounded in time; its followers end with it.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "@std/cli/parse-args";
import { tieNegatives } from "../cli/args.ts";
import type { AppendRequest } from "../raft/message.ts";
import { GROUP_DEFAULT, type NodeId, nodeId } from "../raft/types.ts";
import { type TransportKind, transportKinds } from "../transport/kinds.ts";
import type { StreamTransport } from "../transport/streams.ts";
import type { PeerAddress } from "../transport/types.ts";
import { choose, exitCodeFor, integer, OptionError } from "./load_types.ts";
import { makeBatch, openTransport, replyTo } from "./peers.ts";

const LEADER = nodeId("n1");
const FOLLOWERS = [nodeId("n2"), nodeId("n3")];
const TICK_MS = 1;
const REPLIES_MS_MAX = 1000;

interface Load {
  readonly batchesPerSecond: number;
  readonly entries: number;
  readonly bytes: number;
  readonly seconds: number;
}

interface Outcome {
  readonly batches: number;
  readonly replies: number;
  readonly cpuPercent: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** A follower: reads where the leader listens, says where it listens, acknowledges until it is killed. */
async function follow(kind: TransportKind, self: NodeId, leader: PeerAddress): Promise<void> {
  const transport = openTransport(kind, self, () => {});
  await transport.start((from, group, message) => {
    if (message.type !== "append-request") return;
    transport.send(from, group, replyTo(message));
  });
  transport.setPeers(new Map([[LEADER, leader]]));
  console.log(JSON.stringify(transport.address));
}

/** Sends at the rate told and measures this process; `send` null leaves the transport out. */
async function measure(
  load: Load,
  send: ((request: AppendRequest) => void) | null,
  latenciesMs: number[],
): Promise<Outcome> {
  const beganMs = performance.now();
  const began = process.cpuUsage();
  let batches = 0;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const elapsedMs = performance.now() - beganMs;
      const due = Math.floor(elapsedMs / 1000 * load.batchesPerSecond);
      while (batches < due) {
        const { entries: count, bytes } = load;
        const request = makeBatch({ first: batches * count + 1, count, bytes, round: batches });
        batches++;
        send?.(request);
      }
      if (elapsedMs < load.seconds * 1000) return;
      clearInterval(timer);
      resolve();
    }, TICK_MS);
  });
  const { user, system } = process.cpuUsage(began);
  const spentMs = performance.now() - beganMs;
  if (send !== null) await allReplies(() => latenciesMs.length === batches * FOLLOWERS.length);
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  return {
    batches,
    replies: sorted.length,
    cpuPercent: (user + system) / 10 / spentMs,
    p50Ms: sorted[Math.floor(sorted.length * 0.5)] ?? 0,
    p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
  };
}

/** Waits until the last replies are there, or for so long that some must be lost. */
async function allReplies(arrived: () => boolean): Promise<void> {
  const endMs = performance.now() + REPLIES_MS_MAX;
  while (!arrived() && performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
}

async function lead(kind: TransportKind, load: Load): Promise<void> {
  const latenciesMs: number[] = [];
  const sentMs: number[] = [];
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  let connections = 0;
  const transport = openTransport(kind, LEADER, () => {
    if (++connections === 2 * FOLLOWERS.length) resolve();
  });
  await transport.start((_from, _group, message) => {
    if (message.type !== "append-reply") return;
    latenciesMs.push(performance.now() - sentMs[message.round]);
  });
  const children = FOLLOWERS.map((self) => spawnFollower(kind, self, transport.address));
  try {
    const peers = new Map<NodeId, PeerAddress>();
    for (const { self, address } of children) peers.set(self, await address);
    transport.setPeers(peers);
    await ready;
    await measure({ ...load, seconds: 1 }, sendTo(transport, sentMs), latenciesMs);
    latenciesMs.length = 0;
    sentMs.length = 0;
    const whole = await measure(load, sendTo(transport, sentMs), latenciesMs);
    const alone = await measure(load, null, []);
    report(kind, load, whole, alone);
  } finally {
    for (const { child } of children) child.kill("SIGKILL");
    await Promise.all(children.map(({ child }) => child.status));
    await transport.close();
  }
}

function sendTo(transport: StreamTransport, sentMs: number[]) {
  return (request: AppendRequest) => {
    sentMs[request.round] = performance.now();
    for (const follower of FOLLOWERS) transport.send(follower, GROUP_DEFAULT, request);
  };
}

function spawnFollower(kind: TransportKind, self: NodeId, leader: PeerAddress | null) {
  const script = new URL(import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--allow-net=127.0.0.1",
      script,
      kind,
      self,
      JSON.stringify(leader),
    ],
    stdout: "piped",
  }).spawn();
  return { self, child, address: firstLine(child.stdout).then(JSON.parse) };
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes("\n")) return text.slice(0, text.indexOf("\n"));
  }
  throw new Error("a follower ended before it listened");
}

function report(kind: TransportKind, load: Load, whole: Outcome, alone: Outcome): void {
  const writes = Math.round(whole.batches * load.entries / load.seconds);
  const cost = whole.cpuPercent - alone.cpuPercent;
  console.log(
    `${kind}: ${writes} writes/s in batches of ${load.entries} entries of ${load.bytes} B to ` +
      `${FOLLOWERS.length} followers; ${whole.replies} of ${
        whole.batches * FOLLOWERS.length
      } replies`,
  );
  console.log(
    `leader ${whole.cpuPercent.toFixed(1)} % of a core, generator alone ` +
      `${alone.cpuPercent.toFixed(1)} %, transport ${cost.toFixed(1)} %`,
  );
  console.log(`round trip p50 ${whole.p50Ms.toFixed(2)} ms, p99 ${whole.p99Ms.toFixed(2)} ms`);
}

/** What the command line asks for. @throws {OptionError} */
function parse(args: readonly string[]): { kind: TransportKind; load: Load } {
  const string = ["transport", "batches", "entries", "bytes", "seconds"] as const;
  const flags = parseArgs(tieNegatives(args, string), {
    string,
    unknown: (name) => {
      throw new OptionError(`Cannot start: unknown argument ${name}`);
    },
  });
  const kinds = Object.keys(transportKinds) as TransportKind[];
  return {
    kind: choose("transport", flags.transport ?? "tcp", kinds as [TransportKind]),
    load: {
      batchesPerSecond: integer("batches", flags.batches, 760, 1, 100_000),
      entries: integer("entries", flags.entries, 50, 1, 10_000),
      bytes: integer("bytes", flags.bytes, 300, 0, 65_536),
      seconds: integer("seconds", flags.seconds, 5, 1, 600),
    },
  };
}

async function main(): Promise<void> {
  const [kind, self, leader] = Deno.args;
  if (kind !== undefined && !kind.startsWith("--")) {
    // Said by `spawnFollower`.
    return await follow(kind as TransportKind, nodeId(self), JSON.parse(leader));
  }
  const options = parse(Deno.args);
  await lead(options.kind, options.load);
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    Deno.exit(exitCodeFor(error));
  }
}
