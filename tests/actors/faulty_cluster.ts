/**
 * A cluster in this process, in real time, over any transport with faults over it: links that change all
 * the time, crashes, clients; and Raft's safety watched meanwhile.
 *
 * @module
 */
import { assert, assertEquals, assertGreater } from "@std/assert";
import { systemEnv } from "../../actors/env.ts";
import { type Node, startNode, type TransportLife } from "../../actors/node.ts";
import { LINEARIZABLE } from "../../actors/service.ts";
import { u64Of } from "../../kv/value_codec.ts";
import { type NodeAddress, nodeId } from "../../raft/types.ts";
import { MemoryDisk, MemoryLogStore } from "../../storage/memory_log_store.ts";
import { type FaultyTransport, faultyTransport } from "../../transport/faulty.ts";
import { type Link, LinkTable, PERFECT } from "../../transport/memory_links.ts";
import type { Transport } from "../../transport/types.ts";
import { Random } from "../chaos/random.ts";
import { eventually } from "../cluster/harness.ts";
import { freePorts } from "../cluster/ports.ts";
import { Safety } from "./safety.ts";
import { CLUSTER_ID, increment, key } from "./virtual_cluster.ts";

/** Makes the transport of one node's life, which listens at the peer address that others know it by. */
export type OpenTransport = (self: NodeAddress, life: TransportLife) => Transport;

const SIZE = 3;
/** How long faults go on: some elections, and the bound of what a test may take of a real network. */
const FAULTS_MS = 6000;
/** The links change so often; a node crashes, and is down for a while, after each few changes. */
const CHANGE_MS = 120;
const CRASH_EVERY = 5;
const DOWN_MS = 150;
const LOOK_MS = 10;
const WRITERS_PER_NODE = 2;
/** The faults of a link, of which each is in force half of the time. */
const SPOILT: readonly Partial<Link>[] = [
  { cut: true },
  { dropRate: 0.3 },
  { duplicateRate: 0.5 },
  { reorderRate: 0.5 },
  { delayMs: 20, jitterMs: 60 },
];
/** Runs a cluster over the transport under faults, and checks that it stays safe and comes back to life. */
export async function staysSafe(open: OpenTransport, seed: number): Promise<void> {
  const cluster = new FaultyCluster(open, seed);
  try {
    await cluster.run();
  } catch (error) {
    throw new Error(`seed ${seed}: ${error}`, { cause: error });
  } finally {
    await cluster.stop();
  }
}

class FaultyCluster {
  readonly #open: OpenTransport;
  readonly #random: Random;
  readonly #links = new LinkTable();
  readonly #safety = new Safety(SIZE);
  readonly #addresses: NodeAddress[];
  readonly #disks = new Map<string, MemoryDisk>();
  readonly #nodes = new Map<string, Node>();
  readonly #transports = new Map<string, FaultyTransport>();
  readonly #all: Node[] = [];
  readonly #counts = { acknowledged: 0, unknown: 0, crashes: 0, faults: 0 };
  #isOver = false;

