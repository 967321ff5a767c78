/**
 * One client of a chaos run: asks its nodes for one operation after the other, and records what it is told.
 *
 * Some writes go with an idempotency key, from node to node until one has said what became of them; all
 * others are sent once.
 *
 * @module
 */
import {
  compareVersionstamps,
  type ReadAction,
  type ReadOutcome,
  type WriteOutcome,
} from "../history/mod.ts";
import { readAnswer, readCall, type Said, writeAnswer, writeCall } from "./calls.ts";
import { type Answer, type CallRequest, Connection } from "./http_client.ts";
import { ATTEMPT_MAX_MS, ATTEMPT_MIN_MS, RETRIED_MS, RETRY_MS, THINK_MS } from "./limits.ts";
import type { ChaosNode } from "./node.ts";
import type { Random } from "./random.ts";
import type { Kind, Record } from "./record.ts";
import { type Task, Workload, type WriteTask } from "./workload.ts";

export interface ClientOptions {
  readonly name: string;
  /** Which of the nodes, round and round. */
  readonly home: number;
  readonly random: Random;
  readonly record: Record;
  /** The nodes that may be asked now; never empty. */
  readonly nodes: () => readonly ChaosNode[];
  readonly goesOn: () => boolean;
}

/** An outcome with the headers it came with, if it came. */
interface Ended<O> {
  readonly outcome: O;
  readonly headers: ReadonlyMap<string, string> | null;
}

const NO_OUTCOME = { failed: { outcome: "failed" }, unknown: { outcome: "unknown" } } as const;

