/**
 * The node: supervisor of its replica, and owner of its transport.
 *
 * Not here: configuration, HTTP, exit codes (main.ts); the service that the routes see (node_calls.ts);
 * the protocol and the store (replica.ts).
 *
 * @module
 */
import type { RuntimeEvent } from "./events.ts";
import { HaltWatch } from "./halt.ts";
import {
  MAILBOX_CONTROL_BYTES_MAX,
  MAILBOX_CONTROL_MESSAGES_MAX,
  MAILBOX_USER_BYTES_MAX,
  MAILBOX_USER_MESSAGES_MAX,
  type ReplicaLimits,
  type SnapshotLimits,
  TURN_MESSAGES_MAX,
} from "./limits_replica.ts";
import { isRefusal, Membership } from "./membership.ts";
import { NodeCalls } from "./node_calls.ts";
import { createReplica } from "./replica.ts";
import type {
  ReplicaEvent,
  ReplicaMessage,
  ReplicaObserver,
  ReplicaView,
} from "./replica_types.ts";
import type { ClusterService, KvService } from "./service.ts";
import { type ActorSystem, createSystem } from "./system.ts";
import type { Behavior, Ctx, Directive, Env, Ref } from "./types.ts";
import { MalformedSnapshot } from "../kv/snapshot_reader.ts";
import { configurationOf } from "../raft/configuration.ts";
import type { PeerMessage } from "../raft/message.ts";
import {
  type Configuration,
  GROUP_DEFAULT,
  InvariantError,
  logIndex,
  type NodeAddress,
  type NodeId,
} from "../raft/types.ts";
import {
  CorruptLog,
  CorruptSnapshot,
  Fenced,
  type KnownPeer,
  type LogStore,
  StorageFull,
  UnsupportedFormat,
  WrongIdentity,
} from "../storage/types.ts";
import type { EventCallback, TransportEvent } from "../transport/events.ts";
import type { IdentityOptions, StrangerOptions, Transport } from "../transport/types.ts";

/** What happens in a node, for its log and metrics. */
export type NodeEvent =
  | ReplicaEvent
  | { readonly type: "runtime"; readonly event: RuntimeEvent }
  | { readonly type: "transport"; readonly event: TransportEvent }
  /** The replica failed; `directive` says what its supervisor does about it. */
  | { readonly type: "fault"; readonly error: unknown; readonly directive: Directive }
  /** For HALTED_MS there has been no leader, and this is why nothing is served. */
  | { readonly type: "halted"; readonly why: string }
  /** The replica has ended for good and the node serves no more. */
  | { readonly type: "ended"; readonly error: unknown };

/** What binds a transport to this life of the node: its options of the same names. */
export interface TransportLife extends StrangerOptions, IdentityOptions {
  readonly boot: number;
  readonly incarnation: number;
  readonly onEvent: EventCallback;
}

export interface NodeOptions {
  readonly id: NodeId;
  readonly clusterId: string;
  /** The first voters of a new cluster, the same at all of them; empty for a node that joins one. */
  readonly founders: readonly NodeAddress[];
  /** Who else to talk to while this node is no member: those who can let it in. */
  readonly seeds?: readonly NodeAddress[];
  readonly env: Env;
  readonly openLog: () => LogStore;
  /** When to take snapshots, in place of SNAPSHOT_LIMITS (limits_replica.ts). */
  readonly snapshots?: Partial<SnapshotLimits>;
  /** How often the replicas compare their state hashes, in place of HASH_CHECK_MS. */
  readonly hashCheckMs?: number;
  /** Smaller batches, and an observer (replica_types.ts): for tests, and set by nothing else. */
  readonly limits?: Partial<ReplicaLimits>;
  readonly observer?: ReplicaObserver;
  /** Makes the transport once the log is open, which says who this node is. The node sets its peers. */
  readonly openTransport: (life: TransportLife) => Transport;
  readonly onEvent?: (event: NodeEvent) => void;
}

/** What a restart cannot mend. */
const FINAL_ERRORS = [
  Fenced,
  CorruptLog,
  CorruptSnapshot,
  MalformedSnapshot,
  WrongIdentity,
  UnsupportedFormat,
  InvariantError,
  Deno.errors.NotCapable,
  Deno.errors.PermissionDenied,
];

