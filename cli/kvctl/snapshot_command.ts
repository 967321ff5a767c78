/**
 * `kvctl snapshot`: makes nodes take a snapshot now, and cut their logs off behind it.
 *
 * @module
 */
import { EXIT_FAILED, EXIT_OK } from "../exit_codes.ts";
import { formatTable } from "../table.ts";
import { answerJson, CallFailed, ClusterClient, jsonCall } from "./client.ts";
import type { Command, Context } from "./command.ts";
import { SNAPSHOT_TIMEOUT_MS } from "./limits.ts";
import { freshestView } from "./view.ts";

export const snapshotCommand: Command = {
  name: "snapshot",
  summary: "makes nodes take a snapshot now",
  usage: "snapshot [--all] [flags]",
  help:
    `Each node given by --url takes a snapshot of its own state, and cuts its log off but for the tail that
slow followers may need. Exits with 1 if one of them did not. A large one beside a load takes a minute, so
without --timeout an answer is waited for up to five; a node that cannot be reached fails as elsewhere.

  --all  every member, not only the nodes given`,
  flags: { switches: ["all"] },
  positionalsMin: 0,
  positionalsMax: 0,
  run: snapshot,
};

/** What came of one node's snapshot. */
type Outcome =
  & { readonly url: string }
  & ({ readonly index: number } | {
    readonly failure: CallFailed;
  });

async function snapshot({ args, client, io, json }: Context): Promise<number> {
  const urls = args.switches.has("all")
    ? (await freshestView(client.urls, client.timeoutMs)).members.map((member) => member.url)
    : client.urls;
  const answerMs = args.values.has("timeout") ? client.timeoutMs : SNAPSHOT_TIMEOUT_MS;
  const outcomes = await Promise.all(
    urls.map((url) => takeOne(url, client.timeoutMs, answerMs)),
  );
  if (json) await io.write(`${JSON.stringify({ snapshots: outcomes.map(outcomeJson) })}\n`);
  else {
    const rows = outcomes.map((outcome) => [
      outcome.url,
      "index" in outcome ? String(outcome.index) : outcome.failure.message,
    ]);
    await io.write(`${formatTable([["url", "snapshot at index"], ...rows])}\n`);
  }
  return outcomes.every((outcome) => "index" in outcome) ? EXIT_OK : EXIT_FAILED;
}

async function takeOne(url: string, timeoutMs: number, answerMs: number): Promise<Outcome> {
  const call = { ...jsonCall("POST", "/v1/cluster/snapshot", {}, "kvctl status"), answerMs };
  try {
    // A host that drops packets looks, to the long wait, like a node at work: so see first that it answers.
    if (answerMs > timeoutMs) await freshestView([url], timeoutMs);
    const answer = answerJson(await new ClusterClient([url], timeoutMs).call(call));
    const { snapshotIndex } = (answer ?? {}) as Record<string, unknown>;
    if (typeof snapshotIndex === "number") return { url, index: snapshotIndex };
    const message = "the answer does not say where the snapshot stands";
    return { url, failure: new CallFailed("unexpected", null, message) };
  } catch (error) {
    if (error instanceof CallFailed) return { url, failure: error };
    throw error;
  }
}

function outcomeJson(outcome: Outcome): unknown {
  if ("index" in outcome) return { url: outcome.url, snapshotIndex: outcome.index };
  const { code, status, message } = outcome.failure;
  return { url: outcome.url, error: { code, status, message } };
}
