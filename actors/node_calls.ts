/**
 * The node's service: one call a method, from the client's request to its outcome.
 *
 * Not here: what starts and ends the node (node.ts), and what the replica does with a call.
 *
 * @module
 */
import { Admin } from "./admin.ts";
import type { AdminCommand, AdminOutcome } from "./admin_types.ts";
import { Backups } from "./backup.ts";
import type { Captured } from "./capture.ts";
import { ActorFailed, ActorStopped, AskTimeout, MailboxFull } from "./errors.ts";
import {
  ADMIN_CALL_MS,
  ADMIN_POLL_MS,
  ASK_GRACE_MS,
  CALL_DEADLINE_MS,
  HANDOVER_MS,
  SNAPSHOT_CALL_MS,
} from "./limits_replica.ts";
import { whyDamaged, whyFailed } from "./halt.ts";
import type { Membership } from "./membership.ts";
import { AdminRefused, Draining, NotServing, OutcomeUnknown, Overloaded } from "./outcomes.ts";
import type { ReplicaMessage, ReplicaView } from "./replica_types.ts";
import {
  type Backup,
  type CallOptions,
  type ClusterService,
  type ClusterStatus,
  type Consistency,
  type KvService,
  LINEARIZABLE,
  type MemberRequest,
  type MemberStatus,
  type ServedRead,
  type Watch,
  type WatchRequest,
  type WriteResult,
} from "./service.ts";
import type { Env, Ref, Reply } from "./types.ts";
import { comeTo, WatchPlaces } from "./watch_places.ts";
import { ByteSlab, COMMAND_SLABS } from "../kv/byte_slab.ts";
import { encodeAtomicWrite } from "../kv/command.ts";
import type { AtomicWrite, ReadQuery } from "../kv/types.ts";
import type { ShellMessage } from "../raft/message.ts";
import { type NodeId, nodeId } from "../raft/types.ts";

/** What the calls need of their node. */
export interface CallPorts {
  readonly id: NodeId;
  readonly clusterId: string;
  readonly env: Env;
  readonly view: ReplicaView;
  readonly membership: Membership;
  /** Null until the node has started its replica. */
  replica(): Ref<ReplicaMessage> | null;
  /** What the replica failed with last; null if it did not. */
  failure(): unknown;
  send(to: NodeId, message: ShellMessage): boolean;
}

export class NodeCalls implements KvService, ClusterService {
  readonly #ports: CallPorts;
  readonly #admin: Admin;
  readonly #backups: Backups;
  readonly #watches = new WatchPlaces();
  readonly #commands = new ByteSlab(COMMAND_SLABS);
  #state: "serving" | "retiring" | "draining" = "serving";
  #inFlight = 0;
  #onIdle: (() => void) | null = null;

