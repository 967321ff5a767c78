/**
 * The clients of a run: each asks one thing after the other at random nodes, and records what it was told.
 *
 * A client whose node dies does not hear of its call again; what became of that stays open for ever, unless
 * it brought an idempotency key: then it asks again under the same key, perhaps elsewhere.
 *
 * @module
 */
import type { Operation } from "./linearizable.ts";
import type { Machine } from "./machine.ts";
import type { Mark } from "./marks.ts";
import {
  drawRead,
  drawWrite,
  historyEntry,
  type Request,
  stampText,
  wireWrite,
} from "./requests.ts";
import { Dice } from "./random.ts";
import { outlivesMemory } from "./schedule.ts";
import type { World } from "./world.ts";
import type { Consistency, ServedRead, WriteResult } from "../../actors/service.ts";
import type { AtomicWrite } from "../../kv/types.ts";

/** Calls that a history of one run holds: longer ones take the checker too long. */
const OPERATIONS_MAX = 400;
/** How long a call may take, in ms of virtual time. */
const CALL_MS = 2_000;
const CLIENT_SALT = 0xc11e;

/** What a service may fail with, by its contract; everything else is a bug. */
const OUTCOMES: ReadonlySet<string> = new Set([
  ...["NoLeader", "Overloaded", "Draining", "NotServing", "OutcomeUnknown", "TooStale"],
  ...["NotCaughtUp", "StorageExhausted", "AdminRefused"],
]);

export function isOutcome(error: Error): boolean {
  return OUTCOMES.has(error.name);
}

/** One request on its way. */
interface Call {
  readonly request: Request;
  readonly machine: Machine;
  readonly process: Machine["process"];
  readonly term: number;
}

export class Clients {
  readonly #world: World;
  readonly #clients: Client[] = [];
  readonly history: Operation[] = [];
  #isOver = false;
  #asked = 0;

