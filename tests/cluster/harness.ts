/**
 * Real processes for tests: a cluster of `main.ts` children on 127.0.0.1, and what a test does to
 * them: kill, pause, resume, start again. Conditions are awaited with deadlines, never slept for.
 *
 * Every process is ended by its id when the test is over, whatever the test did.
 *
 * @module
 */
import { NODE_ENTRY, nodeCommand } from "../../cli/node_command.ts";
import { signalChild } from "../../cli/signals.ts";
import {
  founderConfig,
  type NodeConfig,
  type SnapshotSettings,
  type TransportName,
} from "../../cli/config.ts";
import { NodeDoor } from "./node_door.ts";
import { freePorts } from "./ports.ts";

/** How long a condition may take before the test fails, unless told otherwise. */
const CONDITION_MS = 15_000;
/** How often a condition is looked at. */
const POLL_MS = 20;
/** How long one request of a test may take: longer than a node's own deadline of 5 s. */
const REQUEST_MS = 8000;

/** Waits until `condition` gives something; fails with `what` and the last error after `withinMs`. */
export async function eventually<T>(
  what: string,
  condition: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  withinMs = CONDITION_MS,
): Promise<T> {
  const endMs = performance.now() + withinMs;
  let lastError: unknown = null;
  while (true) {
    try {
      const value = await condition();
      if (value !== null && value !== undefined && value !== false) return value;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > endMs) {
      throw new Error(`not within ${withinMs} ms: ${what}`, { cause: lastError });
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Waits for a promise, but not for ever. */
async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`not within ${CONDITION_MS} ms: ${what}`)),
      CONDITION_MS,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** One node's process, alive or not. */
export class NodeProcess extends NodeDoor {
  #child: Deno.ChildProcess | null = null;
  #output: Promise<unknown>[] = [];
  #log = "";

  constructor(config: NodeConfig) {
    super(config, REQUEST_MS);
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  /** Everything that the node's processes have printed so far. */
  get log(): string {
    return this.#log;
  }

  start(): void {
    if (this.#child !== null) throw new Error(`${this.id} runs already`);
    Deno.mkdirSync(this.config.data, { recursive: true });
    const child = nodeCommand(this.config, NODE_ENTRY, "piped").spawn();
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      this.#output.push(
        stream.pipeThrough(new TextDecoderStream()).pipeTo(
          new WritableStream({ write: (text) => void (this.#log += text) }),
        ),
      );
    }
  }

  signal(signal: Deno.Signal): void {
    if (this.#child === null) throw new Error(`${this.id} does not run`);
    signalChild(this.#child, signal);
  }

  /** Sends the signal and waits for the end of the process. */
  async end(signal: Deno.Signal = "SIGKILL"): Promise<Deno.CommandStatus> {
    this.signal(signal);
    return await this.ended();
  }

  /** Waits until the process has ended, by itself or by a signal. */
  async ended(): Promise<Deno.CommandStatus> {
    const child = this.#child;
    if (child === null) throw new Error(`${this.id} does not run`);
    const status = await within(`the end of ${this.id}`, child.status);
    await child.stdin.close().catch(() => {});
    await Promise.all(this.#output);
    this.#output = [];
    this.#child = null;
    return status;
  }

  /** Writes a text; gives the answer's status, body read. */
  async put(key: string, value: string, headers: Record<string, string> = {}): Promise<number> {
    const response = await this.fetch(`/v1/kv/${key}`, { method: "PUT", body: value, headers });
    await response.body?.cancel();
    return response.status;
  }

  /** Reads a text, null if there is none. @throws if the answer is neither 200 nor 404. */
  async get(key: string): Promise<string | null> {
    const response = await this.fetch(`/v1/kv/${key}`);
    const text = await response.text();
    if (response.status === 404) return null;
    if (response.status !== 200) throw new Error(`${this.id}: ${response.status} ${text}`);
    return text;
  }
}

/** A cluster of real processes on free ports, with its data in a temporary directory. */
export class ProcessCluster {
  readonly directory: string;
  readonly #nodes: NodeProcess[];
  readonly #removed = new Set<string>();

  private constructor(nodes: NodeProcess[], directory: string) {
    this.#nodes = nodes;
    this.directory = directory;
  }

  /** Founds a cluster, runs the test with it, and ends every process, whatever happens. */
  static async run(
    size: number,
    test: (cluster: ProcessCluster) => Promise<void>,
    snapshots?: SnapshotSettings,
    transport?: TransportName,
  ): Promise<void> {
    const directory = await Deno.makeTempDir({ prefix: "kvorum-test-" });
    const ports = freePorts(size * 2);
    const host = "127.0.0.1";
    const peers = Array.from({ length: size }, (_, i) => ({
      id: `n${i + 1}`,
      peerHost: host,
      peerPort: ports[size + i],
      url: `http://${host}:${ports[i]}`,
    }));
    const clusterId = crypto.randomUUID();
    const nodes = peers.map((peer, i) =>
      new NodeProcess(founderConfig(
        {
          id: peer.id,
          host,
          port: ports[i],
          data: `${directory}/${peer.id}`,
          peers,
          clusterId,
        },
        snapshots,
        transport,
      ))
    );
    const cluster = new ProcessCluster(nodes, directory);
    try {
      for (const node of nodes) node.start();
      await cluster.ready();
      await test(cluster);
    } catch (error) {
      for (const node of cluster.nodes) console.error(`--- log of ${node.id}\n${node.log}`);
      throw error;
    } finally {
      await Promise.all(cluster.running.map((node) => node.end()));
      await Deno.remove(directory, { recursive: true });
    }
  }

  /** Runs a test with a second process on `node`'s data, at other ports. */
  static async twin(
    node: NodeProcess,
    port: number,
    peerPort: number,
    test: (twin: NodeProcess) => Promise<void>,
  ): Promise<void> {
    const { config } = node;
    const peers = config.peers.map((peer) =>
      peer.id === config.id ? { ...peer, peerPort, url: `http://${config.host}:${port}` } : peer
    );
    const twin = new NodeProcess({ ...config, port, peerPort, peers });
    try {
      twin.start();
      await test(twin);
    } finally {
      if (twin.isRunning) await twin.end();
    }
  }

  /** All nodes that ever were, in the order in which they came. */
  get nodes(): readonly NodeProcess[] {
    return this.#nodes;
  }

  get running(): NodeProcess[] {
    return this.#nodes.filter((node) => node.isRunning);
  }

  /** The running nodes that nobody has removed. */
  get members(): NodeProcess[] {
    return this.running.filter((node) => !this.#removed.has(node.id));
  }

  /** Notes that the cluster was asked to remove the node. */
  forget(id: string): void {
    this.#removed.add(id);
  }

  /** Starts a node that joins the cluster, on the ports of a former one of this id if there was one. */
  join(id: string, replaces: string | null = null): NodeProcess {
    const [{ config: founder }] = this.#nodes;
    const former = this.#nodes.findIndex((node) => node.id === id);
    const [port, peerPort] = former < 0
      ? freePorts(2)
      : [this.#nodes[former].config.port, this.#nodes[former].config.peerPort];
    const { host } = founder;
    const node = new NodeProcess({
      ...founder,
      id,
      port,
      peerPort,
      data: `${this.directory}/${id}`,
      self: { id, peerHost: host, peerPort, url: `http://${host}:${port}` },
      peers: [],
      isListed: false,
      joining: { urls: this.members.map((member) => member.url), role: "voter", replaces },
      peerHosts: [host],
    });
    if (former < 0) this.#nodes.push(node);
    else this.#nodes[former] = node;
    this.#removed.delete(id);
    node.start();
    return node;
  }

  /** Waits until every running node is ready. */
  async ready(withinMs?: number): Promise<void> {
    await eventually("all running nodes are ready", async () => {
      const ready = await Promise.all(this.running.map((node) => node.isReady()));
      return ready.every((isReady) => isReady);
    }, withinMs);
  }

  node(id: string): NodeProcess {
    const node = this.nodes.find((node) => node.id === id);
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  /** Waits until all of `among` know one leader, itself of `among`, and gives it. */
  async leader(among: readonly NodeProcess[] = this.running): Promise<NodeProcess> {
    return await eventually(`${among.map((node) => node.id)} agree on a leader`, async () => {
      const views = await Promise.all(among.map((node) => node.view()));
      const leader = views[0].leader;
      if (leader === null || !views.every((view) => view.leader === leader)) return null;
      return among.find((node) => node.id === leader);
    });
  }

  /** Waits until all of `among` report one state hash at one index, and gives it. */
  async agreedHash(among: readonly NodeProcess[] = this.running): Promise<string> {
    return await eventually("all nodes have one state hash at one index", async () => {
      const views = await Promise.all(among.map((node) => node.view()));
      const hashes = views.map(({ replicas: [replica] }) =>
        `${replica.stateHash.index}:${replica.stateHash.hash}`
      );
      return new Set(hashes).size === 1 ? hashes[0] : null;
    });
  }
}
