/**
 * A whole cluster in virtual time: real nodes and replicas on memory transport and memory disks.
 *
 * @module
 */
import { type Node, type NodeEvent, type NodeOptions, startNode } from "../../actors/node.ts";
import { type ClusterService, type KvService, LINEARIZABLE } from "../../actors/service.ts";
import { type VirtualEnv, virtualEnv } from "../../actors/virtual_env.ts";
import { addressOf } from "./addresses.ts";
import { NodeEnv } from "./node_env.ts";
import { encodeKey } from "../../kv/key_codec.ts";
import type { AtomicWrite, EncodedKey, Mutation, Value } from "../../kv/types.ts";
import { bytesValue, u64Of, u64Value } from "../../kv/value_codec.ts";
import { type NodeAddress, nodeId } from "../../raft/types.ts";
import { MemoryDisk, MemoryLogStore } from "../../storage/memory_log_store.ts";
import { createMemoryNetwork, type MemoryNetwork } from "../../transport/memory.ts";
import type { Transport } from "../../transport/types.ts";

export const CLUSTER_ID = "00000000-0000-4000-8000-000000000000";
/** Virtual time is cheap, but not endless: a condition that takes longer will never come. */
const CONDITION_MS = 30_000;
const STEP_MS = 10;

/** What all nodes of a cluster are started with. */
export type ClusterOptions = Pick<NodeOptions, "snapshots" | "hashCheckMs" | "limits"> & {
  /** True if all say of their data that they are the same, to show what that may cost. */
  readonly isDataHidden?: boolean;
};

export class VirtualCluster {
  readonly env: VirtualEnv;
  readonly network: MemoryNetwork;
  /** The nodes that were ever started, founders first. */
  readonly ids: string[];
  readonly disks = new Map<string, MemoryDisk>();
  readonly events: string[] = [];
  readonly #nodes = new Map<string, Node>();
  readonly #transports = new Map<string, Transport>();
  readonly #crashed: Node[] = [];
  readonly #clocks = new Map<string, NodeEnv>();
  readonly #founders: NodeAddress[];
  readonly #options: ClusterOptions;
  /** Who is started as a node that joins, though its name is a founder's. */
  readonly #joined = new Set<string>();
  #disks = 0;

  private constructor(size: number, seed: number, options: ClusterOptions) {
    this.#options = options;
    this.env = virtualEnv(seed);
    this.network = createMemoryNetwork({ env: this.env });
    this.ids = Array.from({ length: size }, (_, i) => `n${i + 1}`);
    this.#founders = this.ids.map(addressOf);
    for (const id of this.ids) this.wipe(id);
  }

  /** Founds a cluster, waits for its leader, runs the test, and stops everything. */
  static async run(
    size: number,
    seed: number,
    test: (cluster: VirtualCluster) => Promise<void>,
    options: ClusterOptions = {},
  ): Promise<void> {
    const cluster = new VirtualCluster(size, seed, options);
    try {
      for (const id of cluster.ids) cluster.start(id);
      await cluster.ready();
      await test(cluster);
    } finally {
      await cluster.#stopAll();
    }
  }

  get running(): string[] {
    return [...this.#nodes.keys()];
  }

  node(id: string): Node {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`${id} does not run`);
    return node;
  }

  service(id: string): KvService & ClusterService {
    return this.node(id).service;
  }

  /** The clocks of a node's machine, which outlive the node. */
  clock(id: string): NodeEnv {
    const clock = this.#clocks.get(id) ?? new NodeEnv(this.env);
    this.#clocks.set(id, clock);
    return clock;
  }

  /** Starts a node with an empty disk that knows of a cluster, and is to be let in. */
  join(id: string): void {
    if (!this.ids.includes(id)) this.ids.push(id);
    this.#joined.add(id);
    this.wipe(id);
    this.start(id);
  }