export class Client {
  readonly #options: ClientOptions;
  readonly #workload: Workload;
  readonly #connections = new Map<string, Connection>();
  /** The greatest version that this client has met: its session. */
  #seen = "";
  #operations = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#workload = new Workload(options.name, options.random);
  }

  /** Goes on until it may not. */
  async run(): Promise<void> {
    const { goesOn, random } = this.#options;
    try {
      while (goesOn()) {
        await this.#one(this.#workload.next(performance.now()));
        await pause(random.fraction() * THINK_MS);
      }
    } finally {
      for (const connection of this.#connections.values()) connection.close();
    }
  }

  async #one(task: Task): Promise<void> {
    this.#operations += 1;
    switch (task.type) {
      case "read":
        return await this.#read(task.kind, task.action);
      case "write":
        return await this.#write(task);
      case "journal":
        return await this.#journal(task.id, task.isKeyed);
      case "session":
        return await this.#session(task.key);
      case "eventual":
        return await this.#eventual(task.key, task.maxStalenessMs);
    }
  }

  async #read(kind: Kind, action: ReadAction): Promise<void> {
    const { name, record } = this.#options;
    const freshness = kind === "lease read" ? "consistency=lease" : "";
    const ticket = record.invoke(name, action);
    const { outcome } = await this.#ask<ReadOutcome>(
      readCall(action, freshness),
      (answer) => readAnswer(action, answer),
      false,
    );
    record.read(kind, ticket, outcome);
    if (outcome.outcome === "ok") this.#workload.saw(action.keys, outcome.entries);
  }

  async #write({ kind, action, door, isKeyed, expireInMs }: WriteTask): Promise<void> {
    const { name, record } = this.#options;
    const key = isKeyed ? this.#idempotencyKey() : null;
    const ticket = record.invoke(name, action);
    const expired = expireInMs === null ? null : record.invokeExpiry(action);
    const { outcome } = await this.#ask<WriteOutcome>(
      writeCall(action, door, key, expireInMs),
      writeAnswer,
      isKeyed,
    );
    record.wrote(kind, ticket, outcome);
    expired?.(outcome);
    if (outcome.outcome === "ok") {
      this.#meet(outcome.versionstamp!);
      this.#workload.wrote(action, outcome.versionstamp!);
    }
  }

  /** One line in the journal and one in its sum, which are to happen together, and once. */
  async #journal(id: string, isKeyed: boolean): Promise<void> {
    const { name, record } = this.#options;
    const key = isKeyed ? this.#idempotencyKey() : null;
    const body = JSON.stringify({
      mutations: [
        { type: "set-suffix-versionstamp", key: ["journal", name], value: id },
        { type: "sum", key: ["journal-sum"], value: "1" },
      ],
    });
    const headers = {
      "content-type": "application/json",
      ...(key === null ? {} : { "idempotency-key": key }),
    };
    const request = { method: "POST", path: "/v1/atomic", headers, body };
    const { outcome } = await this.#ask<WriteOutcome>(request, writeAnswer, isKeyed);
    record.count("journal", outcome.outcome);
    if (outcome.outcome === "check-failed") {
      return record.violation(`${name}: a write without checks failed one: ${id}`);
    }
    const versionstamp = outcome.outcome === "ok" ? outcome.versionstamp! : null;
    record.journal.set(id, { id, outcome: outcome.outcome, versionstamp });
    if (versionstamp === null) return;
    record.acknowledged(versionstamp);
    this.#meet(versionstamp);
  }

  /** A session read must have seen all that this client has. */
  async #session(key: string): Promise<void> {
    const { name, record } = this.#options;
    const min = this.#seen;
    const query = min === "" ? "consistency=session" : `consistency=session&min=${min}`;
    const seen = await this.#look("session read", key, query);
    if (seen === null) return;
    if (min !== "" && compareVersionstamps(seen.versionstamp, min) < 0) {
      record.violation(`${name}: a session read at ${seen.versionstamp} lacks ${min}`);
    }
    this.#meet(seen.versionstamp);
  }

  /** An eventual read with a bound must have seen all that was acknowledged longer ago. */
  async #eventual(key: string, maxStalenessMs: number): Promise<void> {
    const { name, record } = this.#options;
    const askedMs = performance.now();
    const query = `consistency=eventual&maxStalenessMs=${maxStalenessMs}`;
    const seen = await this.#look("eventual read", key, query);
    if (seen === null) return;
    const due = record.acknowledgedBefore(askedMs - maxStalenessMs);
    if (due !== null && compareVersionstamps(seen.versionstamp, due) < 0) {
      const bound = `${due}, acknowledged more than ${maxStalenessMs} ms before it was asked`;
      record.violation(`${name}: an eventual read at ${seen.versionstamp} lacks ${bound}`);
    }
  }

  /** A read whose promise is about the version of the state that it shows; gives that. */
  async #look(kind: Kind, key: string, query: string): Promise<{ versionstamp: string } | null> {
    const { name, record } = this.#options;
    const action: ReadAction = { op: "read", keys: [key] };
    const { outcome, headers } = await this.#ask<ReadOutcome>(
      readCall(action, query),
      (answer) => readAnswer(action, answer),
      false,
    );
    record.count(kind, outcome.outcome);
    if (outcome.outcome !== "ok") return null;
    const versionstamp = headers?.get("x-kvorum-versionstamp");
    if (versionstamp === undefined) {
      record.violation(`${name}: a ${kind} does not say at which version it was`);
      return null;
    }
    record.looked({ client: name, kind, key, entry: outcome.entries[0], versionstamp });
    return { versionstamp };
  }

  /** Asks once; or from node to node until the outcome is known. */
  async #ask<O>(
    request: CallRequest,
    understand: (answer: Answer) => Said<O>,
    isRetried: boolean,
  ): Promise<Ended<O | typeof NO_OUTCOME["failed"] | typeof NO_OUTCOME["unknown"]>> {
    const { random, record, name } = this.#options;
    const endMs = performance.now() + (isRetried ? RETRIED_MS : 0);
    let isPossible = false;
    let node = random.chance(0.8) ? this.#options.home : random.between(0, 1000);
    for (;;) {
      const nodes = this.#options.nodes();
      const connection = this.#connectionTo(nodes[node++ % nodes.length]);
      const said = understand(
        await connection.call(request, random.between(ATTEMPT_MIN_MS, ATTEMPT_MAX_MS)),
      );
      if (said.type === "outcome") return { outcome: said.outcome, headers: said.headers };
      if (said.type === "wrong") {
        record.violation(
          `${name}: ${request.method} ${request.path} was answered with ${said.why}`,
        );
      }
      isPossible ||= said.type !== "refused";
      if (performance.now() > endMs) break;
      record.retries += 1;
      await pause(RETRY_MS);
    }
    if (!isPossible) await pause(RETRY_MS);
    return { outcome: isPossible ? NO_OUTCOME.unknown : NO_OUTCOME.failed, headers: null };
  }

  #connectionTo(node: ChaosNode): Connection {
    const { host, port } = node.config;
    const name = `${host}:${port}`;
    const known = this.#connections.get(name) ?? new Connection(host, port);
    this.#connections.set(name, known);
    return known;
  }

  #idempotencyKey(): string {
    return `${this.#options.name}-${this.#operations}`;
  }

  #meet(versionstamp: string): void {
    if (compareVersionstamps(this.#seen, versionstamp) < 0) this.#seen = versionstamp;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
