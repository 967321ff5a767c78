/**
 * The nodes of a chaos run: founded, joined, removed; with the faults that each of them has now. All are
 * ended when the run is over, whatever it did.
 *
 * @module
 */
import { founderConfig, type NodeConfig, type TransportName } from "../../cli/config.ts";
import type { Link } from "../../transport/memory_links.ts";
import { eventually } from "../cluster/harness.ts";
import type { ClusterView } from "../cluster/node_door.ts";
import { freePorts } from "../cluster/ports.ts";
import { type DiskFaults, NO_FAULTS } from "./control.ts";
import { READY_MS, SNAPSHOTS } from "./limits.ts";
import { ChaosNode } from "./node.ts";
import { SmallDisk } from "./small_disk.ts";

const HOST = "127.0.0.1";

export type Member = ClusterView["members"][number];

/** A direction between two nodes with a fault, and at which of its ends that happens. */
export interface FaultyDirection {
  readonly from: string;
  readonly to: string;
  readonly link: Partial<Link>;
  readonly side: "sender" | "receiver";
}

export interface ClusterOptions {
  readonly size: number;
  readonly transport: TransportName;
  /** Where the data and logs of the nodes lie. */
  readonly directory: string;
  /** Whether one node's disk is to be a small one, if that can be. */
  readonly withSmallDisk: boolean;
  /** Takes a sentence when a node ends that nobody asked to. */
  readonly onCrash: (text: string) => void;
}

export class ChaosCluster implements AsyncDisposable {
  readonly #options: ClusterOptions;
  /** Those that are members, or are becoming or ceasing to be. */
  readonly #nodes: ChaosNode[] = [];
  readonly #retired: ChaosNode[] = [];
  readonly #clockOffsetsMs = new Map<string, number>();
  readonly #disks = new Map<string, DiskFaults>();
  readonly #founder: NodeConfig;
  #links: readonly FaultyDirection[] = [];
  #smallDisk: { readonly node: ChaosNode; readonly disk: SmallDisk } | null = null;
  #count = 0;

  private constructor(options: ClusterOptions) {
    const { size, transport, directory } = options;
    this.#options = options;
    const ports = freePorts(size * 2);
    const peers = Array.from({ length: size }, (_, i) => ({
      id: `n${i + 1}`,
      peerHost: HOST,
      peerPort: ports[size + i],
      url: `http://${HOST}:${ports[i]}`,
    }));
    const clusterId = crypto.randomUUID();
    const configs = peers.map(({ id }, i) => {
      const data = `${directory}/${id}`;
      const founder = { id, host: HOST, port: ports[i], data, peers, clusterId };
      return founderConfig(founder, SNAPSHOTS, transport);
    });
    this.#founder = configs[0];
    this.#count = size;
    for (const config of configs) this.#add(config);
  }

  /** Founds one, and waits until it serves. */
  static async found(options: ClusterOptions): Promise<ChaosCluster> {
    const cluster = new ChaosCluster(options);
    try {
      if (options.withSmallDisk) await cluster.#mount();
      for (const node of cluster.nodes) node.start();
      await cluster.ready();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  get nodes(): readonly ChaosNode[] {
    return this.#nodes;
  }

  get running(): ChaosNode[] {
    return this.#nodes.filter((node) => node.isRunning);
  }

  /** Those that could answer now. */
  get awake(): ChaosNode[] {
    return this.running.filter((node) => !node.isPaused);
  }

  /** The small disk and its node, which stays to the end; null if there is none. */
  get smallDisk(): { readonly node: ChaosNode; readonly disk: SmallDisk } | null {
    return this.#smallDisk;
  }

  /** The nodes that may leave, or be replaced. */
  get leavable(): ChaosNode[] {
    return this.#nodes.filter((node) => node !== this.#smallDisk?.node);
  }

  node(id: string): ChaosNode | undefined {
    return this.#nodes.find((node) => node.id === id);
  }

  /** Starts a node under a name of its own that joins the cluster. */
  join(replaces: string | null): ChaosNode {
    const id = `n${++this.#count}`;
    const [port, peerPort] = freePorts(2);
    const node = this.#add({
      ...this.#founder,
      id,
      port,
      peerPort,
      data: `${this.#options.directory}/${id}`,
      self: { id, peerHost: HOST, peerPort, url: `http://${HOST}:${port}` },
      peers: [],
      isListed: false,
      joining: {
        urls: this.running.map(({ config }) => `http://${config.host}:${config.port}`),
        role: "voter",
        replaces,
      },
      peerHosts: [HOST],
    });
    node.start();
    return node;
  }