  /** Puts an empty disk in the place of what a node had. */
  wipe(id: string): void {
    if (this.#nodes.has(id)) throw new Error(`${id} still runs`);
    this.disks.set(id, new MemoryDisk(++this.#disks));
  }

  /** Puts an older copy of what a node has, or had, in its place. */
  restore(id: string, copy: MemoryDisk): void {
    if (this.#nodes.has(id)) throw new Error(`${id} still runs`);
    this.disks.set(id, copy);
  }

  start(id: string): void {
    if (this.#nodes.has(id)) throw new Error(`${id} runs already`);
    const disk = this.disks.get(id)!;
    const isFounder = !this.#joined.has(id) &&
      this.#founders.some((founder) => founder.id === id);
    const { isDataHidden = false, ...options } = this.#options;
    const node = startNode({
      ...options,
      id: nodeId(id),
      clusterId: CLUSTER_ID,
      founders: isFounder ? this.#founders : [],
      seeds: isFounder ? [] : this.ids.filter((other) => other !== id).map(addressOf),
      env: this.clock(id),
      openLog: () => new MemoryLogStore(disk, { clusterId: CLUSTER_ID, nodeId: id }),
      openTransport: (life) => {
        const transport = this.network.transport(
          nodeId(id),
          isDataHidden ? { ...life, incarnation: 1, holding: undefined } : life,
        );
        this.#transports.set(id, transport);
        return transport;
      },
      onEvent: (event) => this.#record(id, event),
    });
    this.#nodes.set(id, node);
  }

  /**
   * Ends a node as a power failure does: the network forgets it at once and its disk takes nothing
   * more. What it still computes reaches nobody.
   */
  async crash(id: string): Promise<void> {
    const node = this.node(id);
    this.#nodes.delete(id);
    await this.#transports.get(id)?.close();
    this.disks.get(id)!.boot({ clusterId: CLUSTER_ID, nodeId: id });
    this.#crashed.push(node);
  }

  /** Ends a node cleanly. */
  async stop(id: string, drainMs = 5000): Promise<void> {
    const node = this.node(id);
    this.#nodes.delete(id);
    this.#crashed.push(node);
    await this.settle(node.stop(drainMs));
  }

  /** What one running node has sent to another since it started. */
  sent(from: string, to: string): { readonly messages: number; readonly bytes: number } {
    const stats = this.#transports.get(from)!.stats().get(nodeId(to))!;
    return { messages: stats.sentMessages, bytes: stats.sentBytes };
  }

  /** Cuts a node off from all others, both ways. */
  isolate(id: string): void {
    for (const other of this.ids) {
      if (other === id) continue;
      this.network.setLink(nodeId(id), nodeId(other), { cut: true });
      this.network.setLink(nodeId(other), nodeId(id), { cut: true });
    }
  }

  /** Lets virtual time pass until the condition gives something. */
  async eventually<T>(what: string, condition: () => T | null | undefined | false): Promise<T> {
    for (let ms = 0; ms <= CONDITION_MS; ms += STEP_MS) {
      const value = condition();
      if (value !== null && value !== undefined && value !== false) return value;
      await this.env.advance(STEP_MS);
    }
    throw new Error(`not within ${CONDITION_MS} ms of virtual time: ${what}`);
  }

  /** Waits for a promise, letting virtual time pass. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const done = () => void (settled = true);
    promise.then(done, done);
    await this.eventually("a promise settles", () => settled);
    return await promise;
  }

  async ready(): Promise<void> {
    await this.eventually(
      "all running nodes are ready",
      () => this.running.every((id) => this.service(id).notReady() === null),
    );
  }

  /** Waits until all of `among` agree on a leader that is one of them. */
  async leader(among: readonly string[] = this.running): Promise<string> {
    return await this.eventually(`${among} agree on a leader`, () => {
      const leaders = new Set(among.map((id) => this.service(id).status().leader));
      const [leader] = leaders;
      return leaders.size === 1 && leader !== null && among.includes(leader) ? leader : null;
    });
  }

  /** Waits until all running nodes have one state hash at one index. */
  async agreedHash(): Promise<string> {
    return await this.eventually("all running nodes have one state hash", () => {
      const hashes = this.running.map((id) => {
        const hash = this.service(id).status().replicas[0]?.stateHash;
        return `${hash?.index}:${hash?.hash}`;
      });
      return new Set(hashes).size === 1 ? hashes[0] : null;
    });
  }

  async put(id: string, name: string, text: string): Promise<string> {
    return (await this.settle(this.service(id).write(put(name, text)))).status;
  }

  async get(id: string, name: string): Promise<string | null> {
    const value = await this.#read(id, name);
    return value === null ? null : new TextDecoder().decode(value.data);
  }

  async counter(id: string, name: string): Promise<number> {
    const value = await this.#read(id, name);
    return value === null ? 0 : Number(u64Of(value));
  }

  async #read(id: string, name: string): Promise<Value | null> {
    const query = { type: "get", keys: [key(name)] } as const;
    const { results } = await this.settle(this.service(id).read(query, LINEARIZABLE));
    return results[0][0]?.value ?? null;
  }

  #record(id: string, event: NodeEvent): void {
    if (event.type === "runtime" || event.type === "transport") return;
    this.events.push(`${this.env.now()} ${id} ${event.type} ${detailOf(event)}`.trimEnd());
  }

  async #stopAll(): Promise<void> {
    const nodes = [...this.#nodes.values(), ...this.#crashed];
    await this.settle(Promise.all(nodes.map((node) => node.stop(0))));
  }
}

function detailOf(event: NodeEvent): string {
  switch (event.type) {
    case "role":
      return `${event.role} ${event.term} ${event.leader}`;
    case "fault":
    case "ended":
      return String(event.error);
    case "snapshot-taken":
      return `${event.index} ${event.bytes} ${event.baseIndex}`;
    case "snapshot-receiving":
      return `${event.index} ${event.from} ${event.received} ${event.chunks}`;
    case "snapshot-installed":
      return `${event.index} ${event.from}`;
    case "snapshot-failed":
    case "snapshot-corrupt":
    case "snapshot-refused":
      return `${event.index} ${event.error}`;
    case "quarantined":
      return event.reason;
    case "halted":
      return event.why;
    case "diverged":
      return `${event.index} ${event.agreed}`;
    case "disk":
      return event.full ? "full" : "has room";
    default:
      return "";
  }
}

export function key(name: string): EncodedKey {
  return encodeKey([name]);
}

export function write(...mutations: Mutation[]): AtomicWrite {
  return { checks: [], mutations, idempotencyKey: null };
}

export function put(name: string, text: string, expireInMs: number | null = null): AtomicWrite {
  return write({
    type: "set",
    key: key(name),
    value: bytesValue(new TextEncoder().encode(text)),
    expiry: expireInMs === null ? { type: "never" } : { type: "in", ms: expireInMs },
  });
}

export function increment(name: string): AtomicWrite {
  return write({
    type: "sum",
    key: key(name),
    value: u64Value(1n),
    min: null,
    max: null,
    clamp: false,
  });
}