  constructor(world: World) {
    this.#world = world;
    for (let n = 0; n < world.schedule.clients; n++) this.#clients.push(new Client(this, world, n));
    world.onDown = (machine) => {
      for (const client of this.#clients) client.lost(machine);
    };
  }

  /** Whether one more request may be asked. */
  mayAsk(): boolean {
    return !this.#isOver && this.#asked++ < OPERATIONS_MAX;
  }

  /** No more requests; those that are still on their way are not waited for. */
  end(): void {
    this.#isOver = true;
    for (const client of this.#clients) client.giveUp();
  }

  get open(): number {
    return this.#clients.filter((client) => client.isWaiting).length;
  }

  record(operation: Operation): void {
    this.history.push(operation);
  }

  nowMs(): number {
    return this.#world.env.now();
  }
}

class Client {
  readonly #clients: Clients;
  readonly #world: World;
  readonly #name: string;
  readonly #dice: Dice;
  /** The highest index that it has seen: what its session reads must see. */
  #seenIndex = 0;
  #requests = 0;
  #call: Call | null = null;
  /** What is to be asked again soon. */
  #retrying: Request | null = null;

  constructor(clients: Clients, world: World, number: number) {
    this.#clients = clients;
    this.#world = world;
    this.#name = `c${number + 1}`;
    this.#dice = new Dice((world.schedule.seed * 31 + number + CLIENT_SALT) >>> 0);
    this.#rest();
  }

  get isWaiting(): boolean {
    return this.#call !== null;
  }

  /** Its node is gone. */
  lost(machine: Machine): void {
    if (this.#call?.machine === machine) this.#unknown(this.#call.request);
  }

  giveUp(): void {
    const request = this.#call?.request ?? this.#retrying;
    this.#call = null;
    this.#retrying = null;
    if (request !== null) this.#record(request, { outcome: "unknown" });
  }

  #rest(): void {
    const ms = 1 + this.#dice.below(2 * this.#world.schedule.thinkMs);
    this.#world.env.setTimer(() => {
      if (this.#clients.mayAsk()) this.#ask(this.#draw());
    }, ms);
  }

  #draw(): Request {
    const number = ++this.#requests;
    const base = { client: this.#name, invokedAt: this.#clients.nowMs() };
    if (this.#dice.happens(40)) {
      const read = drawRead(this.#dice, this.#world.schedule.keys, this.#seenIndex);
      return {
        ...base,
        type: "read",
        ...read,
        asked: this.#world.watch.reads.asked(read.consistency),
      };
    }
    const write = drawWrite(this.#dice, this.#world.schedule, this.#value(number), this.#seen);
    // What is asked again when its key is forgotten is done again.
    if (outlivesMemory(this.#world.schedule)) write.idempotencyKey = null;
    return { ...base, type: "write", ...write };
  }

  /** No value is ever set by two requests. */
  #value(number: number): string {
    return `${this.#name}.${number}`.padEnd(this.#world.schedule.valueBytes, ".");
  }

  /** What it read last of each key: by that it checks and sets. */
  readonly #seen = new Map<string, string | null>();

  #ask(request: Request): void {
    const machine = this.#dice.pick(this.#world.machines);
    const { process } = machine;
    // Nobody listens there: it was certainly not done.
    if (process === null) return this.#failed(request);
    const call = { request, machine, process, term: machine.life?.core.term ?? 0 };
    this.#call = call;
    this.#world.trace.note(
      5,
      machine.at,
      this.#requests,
      () => `${this.#name} asks ${machine.id}: ${describe(request)}`,
    );
    const { service } = process.node;
    if (request.type === "read") {
      const query = { type: "get", keys: request.encoded } as const;
      service.read(query, request.consistency, { deadlineMs: CALL_MS }).then(
        (read) => this.#answered(call, () => this.#read(call, request, read)),
        (error) => this.#answered(call, () => this.#refused(call, error)),
      );
    } else {
      const write = wireWrite(request);
      service.write(write, { deadlineMs: CALL_MS }).then(
        (result) => this.#answered(call, () => this.#written(call, request, write, result)),
        (error) => this.#answered(call, () => this.#refused(call, error)),
      );
    }
  }

  /** An answer came: of a call that is still wanted, and of a process that lives. */
  #answered(call: Call, take: () => void): void {
    if (this.#call !== call || call.machine.process !== call.process) return;
    this.#call = null;
    this.#world.trace.note(6, call.machine.at, this.#requests, () => `${this.#name} is answered`);
    take();
  }

  #read(call: Call, request: Extract<Request, { type: "read" }>, read: ServedRead): void {
    const { watch, marks } = this.#world;
    watch.check("fresh-reads", () => watch.reads.answered(call.machine.id, request.asked, read));
    this.#seenIndex = Math.max(this.#seenIndex, read.index);
    const { mode } = request.consistency;
    if (mode === "lease") marks[read.served === "lease" ? "lease-read" : "lease-denied"]++;
    this.#noteTerm(call, "read-outlived-leader", mode);
    const entries = read.results[0]!.map(historyEntry);
    request.keys.forEach((key, at) => this.#seen.set(key, entries[at]?.versionstamp ?? null));
    this.#record(request, { outcome: "ok", entries });
    this.#rest();
  }

  #written(
    call: Call,
    request: Extract<Request, { type: "write" }>,
    write: AtomicWrite,
    result: WriteResult,
  ): void {
    const { watch, marks } = this.#world;
    switch (result.status) {
      case "applied": {
        const { index } = result.versionstamp;
        watch.check("acknowledged", () => watch.acknowledged.told(write, index));
        this.#seenIndex = Math.max(this.#seenIndex, index);
        this.#noteTerm(call, "write-outlived-leader", "linearizable");
        this.#record(request, { outcome: "ok", versionstamp: stampText(result.versionstamp) });
        break;
      }
      case "check-failed":
        marks["check-failed"]++;
        this.#record(request, { outcome: "check-failed", failedChecks: result.failedChecks });
        break;
      case "refused":
        watch.broken("no-internal-error", `a write was refused: ${result.code} ${result.message}`);
    }
    this.#rest();
  }

  #noteTerm({ machine, term }: Call, mark: Mark, mode: Consistency["mode"]): void {
    const now = machine.life?.core.term ?? 0;
    if (mode === "linearizable" && term > 0 && now > term) this.#world.marks[mark]++;
  }

  #refused({ request }: Call, error: Error): void {
    const { marks, watch } = this.#world;
    if (!isOutcome(error)) watch.broken("no-internal-error", `a client is told ${error.stack}`);
    if (error.name === "TooStale") marks["stale-read-refused"]++;
    if (error.name === "NotCaughtUp") marks["session-read-waited"]++;
    if (error.name === "StorageExhausted") marks["write-refused-by-full-disk"]++;
    if (error.name === "OutcomeUnknown") return this.#unknown(request);
    this.#failed(request);
  }