  constructor(ports: CallPorts) {
    this.#ports = ports;
    this.#backups = new Backups(ports.env);
    this.#admin = new Admin({
      self: ports.id,
      env: ports.env,
      leader: () => (ports.view.status()?.leader ?? null) as NodeId | null,
      send: ports.send,
      perform: (command, timeoutMs) => this.#perform(command, timeoutMs),
    });
  }

  async write(write: AtomicWrite, options: CallOptions = {}): Promise<WriteResult> {
    const command = encodeAtomicWrite(write, this.#commands);
    const callMs = options.deadlineMs ?? CALL_DEADLINE_MS;
    const deadlineMs = this.#ports.env.now() + callMs;
    let message: Extract<ReplicaMessage, { type: "write" }> | null = null;
    this.#enter();
    try {
      return await this.#led().ask<WriteResult>(
        (reply) => message = { type: "write", taken: false, command, deadlineMs, reply },
        { timeoutMs: callMs + ASK_GRACE_MS, bytes: command.length, signal: options.signal },
      );
    } catch (error) {
      // What the replica did not take before its ask ended, it never will.
      throw outcomeOf(error, "write", isTaken(message));
    } finally {
      this.#leave();
    }
  }

  async read(
    query: ReadQuery,
    consistency: Consistency,
    options: CallOptions = {},
  ): Promise<ServedRead> {
    const callMs = options.deadlineMs ?? CALL_DEADLINE_MS;
    const deadlineMs = this.#ports.env.now() + callMs;
    this.#enter();
    try {
      const isLed = consistency.mode === "linearizable" || consistency.mode === "lease";
      return await (isLed ? this.#led() : this.#running()).ask<ServedRead>(
        (reply) => ({ type: "read", query, consistency, deadlineMs, reply }),
        { timeoutMs: callMs + ASK_GRACE_MS, signal: options.signal },
      );
    } catch (error) {
      throw outcomeOf(error, "read", false);
    } finally {
      this.#leave();
    }
  }

  watch(request: WatchRequest, options: CallOptions = {}): Promise<Watch> {
    return this.#watches.take(async () => {
      const { since } = request;
      if (since !== null) {
        await comeTo(since.index, (kind, its) => this.read(NOTHING, kind, its), options);
      }
      try {
        return await this.#running().ask<Watch>(
          (reply) => ({ type: "watch", request, reply }),
          { timeoutMs: options.deadlineMs ?? CALL_DEADLINE_MS, signal: options.signal },
        );
      } catch (error) {
        throw outcomeOf(error, "watch", false);
      }
    });
  }

  status(): ClusterStatus {
    const { clusterId, id, membership, view } = this.#ports;
    const replica = view.status();
    return {
      clusterId,
      node: id,
      leader: replica?.leader ?? null,
      term: replica?.term ?? 0,
      members: membership.members,
      replicas: replica === null ? [] : [replica],
    };
  }

  notReady(): string | null {
    if (this.#state !== "serving") return "the node is shutting down";
    const { view, membership } = this.#ports;
    const replica = view.status();
    if (replica === null) {
      const failure = this.#ports.failure();
      return failure === null ? "the replica is starting" : whyFailed(failure);
    }
    if (membership.notMember !== null) return membership.notMember;
    if (replica.damage !== null) return whyDamaged(replica.damage, replica.leader !== null);
    if (view.diskFull) return "the disk is full: only deletes are taken until there is room";
    if (replica.leader === null) return "no leader is known";
    return null;
  }

  /** Why a member whose replica runs serves nothing without a leader, as `notReady`; null if it does, or is none. */
  halted(): string | null {
    const { view, membership } = this.#ports;
    if (view.status() === null || membership.notMember !== null) return null;
    return this.#state === "serving" ? this.notReady() : null;
  }

  async addMember(
    request: MemberRequest,
    options: CallOptions = {},
  ): Promise<readonly MemberStatus[]> {
    const { id, url, peer, role, replaces, clusterId } = request;
    if (clusterId !== null && clusterId !== this.#ports.clusterId) {
      throw new AdminRefused(
        "wrong-cluster",
        `Cannot add ${id}: it is of cluster ${clusterId}, and this is ${this.#ports.clusterId}`,
      );
    }
    const change = {
      type: "add",
      member: { id: nodeId(id), url, peer },
      voter: role === "voter",
      replaces: replaces === null ? null : nodeId(replaces),
    } as const;
    return await this.#change({ op: "change", change, retried: false }, options);
  }

  async removeMember(id: string, options: CallOptions = {}): Promise<readonly MemberStatus[]> {
    const change = { type: "remove", id: nodeId(id) } as const;
    return await this.#change({ op: "change", change, retried: false }, options);
  }

  async transferLeadership(to: string | null, options: CallOptions = {}): Promise<string> {
    const command = { op: "transfer", to: to === null ? null : nodeId(to) } as const;
    const result = await this.#administrate(command, options);
    return result.status === "moved" ? result.leader : this.status().leader ?? "";
  }

  async takeSnapshot(options: CallOptions = {}): Promise<number> {
    this.#enter();
    // A node that stops waits for no snapshot.
    this.#leave();
    try {
      return await this.#running().ask<number>(
        (reply) => ({ type: "take-snapshot", reply }),
        { timeoutMs: options.deadlineMs ?? SNAPSHOT_CALL_MS, signal: options.signal },
      );
    } catch (error) {
      throw outcomeOf(error, "take a snapshot", false);
    }
  }

  async backup(options: CallOptions = {}): Promise<Backup> {
    const { clusterId, id } = this.#ports;
    const callMs = options.deadlineMs ?? CALL_DEADLINE_MS;
    const release = this.#backups.admit();
    try {
      // A read of nothing says from which index on the state is fresh enough.
      const { index } = await this.read(NOTHING, LINEARIZABLE, options);
      const captured = await this.#running().ask<Captured>(
        (reply: Reply<Captured>) => ({ type: "capture", minIndex: index, reply }),
        { timeoutMs: callMs, signal: options.signal },
      );
      return this.#backups.stream(captured, { clusterId, createdBy: `kvorum node ${id}` }, release);
    } catch (error) {
      release();
      throw outcomeOf(error, "make a backup", false);
    }
  }

  /** Takes what another node's administration says to this one's. */
  receive(from: NodeId, message: ShellMessage): void {
    if (message.type === "admin-request" || message.type === "admin-reply") {
      this.#admin.receive(from, message);
    }
  }

  /** Says that the node is about to go, and hands leadership over if it leads. Requests are still taken. */
  async retire(): Promise<void> {
    if (this.#state === "serving") this.#state = "retiring";
    // Before anything else: they go on at another node.
    this.#watches.close();
    const { env, view, membership, id } = this.#ports;
    const endMs = env.now() + HANDOVER_MS;
    const others = membership.members.some((member) => member.role === "voter" && member.id !== id);
    const leads = () => view.status()?.role === "leader";
    if (!others || !leads()) return;
    while (leads() && env.now() < endMs) {
      await this.#perform({ op: "transfer", to: null }, endMs - env.now());
      if (leads()) await pause(env, ADMIN_POLL_MS);
    }
    // Those who ask meanwhile are passed on as soon as there is somebody to pass them on to.
    while (view.status()?.leader === null && env.now() < endMs) await pause(env, ADMIN_POLL_MS);
  }

  /** From now on new requests are refused; those under way go on. */
  drain(): void {
    this.#state = "draining";
    this.#watches.close();
  }

  /** Resolves when no request is under way, or after `timeoutMs`. */
  async whenIdle(timeoutMs: number): Promise<void> {
    if (this.#inFlight === 0) return;
    await new Promise<void>((resolve) => {
      const timer = this.#ports.env.setTimer(resolve, timeoutMs);
      this.#onIdle = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** Ends what would go on without end. */
  stop(): void {
    this.#backups.stop();
  }

  async #change(
    command: Extract<AdminCommand, { op: "change" }>,
    options: CallOptions,
  ): Promise<readonly MemberStatus[]> {
    const result = await this.#administrate(command, options);
    return result.status === "changed" ? result.members : this.status().members;
  }

  async #administrate(command: AdminCommand, options: CallOptions) {
    this.#enter();
    try {
      this.#led();
      return await this.#admin.run(command, options.deadlineMs ?? ADMIN_CALL_MS, options.signal);
    } finally {
      this.#leave();
    }
  }

  /** Has this node's replica do it. What it did not live to tell is lost. */
  async #perform(command: AdminCommand, timeoutMs: number): Promise<AdminOutcome> {
    const replica = this.#ports.replica();
    if (replica === null) return { status: "not-now" };
    try {
      return await replica.ask<AdminOutcome>(
        (reply) =>
          command.op === "change"
            ? { type: "change", change: command.change, retried: command.retried, reply }
            : { type: "transfer", to: command.to, reply },
        { timeoutMs },
      );
    } catch (error) {
      const isRefused = error instanceof MailboxFull || error instanceof ActorStopped ||
        error instanceof Overloaded;
      return { status: isRefused ? "not-now" : "lost" };
    }
  }

  #running(): Ref<ReplicaMessage> {
    const replica = this.#ports.replica();
    if (replica !== null) return replica;
    throw new NotServing("Cannot serve: the replica is starting");
  }

  /** For what the leader must do or confirm: no use in waiting for one that does not know this node. */
  #led(): Ref<ReplicaMessage> {
    const replica = this.#running();
    const { forsaken } = this.#ports.membership;
    if (forsaken !== null) throw new NotServing(`Cannot serve: ${forsaken}`);
    return replica;
  }

  #enter(): void {
    if (this.#state === "draining") {
      throw new Draining("Cannot serve: the node is shutting down");
    }
    this.#inFlight++;
  }

  #leave(): void {
    if (--this.#inFlight === 0) this.#onIdle?.();
  }
}

/** A read that shows only how far the state is. */
const NOTHING: ReadQuery = { type: "get", keys: [] };

function pause(env: Env, ms: number): Promise<void> {
  return new Promise((resolve) => void env.setTimer(resolve, ms));
}

function isTaken(message: { readonly taken: boolean } | null): boolean {
  return message !== null && message.taken;
}

/** Turns what the runtime says about an ask into what a client can act on. */
function outcomeOf(error: unknown, call: string, mayHaveHappened: boolean): unknown {
  if (error instanceof MailboxFull) {
    return new Overloaded(`Cannot ${call}: the replica's mailbox is full`);
  }
  if (error instanceof ActorStopped) return new NotServing(`Cannot ${call}: the replica is down`);
  if (!(error instanceof AskTimeout || error instanceof ActorFailed)) return error;
  return mayHaveHappened
    ? new OutcomeUnknown("Cannot tell whether the write was applied: the replica failed meanwhile")
    : new NotServing(`Cannot ${call}: the replica is starting or has failed`);
}