/** A running node. */
export interface Node {
  readonly service: KvService & ClusterService;
  /** Resolves once the node listens for its peers and has recovered its log. @throws what ended it. */
  readonly started: Promise<void>;
  /** Resolves when the node has ended by itself (fenced, corrupt log…), with the cause. */
  readonly ended: Promise<unknown>;
  /** Replaces the seeds: while this node is no member yet, others may have come and gone. */
  reseed(seeds: readonly NodeAddress[]): void;
  /**
   * The first step of a clean end: the node says that it is not ready, and hands leadership over if it
   * leads. It goes on taking requests, so that nobody who is still connected meets a refusal. Resolves
   * when another node leads, or after HANDOVER_MS.
   */
  retire(): Promise<void>;
  /** From now on new requests are refused; those under way go on. Once nobody can ask any more. */
  drain(): void;
  /** Retires if that was not done, drains for at most `drainMs`, then stops everything. Idempotent. */
  stop(drainMs: number): Promise<void>;
}

type Opened = Extract<ReplicaEvent, { type: "opened" }>;

type NodeMessage =
  | { readonly type: "opened"; readonly found: Opened }
  | { readonly type: "replica-stopped" };

/** Starts a node: its replica, and as soon as that has recovered, its transport. */
export function startNode(options: NodeOptions): Node {
  return new RunningNode(options);
}

class RunningNode implements Node {
  readonly service: NodeCalls;
  readonly started: Promise<void>;
  readonly ended: Promise<unknown>;
  readonly #options: NodeOptions;
  readonly #system: ActorSystem;
  readonly #membership: Membership;
  readonly #halt: HaltWatch;
  readonly #view: ReplicaView;
  readonly #supervisor: Ref<NodeMessage>;
  /** Null until the supervisor has started it. */
  #replica: Ref<ReplicaMessage> | null = null;
  #transport: Transport | null = null;
  /** The replica's, which also keeps what is remembered of the peers. */
  #log: LogStore | null = null;
  /** Until the configurations are told that came with it. */
  #opened: Opened | null = null;
  #failure: unknown = null;
  #retiring: Promise<void> | null = null;
  #stopping: Promise<void> | null = null;
  #started = Promise.withResolvers<void>();
  #ended = Promise.withResolvers<unknown>();

