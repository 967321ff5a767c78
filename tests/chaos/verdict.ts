/**
 * What a chaos run came to: whether what the clients were told can be true, and whether the cluster is whole
 * again.
 *
 * @module
 */
import { account, type FinalEntry } from "../history/accounting.ts";
import { checkLinearizable, describe, type Operation } from "../history/mod.ts";
import { readPage } from "./calls.ts";
import { eventually } from "../cluster/harness.ts";
import type { ChaosCluster } from "./cluster.ts";
import type { ChaosNode } from "./node.ts";
import { READY_MS } from "./limits.ts";
import type { JournalWrite, Record } from "./record.ts";
import { PREFIXES } from "./workload.ts";

/** One thing that had to be so. */
export interface Finding {
  readonly what: string;
  readonly isGood: boolean;
  readonly detail: string;
}

/** What the journal holds: versionstamps by the id of the write. */
type JournalFound = ReadonlyMap<string, readonly string[]>;

/** Holds the journal that was found against what the clients were told of each write. */
export function judgeJournal(
  told: ReadonlyMap<string, JournalWrite>,
  found: JournalFound,
  sum: number,
): Finding[] {
  const lost: string[] = [];
  const elsewhere: string[] = [];
  const refusedAndThere: string[] = [];
  for (const { id, outcome, versionstamp } of told.values()) {
    const at = found.get(id) ?? [];
    if (outcome === "ok" && at.length === 0) lost.push(id);
    else if (outcome === "ok" && !at.includes(versionstamp!)) elsewhere.push(id);
    if (outcome === "failed" && at.length > 0) refusedAndThere.push(id);
  }
  const doubled = [...found].filter(([, at]) => at.length > 1).map(([id]) => id);
  const strange = [...found.keys()].filter((id) => !told.has(id));
  const entries = [...found.values()].reduce((count, at) => count + at.length, 0);
  const acknowledged = [...told.values()].filter(({ outcome }) => outcome === "ok").length;
  const none = (what: string, ids: readonly string[]): Finding => ({
    what,
    isGood: ids.length === 0,
    detail: ids.length === 0 ? "none" : `${ids.length}: ${ids.slice(0, 10)}`,
  });
  return [
    { ...none("acknowledged writes lost", lost), detail: `${lost.length} of ${acknowledged}` },
    none("writes doubled", doubled),
    none("writes under another version than was answered", elsewhere),
    none("writes that were refused and happened", refusedAndThere),
    none("writes that nobody asked for", strange),
    {
      what: "halves of atomic writes",
      isGood: entries === sum,
      detail: `${entries} lines in the journal, and their sum says ${sum}`,
    },
  ];
}

/** Checks the part of the history that has to be linearizable. */
export function judgeHistory(operations: readonly Operation[]): Finding {
  const verdict = checkLinearizable(operations);
  const size = `${verdict.operations} operations on ${verdict.keys.length} keys`;
  const what = "linearizable";
  switch (verdict.result) {
    case "linearizable":
      return { what, isGood: true, detail: size };
    case "unknown":
      return { what, isGood: false, detail: `${size}: undecided, ${verdict.limit} reached` };
    case "not-linearizable": {
      const { explanation, prefix } = verdict.offence;
      const lines = prefix.slice(-20).map((index) => describe(operations[index]));
      return { what, isGood: false, detail: [`${size}:`, explanation, ...lines].join("\n  ") };
    }
  }
}

/** Holds what is there in the end against what was done: without the checker, and of what nobody read. */
export function judgeFinal(
  operations: readonly Operation[],
  final: readonly FinalEntry[],
): Finding {
  const wrong = account(operations, final).map(({ kind, message }) => `${kind}: ${message}`);
  return {
    what: "the values in the end",
    isGood: wrong.length === 0,
    detail: [`${final.length} keys, ${wrong.length} of them wrong`, ...wrong.slice(0, 10)].join(
      "\n  ",
    ),
  };
}

/** Reads everything under a prefix at a node, page by page, with nobody writing there. */
async function readAll(node: ChaosNode, prefix: string): Promise<FinalEntry[]> {
  const found: FinalEntry[] = [];
  for (let cursor = "";;) {
    const query = `prefix=${prefix}&limit=1000&cursor=${encodeURIComponent(cursor)}`;
    const response = await node.fetch(`/v1/kv?${query}`);
    const body = await response.text();
    if (response.status !== 200) throw new Error(`Cannot list ${prefix}: ${body}`);
    const page = readPage(body);
    found.push(...page.entries);
    cursor = page.cursor;
    if (cursor === "") return found;
  }
}

/** Reads the journal at a node, and its sum. */
async function readJournal(
  node: ChaosNode,
): Promise<{ readonly found: JournalFound; readonly sum: number }> {
  const found = new Map<string, string[]>();
  for (const { key, value } of await readAll(node, "journal")) {
    const id = String(value);
    found.set(id, [...found.get(id) ?? [], key.slice(key.lastIndexOf("/") + 1)]);
  }
  const response = await node.fetch("/v1/kv/journal-sum");
  const text = await response.text();
  return { found, sum: response.status === 404 ? 0 : Number(JSON.parse(text)) };
}

/** Everything alive again, and everybody of one mind. */
export async function judgeCluster(
  cluster: ChaosCluster,
  record: Record,
  operations: readonly Operation[],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const look = async (what: string, act: () => Promise<string>) => {
    try {
      findings.push({ what, isGood: true, detail: await act() });
    } catch (error) {
      const why = error instanceof Error ? `${error.message} ${error.cause ?? ""}` : String(error);
      findings.push({ what, isGood: false, detail: why.trim() });
    }
  };
  const ids = () => cluster.nodes.map(({ id }) => id).join(", ");
  await look("all nodes serve again", async () => {
    await cluster.ready();
    return ids();
  });
  await look("every node takes a write", async () => {
    for (const node of cluster.nodes) {
      const init = { method: "PUT", body: node.id };
      await eventually(`${node.id} takes a write`, async () => {
        const response = await node.fetch(`/v1/kv/last-word/${node.id}`, init);
        await response.body?.cancel();
        return response.status === 200;
      });
    }
    return ids();
  });
  await look(
    "equal state hashes",
    () =>
      eventually("all nodes have one state hash at one index", async () => {
        const views = await Promise.all(cluster.nodes.map((node) => node.view()));
        const hashes = new Set(
          views.map(({ replicas: [it] }) => `${it.stateHash.hash} at index ${it.stateHash.index}`),
        );
        return hashes.size === 1 ? [...hashes][0] : null;
      }, READY_MS),
  );
  await look("everything reads the same everywhere", async () => {
    const texts = new Set<string>();
    for (const node of cluster.nodes) {
      const { found, sum } = await readJournal(node);
      const takeAll = record.beginReadingAll(`end at ${node.id}`, PREFIXES);
      const final = (await Promise.all(PREFIXES.map((prefix) => readAll(node, prefix)))).flat();
      takeAll(final);
      const verdicts = [
        ...judgeJournal(record.journal, found, sum),
        judgeFinal(operations, final),
      ];
      const text = JSON.stringify(verdicts);
      if (!texts.has(text)) findings.push(...verdicts);
      texts.add(text);
    }
    if (texts.size > 1) throw new Error("the nodes differ: each is told above");
    return `at ${ids()}`;
  });
  return findings;
}
