/**
 * Requests that only the leader can do, from any node: this passes them on, and answers those of others.
 *
 * Messages get lost, and leaders change meanwhile. A request is asked again, of whoever leads then,
 * until its deadline; once it may have been done it is asked as a retry, which finds its own work done
 * and calls that success (see AdminCommand). Only if nobody could say in the end is the outcome unknown.
 *
 * Not here: what is allowed (raft/), and when it is done (administration.ts).
 *
 * @module
 */
import { type AdminQuestion, decodeOutcome, decodeQuestion, encodeAdmin } from "./admin_codec.ts";
import {
  type AdminCommand,
  type AdminOutcome,
  type AdminRefusalOfCore,
  REFUSALS,
} from "./admin_types.ts";
import {
  ADMIN_CALL_MS,
  ADMIN_POLL_MS,
  ADMIN_RESEND_MS,
  ADMIN_SERVED_MAX,
  HANDOVER_MS,
} from "./limits_replica.ts";
import { AdminRefused, NoLeader, OutcomeUnknown } from "./outcomes.ts";
import type { Env } from "./types.ts";
import type { AdminReply, AdminRequest } from "../raft/message.ts";
import type { NodeId } from "../raft/types.ts";

/** What administration needs of its node. */
export interface AdminPorts {
  readonly self: NodeId;
  readonly env: Env;
  /** Who leads, as far as this node knows. */
  leader(): NodeId | null;
  send(to: NodeId, message: AdminRequest | AdminReply): boolean;
  /** Has this node's own replica do it; never rejects. */
  perform(command: AdminCommand, timeoutMs: number): Promise<AdminOutcome>;
}

/** The outcomes that need no other attempt. */
export type AdminResult = Extract<AdminOutcome, { status: "changed" | "moved" }>;

export class Admin {
  readonly #ports: AdminPorts;
  /** This node's requests at other nodes, by id. */
  readonly #asked = new Map<number, (outcome: AdminOutcome) => void>();
  /** Other nodes' requests by asker and id; null while one is being done. The oldest are forgotten. */
  readonly #served = new Map<string, Uint8Array | null>();

  constructor(ports: AdminPorts) {
    this.#ports = ports;
  }

  /**
   * Has the leader do it, whoever that is.
   *
   * @throws {AdminRefused} with nothing changed; {NoLeader} likewise; {OutcomeUnknown} otherwise.
   * @throws {DOMException} `AbortError`.
   */
  async run(command: AdminCommand, callMs: number, signal?: AbortSignal): Promise<AdminResult> {
    const { env } = this.#ports;
    const endMs = env.now() + callMs;
    const first = this.#ports.leader();
    let attempted = false;
    for (;;) {
      signal?.throwIfAborted();
      const restMs = endMs - env.now();
      if (restMs <= 0) break;
      const leader = this.#ports.leader();
      if (attempted && command.op === "transfer" && isHandedOver(command.to, first, leader)) {
        return { status: "moved", leader: leader as NodeId };
      }
      const asked = command.op === "change" ? { ...command, retried: attempted } : command;
      const outcome = leader === null ? NOT_NOW : await this.#askLeader(leader, asked, endMs);
      if (outcome.status === "changed") return outcome;
      if (outcome.status === "moved") return await this.#awaitLeader(outcome, endMs);
      if (outcome.status === "lost") attempted = true;
      // The change that is in progress may be this one, on its way.
      const isOwn = attempted && isPassing(outcome);
      if (outcome.status === "refused" && !isOwn) throw refusal(outcome.reason);
      await this.#pause(Math.min(ADMIN_POLL_MS, restMs));
    }
    if (attempted) {
      throw new OutcomeUnknown("Cannot tell whether it was done: the leader was lost meanwhile");
    }
    throw new NoLeader("Cannot administrate: no leader was ready in time");
  }

  /** Takes a message from another node. */
  receive(from: NodeId, message: AdminRequest | AdminReply): void {
    if (message.type === "admin-request") {
      this.#serve(from, message);
      return;
    }
    const outcome = decodeOutcome(message.body);
    if (outcome !== null) this.#asked.get(message.id)?.(outcome);
  }