  /** It was certainly not done. */
  #failed(request: Request): void {
    // Of the attempt before, that says nothing.
    if (request.type === "write" && request.isRetried) return this.#unknown(request);
    this.#record(request, { outcome: "failed" });
    this.#rest();
  }

  /** Nobody can tell. With an idempotency key it may be asked again. */
  #unknown(request: Request): void {
    this.#call = null;
    this.#world.marks["outcome-unknown"]++;
    if (request.type === "write" && request.idempotencyKey !== null && this.#dice.happens(80)) {
      request.isRetried = true;
      this.#retrying = request;
      this.#world.env.setTimer(() => {
        if (this.#retrying !== request) return;
        this.#retrying = null;
        this.#ask(request);
      }, 5 + this.#dice.below(200));
      return;
    }
    this.#record(request, { outcome: "unknown" });
    this.#rest();
  }

  #record(request: Request, outcome: OutcomeOf): void {
    this.#world.trace.tell(`${this.#name} ${describe(request)} comes to ${tellOutcome(outcome)}`);
    const isJudged = request.type === "write" ||
      this.#world.watch.reads.isLinearizable(request.consistency);
    if (!isJudged || !request.isRecorded) return;
    const { client, invokedAt } = request;
    const completedAt = outcome.outcome === "unknown" ? null : this.#clients.nowMs();
    const action = request.type === "read"
      ? { op: "read", keys: request.keys }
      : { op: "write", checks: request.checks, mutations: request.mutations };
    this.#clients.record({ client, invokedAt, completedAt, ...action, ...outcome } as Operation);
  }
}

type OutcomeOf =
  | { readonly outcome: "failed" | "unknown" }
  | {
    readonly outcome: "ok";
    readonly versionstamp?: string;
    readonly entries?: readonly ReturnType<typeof historyEntry>[];
  }
  | { readonly outcome: "check-failed"; readonly failedChecks: readonly number[] };

/** What a trace shows of a value. */
const SHOWN_CHARS = 12;

function tellOutcome(outcome: OutcomeOf): string {
  if (outcome.outcome === "check-failed") return `check-failed ${outcome.failedChecks}`;
  if (outcome.outcome !== "ok") return outcome.outcome;
  if (outcome.versionstamp !== undefined) return `ok ${outcome.versionstamp}`;
  const entries = outcome.entries?.map((entry) =>
    entry === null
      ? "nothing"
      : `${String(entry.value).slice(0, SHOWN_CHARS)} of ${entry.versionstamp}`
  );
  return `ok ${entries}`;
}

function describe(request: Request): string {
  if (request.type === "read") return `${request.consistency.mode} read of ${request.keys}`;
  const mutations = request.mutations.map((it) =>
    it.type === "delete"
      ? `delete ${it.key}`
      : `${it.type} ${it.key} ${String(it.value).slice(0, SHOWN_CHARS)}`
  );
  const key = request.idempotencyKey === null ? "" : ` under ${request.idempotencyKey}`;
  return `write ${request.checks.length} checks, ${mutations}${key}`;
}