  constructor(options: NodeOptions) {
    const { id, clusterId, env, founders, seeds = [] } = options;
    this.#options = options;
    this.started = this.#started.promise;
    this.started.catch(() => {}); // Whoever does not wait for it learns the same from `ended`.
    this.ended = this.#ended.promise;
    this.#system = createSystem({
      env,
      onEvent: (event) => this.#observe({ type: "runtime", event }),
    });
    const founding = foundingConfiguration(founders);
    this.#membership = new Membership({
      self: id,
      env,
      founding,
      seeds,
      setPeers: (peers, asOf) => this.#transport?.setPeers(peers, asOf),
      onOutcast: (outcast) => this.#tellReplica({ type: "outcast", outcast }),
    });
    const { behavior, view } = createReplica({
      id,
      group: GROUP_DEFAULT,
      configuration: founding,
      openLog: () => this.#log = options.openLog(),
      snapshots: options.snapshots,
      hashCheckMs: options.hashCheckMs,
      limits: options.limits,
      observer: options.observer,
      send: (to, group, message) =>
        !this.#membership.isOlderCopy && (this.#transport?.send(to, group, message) ?? false),
      acknowledged: (peer, holding) => this.#transport?.acknowledged(peer, holding),
      keepAcknowledged: () => this.#transport?.keepAcknowledged(),
      onEvent: (event) => this.#onReplicaEvent(event),
    });
    this.#view = view;
    this.service = new NodeCalls({
      id,
      clusterId,
      env,
      view,
      membership: this.#membership,
      replica: () => this.#replica,
      failure: () => this.#failure,
      send: (to, message) => this.#transport?.send(to, GROUP_DEFAULT, message) ?? false,
    });
    this.#halt = new HaltWatch(
      env,
      () => this.service.halted(),
      (why) => this.#observe({ type: "halted", why }),
    );
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
          turnMessagesMax: this.#options.limits?.turnMessagesMax ?? TURN_MESSAGES_MAX,
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
          if (message.type === "opened") await this.#openTransport(message.found);
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
    // A full disk lasts until somebody makes room: the node waits for that, however long.
    const directive = final ? "stop" : error instanceof StorageFull ? "retry" : "restart";
    this.#observe({ type: "fault", error, directive });
    return directive;
  }

  #onReplicaEvent(event: ReplicaEvent): void {
    this.#observe(event);
    if (event.type === "opened") {
      this.#opened = event;
      // A replica that was restarted knows nothing of it any more.
      if (this.#membership.isOutcast) this.#tellReplica({ type: "outcast", outcast: true });
    } else if (event.type === "configuration") {
      this.#membership.adopt(event.configuration, event.index, event.committed);
      // Its turn comes when all that the log holds were told: who is no peer then, may be forgotten.
      const found = this.#opened;
      this.#opened = null;
      if (found !== null) this.#supervisor.tell({ type: "opened", found }, { lane: "control" });
    } else if (event.type === "role") {
      this.#membership.led(event.leader);
      this.#halt.led(event.leader !== null);
    }
  }

  async #openTransport({ boot, incarnation, peers }: Opened): Promise<void> {
    if (this.#transport !== null || this.#stopping !== null) return;
    try {
      const transport = this.#options.openTransport(
        {
          boot,
          incarnation,
          known: peers,
          remember: (known) => this.#remember(known),
          ownAddress: () => this.#membership.ownAddress,
          holding: () => this.#view.holding,
          acceptUnknown: () => this.#membership.hearsStrangers,
          onEvent: (event) => this.#onTransportEvent(event),
        },
      );
      await transport.start((from, group, message) => {
        if (group === GROUP_DEFAULT) this.#receive(from, message);
      });
      this.#transport = transport;
      this.#membership.apply();
      this.#started.resolve();
    } catch (error) {
      this.#failure = error;
      this.#end();
    }
  }

  /** Not through the replica's mailbox: the log lets it in between two commits. */
  async #remember(known: ReadonlyMap<NodeId, KnownPeer>): Promise<void> {
    if (this.#log === null) throw new Error("Cannot remember the peers: the log is not open");
    await this.#log.rememberPeers(known);
  }

  #receive(from: NodeId, message: PeerMessage): void {
    if (message.type === "admin-request" || message.type === "admin-reply") {
      this.service.receive(from, message);
      return;
    }
    if (this.#membership.isOlderCopy) return;
    this.#replica?.tell(
      { type: "peer", from, message },
      { lane: "control", bytes: messageBytes(message) },
    );
  }

  #onTransportEvent(event: TransportEvent): void {
    this.#observe({ type: "transport", event });
    if (event.type === "connected") {
      if (event.direction === "outgoing") this.#membership.welcomedBy(event.peer);
      else if (event.address !== null) this.#membership.heard(event.peer, event.address);
    }
    if (event.type !== "refused" || !event.byPeer) return;
    // Refused as an earlier boot of itself, it could do no harm, but would never learn why.
    if (event.reason === "old-boot" || event.reason === "older-data") {
      this.#tellReplica({ type: "prove-fence" });
    }
    if (event.peer !== null && isRefusal(event.reason)) {
      this.#membership.refusedBy(event.peer, event.reason);
    }
  }

  #tellReplica(message: ReplicaMessage): void {
    this.#replica?.tell(message, { lane: "control" });
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

  reseed(seeds: readonly NodeAddress[]): void {
    this.#membership.reseed(seeds);
  }

  retire(): Promise<void> {
    return this.#retiring ??= this.service.retire();
  }

  drain(): void {
    this.service.drain();
  }

  stop(drainMs: number): Promise<void> {
    this.service.drain();
    return this.#stopping ??= this.#stop(drainMs);
  }

  async #stop(drainMs: number): Promise<void> {
    const { env } = this.#options;
    const endMs = env.now() + drainMs;
    const restMs = () => Math.max(0, endMs - env.now());
    if (drainMs > 0) {
      await this.retire();
      await this.service.whenIdle(restMs());
    }
    this.service.stop();
    await this.#system.stop(restMs());
    this.#membership.stop();
    this.#halt.stop();
    await this.#transport?.close();
  }
}

function foundingConfiguration(founders: readonly NodeAddress[]): Configuration {
  const addresses = founders.map(({ id, url, peer }) => ({ id, url, peer, since: logIndex(0) }));
  return configurationOf(founders.map(({ id }) => id), { addresses });
}

/** The size of a message for the mailbox's limit, in bytes; entries dominate it. */
function messageBytes(message: PeerMessage): number {
  let bytes = 64;
  if (message.type === "append-request") {
    for (const entry of message.entries) bytes += entry.data.length;
  } else if (message.type === "forward") {
    for (const command of message.commands) bytes += command.length;
  } else if (message.type === "snapshot-chunk") {
    bytes += message.data.length;
  }
  return bytes;
}