  /** Whoever took over stands for election first: waits a little until this node knows that it leads. */
  async #awaitLeader(
    moved: Extract<AdminOutcome, { status: "moved" }>,
    endMs: number,
  ): Promise<AdminResult> {
    const { env } = this.#ports;
    const untilMs = Math.min(endMs, env.now() + HANDOVER_MS);
    while (this.#ports.leader() !== moved.leader && env.now() < untilMs) {
      await this.#pause(ADMIN_POLL_MS);
    }
    return { status: "moved", leader: this.#ports.leader() ?? moved.leader };
  }

  async #askLeader(leader: NodeId, command: AdminCommand, endMs: number): Promise<AdminOutcome> {
    const { self, env } = this.#ports;
    const restMs = Math.max(1, endMs - env.now());
    if (leader === self) return await this.#ports.perform(command, restMs);
    return await this.#askPeer(leader, { command, timeoutMs: Math.ceil(restMs) }, endMs);
  }

  /** Asks until there is an answer, the deadline, or another leader. */
  async #askPeer(leader: NodeId, question: AdminQuestion, endMs: number): Promise<AdminOutcome> {
    const { env } = this.#ports;
    const id = (env.randomUint32() & 0xffff) * 2 ** 32 + env.randomUint32();
    const request = { type: "admin-request", id, body: encodeAdmin(question) } as const;
    let answer: AdminOutcome | null = null;
    let wake = () => {};
    this.#asked.set(id, (outcome) => {
      answer = outcome;
      wake();
    });
    try {
      let sent = false;
      let sendMs = env.now();
      while (env.now() < endMs && this.#ports.leader() === leader) {
        if (env.now() >= sendMs) {
          sent = this.#ports.send(leader, request) || sent;
          sendMs += ADMIN_RESEND_MS;
        }
        await this.#pause(ADMIN_POLL_MS, (resolve) => wake = resolve);
        if (answer !== null) return answer;
      }
      return sent ? { status: "lost" } : NOT_NOW;
    } finally {
      this.#asked.delete(id);
    }
  }

  /** Does it once, however often it is asked, and answers each time that it is asked after that. */
  #serve(from: NodeId, { id, body }: AdminRequest): void {
    const key = `${from} ${id}`;
    const known = this.#served.get(key);
    if (known !== undefined) {
      if (known !== null) this.#ports.send(from, { type: "admin-reply", id, body: known });
      return;
    }
    const question = decodeQuestion(body);
    if (question === null || !this.#makeRoom()) return;
    this.#served.set(key, null);
    const timeoutMs = Math.min(question.timeoutMs, ADMIN_CALL_MS);
    void this.#ports.perform(question.command, timeoutMs).then((outcome) => {
      const reply = encodeAdmin(outcome);
      this.#served.set(key, reply);
      this.#ports.send(from, { type: "admin-reply", id, body: reply });
    });
  }

  /** False if everything that is remembered is still under way. */
  #makeRoom(): boolean {
    if (this.#served.size < ADMIN_SERVED_MAX) return true;
    for (const [key, body] of this.#served) {
      if (body === null) continue;
      this.#served.delete(key);
      return true;
    }
    return false;
  }

  #pause(ms: number, waker: (wake: () => void) => void = () => {}): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#ports.env.setTimer(resolve, ms);
      waker(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}

const NOT_NOW: AdminOutcome = { status: "not-now" };

function refusal(reason: AdminRefusalOfCore): AdminRefused {
  return new AdminRefused(reason, `Cannot do it: ${REFUSALS[reason]}`);
}

function isPassing(outcome: AdminOutcome): boolean {
  if (outcome.status !== "refused") return false;
  return outcome.reason === "change-in-progress" || outcome.reason === "transfer-in-progress";
}

/** Whether a transfer that may have been done was: the one who was to lead does, or just another one. */
function isHandedOver(to: NodeId | null, first: NodeId | null, leader: NodeId | null): boolean {
  return leader !== null && (to === null ? leader !== first : leader === to);
}
