/**
 * `kvctl verify`: whether all replicas hold the same state.
 *
 * @module
 */
import { EXIT_FAILED, EXIT_OK, EXIT_UNEQUAL } from "../exit_codes.ts";
import { pause } from "../pause.ts";
import { answerJson, CallFailed, type ClusterClient } from "./client.ts";
import type { Command, Context } from "./command.ts";
import { type Comparison, HashComparison } from "./hash_comparison.ts";
import { VERIFY_MISSING_MS, VERIFY_POLL_MS, VIEW_MS } from "./limits.ts";
import { askView, isView, type View } from "./view.ts";

export const verifyCommand: Command = {
  name: "verify",
  summary: "compares the replicas' state hashes at one and the same index",
  usage: "verify [flags]",
  help:
    `Asks every member for its state hash until all have reported one at the same index. Then prints
"equal at index N: HASH", or who has which. Exits with 4 if they differ, with 1 if a member is missing or
no common index was seen in time: under writes that takes longer, so give it more --timeout.

  --allow-missing  compares the members that answer; those that do not are only named`,
  flags: { switches: ["allow-missing"] },
  positionalsMin: 0,
  positionalsMax: 0,
  run: verify,
};

/** What came of watching the members for a while. */
interface Outcome {
  readonly difference: Comparison | null;
  /** One a group, among the members that answered; null if no common index was seen. */
  readonly agreement: readonly Comparison[] | null;
  /** By node id: why it is missing. */
  readonly missing: ReadonlyMap<string, string>;
}

async function verify(context: Context): Promise<number> {
  const { args, client, json, io } = context;
  const outcome = await new Verification(client, await askMembers(client)).run();
  const { difference, agreement, missing } = outcome;
  if (json) await io.write(`${outcomeJson(outcome)}\n`);
  else await io.write(describe(outcome));
  if (difference !== null) return EXIT_UNEQUAL;
  const whole = missing.size === 0 || args.switches.has("allow-missing");
  return agreement !== null && whole ? EXIT_OK : EXIT_FAILED;
}

async function askMembers(client: ClusterClient): Promise<View> {
  const view = answerJson(await client.call({ method: "GET", path: "/v1/cluster" }));
  if (isView(view)) return view;
  throw new CallFailed("unexpected", null, "the answer is not a Kvorum node's view of its cluster");
}

/** One run: every member is asked again and again, each at its own pace, until there is an outcome. */
class Verification {
  readonly #clusterId: string;
  readonly #members: View["members"];
  readonly #timeoutMs: number;
  readonly #comparison = new HashComparison();
  readonly #answered = new Set<string>();
  /** By node id: why its last answer was none. */
  readonly #failures = new Map<string, string>();
  readonly #over = new AbortController();
  readonly #startMs = performance.now();
  #stranger: CallFailed | null = null;

  constructor(client: ClusterClient, view: View) {
    this.#clusterId = view.clusterId;
    this.#members = view.members;
    this.#timeoutMs = client.timeoutMs;
  }

  async run(): Promise<Outcome> {
    const timer = setTimeout(() => this.#over.abort(), this.#timeoutMs);
    await Promise.all(this.#members.map((member) => this.#watch(member.id, member.url)));
    clearTimeout(timer);
    if (this.#stranger !== null) throw this.#stranger;
    const agreement = this.#isComparable() ? this.#comparison.agreement(this.#answered) : null;
    return {
      difference: this.#comparison.difference,
      agreement,
      missing: this.#missing(agreement !== null),
    };
  }

  /** A member that answered and then stopped to is missing as well, unless enough was heard of it. */
  #missing(enoughHeard: boolean): Map<string, string> {
    const missing = new Map<string, string>();
    for (const { id } of this.#members) {
      const why = this.#failures.get(id);
      const heard = this.#answered.has(id) && (enoughHeard || why === undefined);
      if (!heard) missing.set(id, why ?? "did not answer in time");
    }
    return missing;
  }

  async #watch(id: string, url: string): Promise<void> {
    while (!this.#over.signal.aborted) {
      const leftMs = this.#timeoutMs - (performance.now() - this.#startMs);
      const asked = await askView(url, Math.max(1, Math.min(VIEW_MS, leftMs)));
      if ("view" in asked) this.#take(id, url, asked.view);
      // A question that the end cut short says less than the answer or the failure before it.
      else if (!asked.isLate || leftMs >= VIEW_MS || !this.#wasHeard(id)) {
        this.#failures.set(id, asked.why);
      }
      if (this.#isDecided()) this.#over.abort();
      await pause(VERIFY_POLL_MS, this.#over.signal);
    }
  }

  #wasHeard(id: string): boolean {
    return this.#answered.has(id) || this.#failures.has(id);
  }

  #take(id: string, url: string, view: View): void {
    if (view.clusterId !== this.#clusterId) {
      const message =
        `${url}, where ${id} should be, belongs to another cluster: ${view.clusterId}`;
      this.#stranger = new CallFailed("wrong-cluster", null, message);
    } else if (view.node !== id) {
      this.#failures.set(id, `${url} is ${view.node}`);
    } else {
      this.#answered.add(id);
      this.#failures.delete(id);
      for (const replica of view.replicas) {
        this.#comparison.add(id, replica.group, replica.stateHash);
      }
    }
  }

  #isDecided(): boolean {
    if (this.#stranger !== null || this.#comparison.difference !== null) return true;
    const whole = this.#answered.size === this.#members.length;
    const waitedMs = performance.now() - this.#startMs;
    if (!whole && waitedMs < VERIFY_MISSING_MS) return false;
    return this.#isComparable() && this.#comparison.agreement(this.#answered) !== null;
  }

  /** One replica of several proves nothing. */
  #isComparable(): boolean {
    return this.#answered.size >= Math.min(2, this.#members.length);
  }
}

function describe({ difference, agreement, missing }: Outcome): string {
  const lines: string[] = [];
  if (difference !== null) {
    lines.push(`DIFFERENT at index ${difference.index}${inGroup(difference)}:`);
    for (const [node, hash] of difference.hashes) lines.push(`  ${node} ${hash}`);
  } else if (agreement !== null) {
    for (const comparison of agreement) {
      const [hash] = comparison.hashes.values();
      lines.push(`equal at index ${comparison.index}${inGroup(comparison)}: ${hash}`);
    }
  } else lines.push("not compared: no index was seen at which enough members reported a hash");
  for (const [node, why] of missing) lines.push(`missing: ${node} (${why})`);
  return lines.map((line) => `${line}\n`).join("");
}

/** Today there is one group, and nobody needs to know its name. */
function inGroup({ group }: Comparison): string {
  return group === "0" ? "" : ` of group ${group}`;
}

function outcomeJson({ difference, agreement, missing }: Outcome): string {
  const compared = difference === null ? agreement ?? [] : [difference];
  return JSON.stringify({
    equal: difference === null ? agreement !== null : false,
    groups: compared.map(({ group, index, hashes }) => ({
      group,
      index,
      hashes: Object.fromEntries(hashes),
    })),
    missing: Object.fromEntries(missing),
  });
}
