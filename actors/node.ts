/**
 * The node: supervisor of its replica, owner of its transport, and the service that the routes see.
 *
 * Not here: configuration, HTTP, exit codes (main.ts); the protocol and the store (replica.ts).
 *
 * @module
 */
import type { Behavior, Ctx, Directive, Env, Ref, Reply } from "./types.ts";
import type {
  CallOptions,
  ClusterStatus,
  Consistency,
  KvService,
  MemberStatus,
  WriteResult,
} from "./service.ts";
import {
  ASK_GRACE_MS,
  CALL_DEADLINE_MS,
  MAILBOX_CONTROL_BYTES_MAX,
  MAILBOX_CONTROL_MESSAGES_MAX,
  MAILBOX_USER_BYTES_MAX,
  MAILBOX_USER_MESSAGES_MAX,
  TURN_MESSAGES_MAX,
} from "./limits_replica.ts";
import { Draining, NotServing, OutcomeUnknown, Overloaded } from "./outcomes.ts";
import { ActorFailed, ActorStopped, AskTimeout, MailboxFull } from "./errors.ts";
import type { RuntimeEvent } from "./events.ts";
import { type ActorSystem, createSystem } from "./system.ts";
import { createReplica } from "./replica.ts";
import type { ReplicaEvent, ReplicaMessage, ReplicaView } from "./replica_types.ts";
import { GROUP_DEFAULT, InvariantError, type NodeId } from "../raft/types.ts";
import type { Message } from "../raft/message.ts";
import type { AtomicWrite, ReadQuery, ReadResult } from "../kv/types.ts";
import { encodeAtomicWrite } from "../kv/command.ts";
import {
  CorruptLog,
  Fenced,
  type LogStore,
  UnsupportedFormat,
  WrongIdentity,
} from "../storage/types.ts";
import type { EventCallback, TransportEvent } from "../transport/events.ts";
import type { Transport } from "../transport/types.ts";

/** What happens in a node, for its log and metrics. */
export type NodeEvent =
  | ReplicaEvent
  | { readonly type: "runtime"; readonly event: RuntimeEvent }
  | { readonly type: "transport"; readonly event: TransportEvent }
  /** The replica failed; `directive` says what its supervisor does about it. */
  | { readonly type: "fault"; readonly error: unknown; readonly directive: Directive }
  /** The replica has ended for good and the node serves no more. */
  | { readonly type: "ended"; readonly error: unknown };

export interface NodeOptions {
  readonly id: NodeId;
  readonly clusterId: string;
  readonly members: readonly MemberStatus[];
  readonly env: Env;
  readonly openLog: () => LogStore;
  /** Makes the transport once the boot number is known; it binds messages to this life of the node. */
  readonly openTransport: (boot: number, onEvent: EventCallback) => Transport;
  readonly onEvent?: (event: NodeEvent) => void;
}

/** What a restart cannot mend. */
const FINAL_ERRORS = [
  Fenced,
  CorruptLog,
  WrongIdentity,
  UnsupportedFormat,
  InvariantError,
  Deno.errors.NotCapable,
  Deno.errors.PermissionDenied,
];

/** A running node. */
export interface Node {
  readonly service: KvService;
  /** Resolves once the node listens for its peers and has recovered its log. @throws what ended it. */
  readonly started: Promise<void>;
  /** Resolves when the node has ended by itself (fenced, corrupt log…), with the cause. */
  readonly ended: Promise<unknown>;
  /** From now on new requests are refused; those under way go on. */
  drain(): void;
  /** Drains for at most `drainMs`, then stops everything. Idempotent. */
  stop(drainMs: number): Promise<void>;
}

type NodeMessage =
  | { readonly type: "opened"; readonly boot: number }
  | { readonly type: "replica-stopped" };

/** Starts a node: its replica, and as soon as that has recovered, its transport. */
export function startNode(options: NodeOptions): Node {
  return new RunningNode(options);
}