  constructor(open: OpenTransport, seed: number) {
    this.#open = open;
    this.#random = new Random(seed);
    this.#addresses = freePorts(SIZE).map((port, i) => ({
      id: nodeId(`n${i + 1}`),
      url: `http://n${i + 1}`,
      peer: `127.0.0.1:${port}`,
    }));
    for (const [i, { id }] of this.#addresses.entries()) this.#disks.set(id, new MemoryDisk(i + 1));
  }

  async run(): Promise<void> {
    for (const address of this.#addresses) this.#start(address);
    await this.#ready();
    const watching = this.#watch();
    const writing = Array.from(
      { length: SIZE * WRITERS_PER_NODE },
      (_, i) => this.#increment(this.#addresses[i % SIZE].id),
    );
    const spoiling = this.#spoil().then(() => this.#ready()).finally(() => this.#isOver = true);
    await Promise.all([spoiling, watching, ...writing]);
    const { acknowledged, unknown, crashes, faults } = this.#counts;
    // Alive again, and everything that was acknowledged is there, once.
    for (const { id } of this.#addresses) {
      const total = await this.#total(id);
      assert(total >= acknowledged, `${acknowledged} were acknowledged, ${id} has ${total}`);
      assert(total <= acknowledged + unknown, `${total} of ${acknowledged} + ${unknown} at ${id}`);
    }
    await eventually("all nodes have one state", () => {
      const hashes = new Set(this.#addresses.map(({ id }) => {
        const status = this.#node(id).service.status().replicas[0];
        return JSON.stringify(status.stateHash);
      }));
      return hashes.size === 1;
    });
    this.#look();
    this.#safety.assertHeld();
    // Faults came, and something was done and watched under them.
    const { committed, leaders } = this.#safety.watched;
    assertGreater(faults, 100);
    assertGreater(crashes, 2);
    assertGreater(acknowledged, 20);
    assertGreater(committed, 20);
    assertGreater(leaders, 1);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#all.map((node) => node.stop(0)));
    await Promise.all([...this.#transports.values()].map((transport) => transport.close()));
  }

  #start(self: NodeAddress): void {
    const { id } = self;
    const disk = this.#disks.get(id)!;
    const env = systemEnv();
    const node = startNode({
      id,
      clusterId: CLUSTER_ID,
      founders: this.#addresses,
      env,
      openLog: () => {
        const log = new MemoryLogStore(disk, { clusterId: CLUSTER_ID, nodeId: id });
        return this.#safety.over(id, log);
      },
      snapshots: { entriesMax: 1_000_000, bytesMax: 2 ** 40 },
      openTransport: (life) => {
        const transport = faultyTransport(this.#open(self, life), { env, links: this.#links });
        this.#transports.set(id, transport);
        return transport;
      },
      onEvent: (event) => {
        // What a node computes that has crashed reaches nobody.
        if (this.#nodes.get(id) === node || event.type === "opened") this.#safety.tell(id, event);
      },
    });
    this.#nodes.set(id, node);
    this.#all.push(node);
  }

  /** Ends a node as a power failure does: nobody hears from it, and its disk takes nothing more. */
  async #crash(id: string): Promise<void> {
    this.#nodes.delete(id);
    this.#counts.crashes += 1;
    const transport = this.#transports.get(id)!;
    this.#count(transport);
    this.#disks.get(id)!.boot({ clusterId: CLUSTER_ID, nodeId: id });
    await transport.close();
  }

  /** Changes all links again and again, and crashes a node now and then; heals everything in the end. */
  async #spoil(): Promise<void> {
    const endMs = performance.now() + FAULTS_MS;
    for (let change = 1; performance.now() < endMs; change++) {
      for (const { id: from } of this.#addresses) {
        for (const { id: to } of this.#addresses) {
          if (from === to) continue;
          const spoilt = this.#random.chance(0.5) ? this.#random.pick(SPOILT) : {};
          this.#links.set(from, to, { ...PERFECT, ...spoilt });
        }
      }
      await pause(CHANGE_MS);
      if (change % CRASH_EVERY !== 0) continue;
      const address = this.#victim();
      await this.#crash(address.id);
      await pause(DOWN_MS);
      this.#start(address);
    }
    this.#links.heal();
    for (const transport of this.#transports.values()) this.#count(transport);
  }

  /** The first to crash is a leader, and half of the others are. */
  #victim(): NodeAddress {
    const random = this.#random.pick(this.#addresses);
    const leader = this.#addresses.find(({ id }) => {
      return this.#nodes.get(id)?.service.status().replicas[0]?.role === "leader";
    });
    return leader !== undefined && (this.#counts.crashes === 0 || this.#random.chance(0.5))
      ? leader
      : random;
  }

  #count({ injected }: FaultyTransport): void {
    this.#counts.faults += Object.values(injected).reduce((sum, count) => sum + count, 0);
  }

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      this.#look();
      this.#safety.assertHeld();
      await pause(LOOK_MS);
    }
  }

  #look(): void {
    for (const [id, node] of this.#nodes) {
      const [status] = node.service.status().replicas;
      if (status !== undefined) this.#safety.look(id, status);
    }
    this.#safety.matchLogs();
  }

  /** Adds one again and again at one node, and reads: what was acknowledged before must be seen. */
  async #increment(id: string): Promise<void> {
    while (!this.#isOver) {
      const node = this.#nodes.get(id);
      if (node === undefined) {
        await pause(LOOK_MS);
        continue;
      }
      let isUnknown = true;
      try {
        const { status } = await node.service.write(increment("total"), { deadlineMs: 1000 });
        assertEquals(status, "applied");
        isUnknown = false;
        this.#counts.acknowledged += 1;
      } catch (error) {
        isUnknown = !(error instanceof Error && REFUSALS.includes(error.name));
        await pause(LOOK_MS);
      } finally {
        if (isUnknown) this.#counts.unknown += 1;
      }
      await this.#readsAll(node);
    }
  }

  async #readsAll(node: Node): Promise<void> {
    const due = this.#counts.acknowledged;
    let total: number;
    try {
      total = await totalAt(node, 1000);
    } catch {
      return;
    }
    assert(total >= due, `${due} were acknowledged before a linearizable read of ${total}`);
  }

  async #total(id: string): Promise<number> {
    return await totalAt(this.#node(id), 5000);
  }

  #node(id: string): Node {
    return this.#nodes.get(id)!;
  }

  async #ready(): Promise<void> {
    await eventually(
      "all nodes are ready",
      () => this.#addresses.every(({ id }) => this.#nodes.get(id)?.service.notReady() === null),
    );
  }
}

const REFUSALS = ["NoLeader", "Overloaded", "Draining", "NotServing"];

async function totalAt({ service }: Node, deadlineMs: number): Promise<number> {
  const query = { type: "get", keys: [key("total")] } as const;
  const { results } = await service.read(query, LINEARIZABLE, { deadlineMs });
  const value = results[0][0]?.value;
  return value === undefined ? 0 : Number(u64Of(value));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
