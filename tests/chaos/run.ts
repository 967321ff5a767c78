/**
 * One chaos run: founds a cluster, lets clients and faults at it, heals it, and judges.
 *
 * @module
 */
import { HistoryWriter } from "../history/recorder.ts";
import { ChaosCluster } from "./cluster.ts";
import { Client } from "./client.ts";
import { settleMembers } from "./churn.ts";
import {
  BULK_KEYS,
  BULK_VALUE_BYTES,
  CLIENTS_PER_NODE,
  LAST_WORD_MS,
  LOOKOUTS_PER_NODE,
  READY_MS,
  UNAVAILABLE_MAX_MS,
} from "./limits.ts";
import { judgeLooks } from "./look_verdict.ts";
import { lookOut } from "./lookout.ts";
import { FAULTS, Nemesis } from "./nemesis.ts";
import type { ChaosOptions } from "./options.ts";
import { Random } from "./random.ts";
import { Record } from "./record.ts";
import { isGood, type Summary } from "./report.ts";
import { type Finding, judgeCluster, judgeHistory } from "./verdict.ts";
import { Watchers } from "./watchers.ts";

export const FAULT_NAMES: readonly string[] = FAULTS.map(({ name }) => name);

/** Where a run puts its files, and how it speaks. */
export interface Place {
  /** Empty; what is worth keeping stays there after violations. */
  readonly directory: string;
  /** Takes a line for each thing that happens. */
  readonly say: (text: string) => void;
  /** Whether a small file system may be mounted. */
  readonly mayMount: boolean;
  /** Ends clients and faults before their time; what they did is judged all the same. */
  readonly signal?: AbortSignal;
}

/** Runs it. Its files are gone afterwards, unless something was violated. @throws for defects of the run itself. */
export async function runChaos(options: ChaosOptions, place: Place): Promise<Summary> {
  const { directory } = place;
  const startMs = performance.now();
  const say = (text: string) => {
    place.say(`${((performance.now() - startMs) / 1000).toFixed(1).padStart(7)} s  ${text}`);
  };
  const path = options.history ?? `${directory}/history.jsonl`;
  const file = await Deno.open(path, { write: true, create: true, truncate: true });
  const writer = new HistoryWriter(file, "ms");
  let summary: Summary | null = null;
  try {
    summary = await inCluster(options, place, writer, say);
    return summary;
  } finally {
    writer.flush();
    file.close();
    if (summary !== null && isGood(summary)) await Deno.remove(directory, { recursive: true });
    else place.say(`seed ${options.seed}: history and logs are kept in ${directory}`);
  }
}

async function inCluster(
  options: ChaosOptions,
  { directory, mayMount, signal }: Place,
  writer: HistoryWriter,
  say: (text: string) => void,
): Promise<Summary> {
  const { size, seed, transport, faults } = options;
  const random = new Random(seed);
  const record = new Record(() => performance.now(), writer);
  await using cluster = await ChaosCluster.found({
    size,
    transport,
    directory,
    withSmallDisk: mayMount && faults.has("full-disk"),
    onCrash: (text) => record.violation(text),
  });
  await fill(cluster);
  say(`${size} nodes serve; seed ${seed}`);
  const beginMs = performance.now();
  const endMs = beginMs + options.minutes * 60_000;
  const restMs = () => signal?.aborted ? 0 : Math.max(0, endMs - performance.now());
  record.begin();
  const nemesis = new Nemesis({ cluster, random: random.fork(), size, restMs, faults, say });
  const clients = runClients(options, cluster, record, random.fork(), () => restMs() > 0);
  const watchers = new Watchers(cluster, random.fork());
  await nemesis.run();
  const seconds = (performance.now() - beginMs) / 1000;
  await cluster.heal();
  say("all faults are over");
  const findings: Finding[] = [await ended(clients)];
  const isSettled = await settleMembers(
    nemesis.sceneFor(random.fork()),
    performance.now() + READY_MS,
  );
  findings.push({
    what: "the members are settled",
    isGood: isSettled,
    detail: `${size} voters ${isSettled ? "" : "were "}wanted`,
  });
  const operations = record.finish();
  findings.push(
    ...await watchers.finish(record, operations),
    ...await judgeCluster(cluster, record, operations),
    // With what was found in the end.
    judgeHistory(record.finish()),
    judgeLooks(record.looks, operations),
  );
  findings.push({
    what: "answers that no client may get, and nodes that end by themselves",
    isGood: record.violationsCount === 0,
    detail: record.violationsCount === 0
      ? "none"
      : [`${record.violationsCount}:`, ...record.violations].join("\n  "),
  });
  const { ms, atMs } = record.longestGap;
  findings.push({
    what: "writes go on",
    isGood: ms <= UNAVAILABLE_MAX_MS,
    detail: `never longer than ${UNAVAILABLE_MAX_MS} ms without an acknowledged one`,
  });
  return {
    seed,
    size,
    transport,
    seconds,
    operations: record.counts,
    retries: record.retries,
    faults: nemesis.counts,
    longestGap: { ms, atMs: atMs - beginMs },
    findings,
  };
}

/** Values that nobody asks for, so that snapshots are large. */
async function fill(cluster: ChaosCluster): Promise<void> {
  const [node] = cluster.nodes;
  for (let i = 0; i < BULK_KEYS; i++) {
    const body = crypto.getRandomValues(new Uint8Array(BULK_VALUE_BYTES));
    const response = await node.fetch(`/v1/kv/bulk/${i}`, { method: "PUT", body });
    if (response.status !== 200) throw new Error(`Cannot fill the store: ${await response.text()}`);
    await response.body?.cancel();
  }
}

function runClients(
  { size }: ChaosOptions,
  cluster: ChaosCluster,
  record: Record,
  random: Random,
  goesOn: () => boolean,
): Promise<void>[] {
  // Members come and go one at a time, so that there is always somebody to ask.
  const nodes = () => cluster.running.length > 0 ? cluster.running : cluster.nodes;
  const shared = (home: number) => ({ home, random: random.fork(), record, nodes, goesOn });
  const clients = Array.from({ length: size * CLIENTS_PER_NODE }, (_, i) => {
    return new Client({ name: `c${i + 1}`, ...shared(i) }).run();
  });
  const lookouts = Array.from({ length: size * LOOKOUTS_PER_NODE }, (_, i) => {
    return lookOut({ name: `l${i + 1}`, ...shared(i) });
  });
  return [...clients, ...lookouts];
}

/** Waits until all clients know what became of their last requests. */
async function ended(clients: readonly Promise<void>[]): Promise<Finding> {
  const what = "every client came to its end";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`not within ${LAST_WORD_MS} ms`), LAST_WORD_MS);
  });
  try {
    const failure = await Promise.race([Promise.all(clients).then(() => null, String), late]);
    return { what, isGood: failure === null, detail: failure ?? `${clients.length} of them` };
  } finally {
    clearTimeout(timer);
  }
}
