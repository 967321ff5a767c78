/**
 * A node that is a process, as tests ask it over HTTP. How it is started and ended is not here.
 *
 * @module
 */
import type { NodeConfig } from "../../cli/config.ts";

export interface ReplicaView {
  readonly role: string;
  readonly term: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly snapshotIndex: number;
  readonly stateHash: { readonly index: number; readonly hash: string };
}

export interface ClusterView {
  readonly node: string;
  readonly leader: string | null;
  readonly term: number;
  readonly members: readonly { readonly id: string; readonly role: string }[];
  readonly replicas: readonly ReplicaView[];
}

export class NodeDoor {
  readonly config: NodeConfig;
  readonly url: string;
  readonly #requestMs: number;

  /** @param requestMs how long one request may take. */
  constructor(config: NodeConfig, requestMs: number) {
    this.config = config;
    this.url = `http://${config.host}:${config.port}`;
    this.#requestMs = requestMs;
  }

  get id(): string {
    return this.config.id;
  }

  /** One request to this node, bounded in time. The body is not yet read. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, { ...init, signal: AbortSignal.timeout(this.#requestMs) });
  }

  async view(): Promise<ClusterView> {
    const response = await this.fetch("/v1/cluster");
    return await response.json();
  }

  async isReady(): Promise<boolean> {
    const response = await this.fetch("/readyz");
    await response.body?.cancel();
    return response.status === 200;
  }
}
