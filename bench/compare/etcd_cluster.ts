/**
 * Three etcd nodes on 127.0.0.1 with etcd's own defaults, spoken to by its JSON gateway: started, found,
 * killed, started again. They end with this process (compare/tied.ts).
 *
 * @module
 */
import { eventually } from "../../tests/cluster/harness.ts";
import { freePorts } from "../../tests/cluster/ports.ts";
import { Child } from "./child.ts";

const SIZE = 3;
const REQUEST_MS_MAX = 10_000;
const script = new URL("./tied.ts", import.meta.url);

interface Status {
  readonly header: { readonly member_id: string };
  readonly leader?: string;
}

/** One node of etcd's, alive or not. */
export class EtcdNode {
  readonly name: string;
  readonly origin: string;
  readonly #args: readonly string[];
  #child: Child | null = null;

  /** @param args the command line of etcd. */
  constructor(name: string, origin: string, args: readonly string[]) {
    this.name = name;
    this.origin = origin;
    this.#args = args;
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  start(): void {
    if (this.#child !== null) throw new Error(`${this.name} runs already`);
    this.#child = new Child(script, ["--allow-run=etcd"], ["etcd", ...this.#args]);
  }

  /** Kills it (SIGKILL) and waits until it is gone. */
  async kill(): Promise<void> {
    await this.#child?.close();
    this.#child = null;
  }

  /** What it has printed, at the end. */
  get log(): string {
    return this.#child?.log ?? "";
  }

  /** Sends one request to the gateway; gives the answer's status and body. */
  async post(
    path: string,
    body: unknown,
    signal: AbortSignal = AbortSignal.timeout(REQUEST_MS_MAX),
  ): Promise<{ status: number; text: string }> {
    const response = await fetch(`${this.origin}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal,
    });
    return { status: response.status, text: await response.text() };
  }

  /** Writes a text; gives the answer's status. */
  async put(key: string, value: string, signal?: AbortSignal): Promise<number> {
    const body = { key: btoa(key), value: btoa(value) };
    return (await this.post("/v3/kv/put", body, signal)).status;
  }

  /** Who this node takes for the leader: its own id and that one's, null if it knows of none. */
  async status(): Promise<{ id: string; leader: string | null }> {
    const { text } = await this.post("/v3/maintenance/status", {});
    const { header, leader }: Status = JSON.parse(text);
    return { id: header.member_id, leader: leader ?? null };
  }
}

export class EtcdCluster {
  readonly nodes: readonly EtcdNode[];

  private constructor(nodes: readonly EtcdNode[]) {
    this.nodes = nodes;
  }

  /** Starts all nodes, with their data below `directory`. @throws {Error} if they do not find a leader. */
  static async start(directory: string): Promise<EtcdCluster> {
    const ports = freePorts(2 * SIZE);
    const urls = ports.map((port) => `http://127.0.0.1:${port}`);
    const members = Array.from({ length: SIZE }, (_, i) => `e${i + 1}=${urls[SIZE + i]}`).join(",");
    const nodes = Array.from({ length: SIZE }, (_, i) => {
      const name = `e${i + 1}`;
      return new EtcdNode(name, urls[i], [
        `--name=${name}`,
        `--data-dir=${directory}/etcd-${name}`,
        `--listen-client-urls=${urls[i]}`,
        `--advertise-client-urls=${urls[i]}`,
        `--listen-peer-urls=${urls[SIZE + i]}`,
        `--initial-advertise-peer-urls=${urls[SIZE + i]}`,
        `--initial-cluster=${members}`,
        "--initial-cluster-state=new",
      ]);
    });
    const cluster = new EtcdCluster(nodes);
    try {
      for (const node of nodes) node.start();
      await cluster.leader();
    } catch (error) {
      for (const node of nodes) console.error(`--- log of ${node.name}\n${node.log}`);
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** Waits until all running nodes agree on a leader, itself running, and gives it. */
  async leader(): Promise<EtcdNode> {
    const running = this.nodes.filter((node) => node.isRunning);
    return await eventually("etcd's nodes agree on a leader", async () => {
      const states = await Promise.all(running.map((node) => node.status()));
      const leader = states[0].leader;
      if (leader === null || !states.every((state) => state.leader === leader)) return null;
      return running[states.findIndex(({ id }) => id === leader)];
    });
  }

  /** Kills all nodes. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
  }
}