  /** Ends a node that is no member any more, as far as is known: its data stay. */
  async retire(id: string): Promise<void> {
    const node = this.node(id);
    if (node === undefined) return;
    await node.end();
    this.#nodes.splice(this.#nodes.indexOf(node), 1);
    this.#retired.push(node);
  }

  /** Makes sure that a member runs, also if it was taken for none. */
  revive(id: string): void {
    const retired = this.#retired.findIndex((node) => node.id === id);
    if (retired >= 0) this.#nodes.push(...this.#retired.splice(retired, 1));
    const node = this.node(id);
    if (node !== undefined && !node.isRunning) node.start();
  }

  /** These directions are faulty from now on, and no others. */
  setLinks(links: readonly FaultyDirection[]): void {
    this.#links = links;
    this.#tell();
  }

  /** The node's time of day is off by so much from now on. */
  setClock(id: string, offsetMs: number): void {
    this.#clockOffsetsMs.set(id, offsetMs);
    this.#tell();
  }

  setDisk(id: string, change: Partial<DiskFaults>): void {
    this.#disks.set(id, { ...this.#disks.get(id) ?? NO_FAULTS.disk, ...change });
    this.#tell();
  }

  /** Ends every fault, and starts and continues every node. */
  async heal(): Promise<void> {
    this.#links = [];
    this.#disks.clear();
    this.#clockOffsetsMs.clear();
    this.#tell();
    await this.#smallDisk?.disk.free();
    for (const node of this.#nodes) {
      if (!node.isRunning) node.start();
      else if (node.isPaused) node.resume();
    }
  }

  /**
   * Who is a member, as a majority of these say; null if there is no such majority now. What a single node
   * says may be old (it is just starting, or cut off), and whoever acts on it could end a quorum.
   */
  async members(): Promise<readonly Member[] | null> {
    const answers = await Promise.allSettled(this.awake.map(async (node) => {
      const [view, isReady] = await Promise.all([node.view(), node.isReady()]);
      return { id: node.id, members: isReady ? view.members : [] };
    }));
    const said = new Map<string, { members: readonly Member[]; by: number }>();
    for (const answer of answers) {
      if (answer.status === "rejected") continue;
      const { id, members } = answer.value;
      if (!members.some((member) => member.id === id)) continue;
      const text = members.map((member) => `${member.id} ${member.role}`).sort().join();
      const same = said.get(text) ?? { members, by: 0 };
      said.set(text, { ...same, by: same.by + 1 });
    }
    return [...said.values()].find(({ members, by }) => by > members.length / 2)?.members ?? null;
  }

  /** The node that leads as far as the awake ones know, the newest term first; null if they know none. */
  async leader(): Promise<ChaosNode | null> {
    const answers = await Promise.allSettled(this.awake.map((node) => node.view()));
    const views = answers.flatMap((it) => it.status === "fulfilled" ? [it.value] : []);
    views.sort((a, b) => b.term - a.term);
    const leader = views.find((view) => view.leader !== null)?.leader;
    return leader === undefined || leader === null ? null : this.node(leader) ?? null;
  }

  /** Waits until every node serves. */
  async ready(): Promise<void> {
    await eventually("all nodes are ready", async () => {
      const ready = await Promise.all(this.#nodes.map((node) => node.isReady()));
      return ready.every((it) => it);
    }, READY_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.end()));
    await this.#smallDisk?.disk[Symbol.asyncDispose]();
  }

  async #mount(): Promise<void> {
    const node = this.#nodes.at(-1)!;
    await Deno.mkdir(node.config.data, { recursive: true });
    const disk = await SmallDisk.mount(node.config.data);
    this.#smallDisk = disk === null ? null : { node, disk };
  }

  #add(config: NodeConfig): ChaosNode {
    const log = `${this.#options.directory}/${config.id}.log`;
    const node = new ChaosNode(config, log, ({ id }, { code, signal }) => {
      const how = signal === null ? `with code ${code}` : `by ${signal}`;
      this.#options.onCrash(`${id} ended by itself ${how}: its log is ${log}`);
    });
    this.#nodes.push(node);
    return node;
  }

  #tell(): void {
    for (const node of this.#nodes) {
      const { id } = node;
      const links = this.#links.filter(({ from, to, side }) =>
        id === (side === "sender" ? from : to)
      );
      const clockOffsetMs = this.#clockOffsetsMs.get(id) ?? 0;
      const disk = this.#disks.get(id) ?? NO_FAULTS.disk;
      const faults = {
        links: links.map(({ from, to, link }) => ({ from, to, link })),
        clockOffsetMs,
        disk,
      };
      if (JSON.stringify(faults) !== JSON.stringify(node.faults)) node.suffer(faults);
    }
  }
}