class RunningNode implements Node, KvService {
  readonly service: KvService = this;
  readonly started: Promise<void>;
  readonly ended: Promise<unknown>;
  readonly #options: NodeOptions;
  readonly #system: ActorSystem;
  readonly #view: ReplicaView;
  readonly #supervisor: Ref<NodeMessage>;
  /** Null until the supervisor has started it. */
  #replica: Ref<ReplicaMessage> | null = null;
  #transport: Transport | null = null;
  #draining = false;
  #inFlight = 0;
  #onIdle: (() => void) | null = null;
  #failure: unknown = null;
  #stopping: Promise<void> | null = null;
  #started = Promise.withResolvers<void>();
  #ended = Promise.withResolvers<unknown>();

  constructor(options: NodeOptions) {
    this.#options = options;
    this.started = this.#started.promise;
    this.started.catch(() => {}); // Whoever does not wait for it learns the same from `ended`.
    this.ended = this.#ended.promise;
    this.#system = createSystem({
      env: options.env,
      onEvent: (event) => this.#observe({ type: "runtime", event }),
    });
    const { behavior, view } = createReplica({
      id: options.id,
      group: GROUP_DEFAULT,
      configuration: {
        voters: options.members.map((member) => member.id as NodeId),
        votersOutgoing: [],
        learners: [],
      },
      openLog: options.openLog,
      send: (to, group, message) => this.#transport?.send(to, group, message) ?? false,
      onEvent: (event) => this.#onReplicaEvent(event),
    });
    this.#view = view;
    this.#supervisor = this.#system.spawn("node", this.#supervise(behavior));
  }

  /** The actor that owns the replica: restarts it from storage, and ends the node when that is no use. */
  #supervise(behavior: Behavior<ReplicaMessage, unknown>): Behavior<NodeMessage, null> {
    const spawn = (ctx: Ctx<NodeMessage>) => {
      const replica = ctx.spawn("replica", behavior, {
        mailbox: {
          userMessagesMax: MAILBOX_USER_MESSAGES_MAX,
          userBytesMax: MAILBOX_USER_BYTES_MAX,
          controlMessagesMax: MAILBOX_CONTROL_MESSAGES_MAX,
          controlBytesMax: MAILBOX_CONTROL_BYTES_MAX,
          turnMessagesMax: TURN_MESSAGES_MAX,
        },
        supervision: { decide: (error) => this.#decide(error) },
      });
      ctx.watch(replica, () => ({ type: "replica-stopped" }));
      this.#replica = replica;
      return null;
    };
    return {
      init: spawn,
      receive: async (state, batch) => {
        for (const message of batch) {
          if (message.type === "opened") await this.#openTransport(message.boot);
          else this.#end();
        }
        return state;
      },
    };
  }

  /** What a restart cannot mend must not be tried again and again. */
  #decide(error: unknown): Directive {
    const final = FINAL_ERRORS.some((kind) => error instanceof kind);
    this.#failure = error;
    const directive = final ? "stop" : "restart";
    this.#observe({ type: "fault", error, directive });
    return directive;
  }

  #onReplicaEvent(event: ReplicaEvent): void {
    this.#observe(event);
    if (event.type === "opened") {
      this.#supervisor.tell({ type: "opened", boot: event.boot }, { lane: "control" });
    }
  }

  async #openTransport(boot: number): Promise<void> {
    if (this.#transport !== null || this.#stopping !== null) return;
    try {
      const transport = this.#options.openTransport(
        boot,
        (event) => this.#onTransportEvent(event),
      );
      await transport.start((from, group, message) => {
        if (group !== GROUP_DEFAULT) return;
        this.#replica?.tell(
          { type: "peer", from, message },
          { lane: "control", bytes: messageBytes(message) },
        );
      });
      this.#transport = transport;
      this.#started.resolve();
    } catch (error) {
      this.#failure = error;
      this.#end();
    }
  }

  #onTransportEvent(event: TransportEvent): void {
    this.#observe({ type: "transport", event });
    // Refused as an earlier boot of itself, it could do no harm, but would never learn why.
    if (event.type === "refused" && event.byPeer && event.reason === "old-boot") {
      this.#replica?.tell({ type: "prove-fence" }, { lane: "control" });
    }
  }

  #end(): void {
    if (this.#stopping !== null) return;
    this.#observe({ type: "ended", error: this.#failure });
    this.#started.reject(this.#failure);
    this.#ended.resolve(this.#failure);
  }

  #observe(event: NodeEvent): void {
    this.#options.onEvent?.(event);
  }

  async write(write: AtomicWrite, options: CallOptions = {}): Promise<WriteResult> {
    const command = encodeAtomicWrite(write);
    const callMs = options.deadlineMs ?? CALL_DEADLINE_MS;
    const deadlineMs = this.#options.env.now() + callMs;
    let message: Extract<ReplicaMessage, { type: "write" }> | null = null;
    this.#enter();
    try {
      return await this.#running().ask<WriteResult>(
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
    _consistency: Consistency,
    options: CallOptions = {},
  ): Promise<ReadResult> {
    const callMs = options.deadlineMs ?? CALL_DEADLINE_MS;
    const deadlineMs = this.#options.env.now() + callMs;
    this.#enter();
    try {
      return await this.#running().ask<ReadResult>(
        (reply: Reply<ReadResult>) => ({ type: "read", query, deadlineMs, reply }),
        { timeoutMs: callMs + ASK_GRACE_MS, signal: options.signal },
      );
    } catch (error) {
      throw outcomeOf(error, "read", false);
    } finally {
      this.#leave();
    }
  }

  status(): ClusterStatus {
    const replica = this.#view.status();
    return {
      clusterId: this.#options.clusterId,
      node: this.#options.id,
      leader: replica?.leader ?? null,
      term: replica?.term ?? 0,
      members: this.#options.members,
      replicas: replica === null ? [] : [replica],
    };
  }

  notReady(): string | null {
    if (this.#draining) return "the node is shutting down";
    const replica = this.#view.status();
    if (replica === null) {
      return this.#failure === null
        ? "the replica is starting"
        : `the replica has failed (${nameOf(this.#failure)}); the node's log says more`;
    }
    if (this.#view.damaged) return "the replica's log is damaged and is being repaired";
    if (replica.leader === null) return "no leader is known";
    return null;
  }

  drain(): void {
    this.#draining = true;
  }

  stop(drainMs: number): Promise<void> {
    this.#draining = true;
    this.#stopping ??= this.#stop(drainMs);
    return this.#stopping;
  }

  async #stop(drainMs: number): Promise<void> {
    const { env } = this.#options;
    const endMs = env.now() + drainMs;
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        const timer = env.setTimer(resolve, drainMs);
        this.#onIdle = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    await this.#system.stop(Math.max(0, endMs - env.now()));
    await this.#transport?.close();
  }

  #running(): Ref<ReplicaMessage> {
    if (this.#replica !== null) return this.#replica;
    throw new NotServing("Cannot serve: the replica is starting");
  }

  #enter(): void {
    if (this.#draining) throw new Draining("Cannot serve: the node is shutting down");
    this.#inFlight++;
  }

  #leave(): void {
    if (--this.#inFlight === 0) this.#onIdle?.();
  }
}

function isTaken(message: { readonly taken: boolean } | null): boolean {
  return message !== null && message.taken;
}

/** Turns what the runtime says about an ask into what a client can act on. */
function outcomeOf(error: unknown, call: "write" | "read", mayHaveHappened: boolean): unknown {
  if (error instanceof MailboxFull) {
    return new Overloaded(`Cannot ${call}: the replica's mailbox is full`);
  }
  if (error instanceof ActorStopped) return new NotServing(`Cannot ${call}: the replica is down`);
  if (!(error instanceof AskTimeout || error instanceof ActorFailed)) return error;
  return mayHaveHappened
    ? new OutcomeUnknown("Cannot tell whether the write was applied: the replica failed meanwhile")
    : new NotServing(`Cannot ${call}: the replica is starting or has failed`);
}

/** What of an error may be shown to clients: its message could name paths. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "unknown";
}

/** The size of a message for the mailbox's limit, in bytes; entries dominate it. */
function messageBytes(message: Message): number {
  let bytes = 64;
  if (message.type === "append-request") {
    for (const entry of message.entries) bytes += entry.data.length;
  } else if (message.type === "forward") {
    for (const command of message.commands) bytes += command.length;
  }
  return bytes;
}
