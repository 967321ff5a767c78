/**
 * What a node's HTTP server costs beside others that Deno has, with a handler that does nothing: requests a
 * second and CPU time a request, in rounds that alternate between them (docs/decisions/0023-http-server.md).
 *
 *     deno run --no-prompt --allow-net=127.0.0.1 --allow-run=wrk bench/http_server.ts [connections [rounds]]
 *
 * @module
 */
import { createServer } from "node:http";
import { cpuUsage } from "node:process";
import { systemEnv } from "../actors/env.ts";
import { HttpServer } from "../transport/http/server.ts";
import { integer, type Measured } from "./load_types.ts";
import { median, pairedRatios, spreadOf } from "./statistics.ts";
import { runWrk } from "./wrk.ts";

const HOST = "127.0.0.1";
const ROUND_SECONDS = 2;
const VALUE_BYTES = 256;
const KEYS = 1000;
const BASE = "Deno.serve";

interface Contender {
  readonly name: string;
  readonly port: number;
  close(): Promise<void>;
}

/** One round of one server. */
interface Round {
  readonly perSecond: number;
  readonly cpuUs: number;
}

async function handle(request: Request): Promise<Response> {
  await request.arrayBuffer();
  return new Response("ok");
}

function denoServe(): Contender {
  const server = Deno.serve({ hostname: HOST, port: 0, onListen: () => {} }, handle);
  return { name: BASE, port: server.addr.port, close: () => server.shutdown() };
}

function ours(): Contender {
  const server = new HttpServer({
    hostname: HOST,
    port: 0,
    handle,
    log: (text) => console.error(text),
    clock: systemEnv(),
  });
  return { name: "HttpServer", port: server.addr.port, close: () => server.shutdown() };
}

async function nodeHttp(): Promise<Contender> {
  const server = createServer((request, response) => {
    request.on("data", () => {});
    request.on("end", () => response.end("ok"));
  });
  await new Promise<void>((resolve) => void server.listen(0, HOST, resolve));
  const { port } = server.address() as { port: number };
  const close = () => new Promise<void>((resolve) => void server.close(() => resolve()));
  return { name: "node:http", port, close };
}

async function measure({ port }: Contender, connections: number): Promise<Round> {
  const before = cpuUsage();
  const measured: Measured | null = await runWrk({
    target: `http://${HOST}:${port}`,
    dialect: "kvorum",
    mode: "put",
    connections,
    seconds: ROUND_SECONDS,
    valueBytes: VALUE_BYTES,
    keys: KEYS,
    spreadOver: [],
  });
  if (measured === null) throw new Error("Cannot measure: wrk is not installed");
  if (measured.errors > 0) throw new Error(`${measured.errors} requests failed`);
  const { user, system } = cpuUsage(before);
  return { perSecond: measured.perSecond, cpuUs: (user + system) / measured.requests };
}

function describe(name: string, rounds: readonly Round[], base: readonly Round[]): string {
  const ratio = (of: (round: Round) => number) => {
    const spread = spreadOf(pairedRatios(rounds.map(of), base.map(of)))!;
    const [low, middle, high] = [spread.low, spread.median, spread.high].map((it) => it.toFixed(2));
    return `${middle} (${low} to ${high})`;
  };
  const perSecond = median(rounds.map((round) => round.perSecond)).toFixed(0);
  const cpuUs = median(rounds.map((round) => round.cpuUs)).toFixed(1);
  return `${name.padEnd(11)} ${perSecond.padStart(6)}/s  ${ratio((it) => it.perSecond)}  ` +
    `${cpuUs.padStart(5)} µs of CPU  ${ratio((it) => it.cpuUs)}`;
}

async function main([connectionsText, roundsText]: readonly string[]) {
  const connections = integer("connections", connectionsText, 64, 1, 1024);
  const roundsCount = integer("rounds", roundsText, 9, 1, 100);
  const contenders = [denoServe(), ours(), await nodeHttp()];
  const rounds = new Map(contenders.map(({ name }): [string, Round[]] => [name, []]));
  // The first round of each is for the compiler.
  for (const contender of contenders) await measure(contender, connections);
  for (let i = 0; i < roundsCount; i++) {
    for (const contender of contenders) {
      rounds.get(contender.name)!.push(await measure(contender, connections));
    }
  }
  console.log(`Deno ${Deno.version.deno}, ${connections} connections, ${roundsCount} rounds`);
  console.log(`medians; beside each its ratio to ${BASE}, of pairs of rounds, median (range)`);
  for (const [name, its] of rounds) console.log(describe(name, its, rounds.get(BASE)!));
  for (const contender of contenders) await contender.close();
}

if (import.meta.main) await main(Deno.args);
