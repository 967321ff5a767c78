/**
 * Starts the contenders that a run needs, and ends all of it again: processes by their id, data by its
 * directory, in the opposite order.
 *
 * @module
 */
import { ProcessCluster } from "../../tests/cluster/harness.ts";
import { CeilingCluster } from "./ceiling_cluster.ts";
import {
  ceilingContender,
  type Contender,
  etcdContender,
  fileContender,
  kvorumContender,
} from "./contenders.ts";
import { EtcdCluster } from "./etcd_cluster.ts";
import type { ContenderName } from "./workloads.ts";

const NODES = 3;
/** Of what a node has printed, so much is shown when a run has failed. */
const LOG_CHARACTERS_SHOWN = 2000;

/** What is up. */
export class Stage implements AsyncDisposable {
  readonly contenders = new Map<ContenderName, Contender>();
  readonly #held = new AsyncDisposableStack();
  readonly #logs: { readonly name: string; readonly log: () => string }[] = [];
  #kvorum: ProcessCluster | null = null;
  #etcd: EtcdCluster | null = null;

  /** Starts all of `needed`. @throws {Error} if one does not come up, after ending those that did. */
  static async set(needed: ReadonlySet<ContenderName>, signal: AbortSignal): Promise<Stage> {
    const stage = new Stage();
    try {
      const directory = await Deno.makeTempDir({ prefix: "kvorum-compare-" });
      stage.#held.defer(() => Deno.remove(directory, { recursive: true }));
      for (const name of needed) {
        signal.throwIfAborted();
        stage.contenders.set(name, await stage.#start(name, directory));
      }
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
    return stage;
  }

  async #start(name: ContenderName, directory: string): Promise<Contender> {
    switch (name) {
      case "kvorum":
        this.#kvorum = await this.#found(NODES);
        return kvorumContender(name, this.#kvorum);
      case "single":
        return kvorumContender(name, await this.#found(1));
      case "etcd": {
        const etcd = await EtcdCluster.start(directory);
        this.#etcd = etcd;
        this.#held.defer(() => etcd.stop());
        for (const node of etcd.nodes) {
          this.#logs.push({ name: `etcd ${node.name}`, log: () => node.log });
        }
        return etcdContender(etcd);
      }
      case "ceiling": {
        const ceiling = await CeilingCluster.start(directory);
        this.#held.defer(() => ceiling.stop());
        return ceilingContender(ceiling);
      }
      case "file":
        return fileContender(directory);
    }
  }

  /** Founds a cluster that lives as long as this. */
  async #found(size: number): Promise<ProcessCluster> {
    const opened = Promise.withResolvers<ProcessCluster>();
    const over = Promise.withResolvers<void>();
    const ended = ProcessCluster.run(size, (cluster) => {
      opened.resolve(cluster);
      return over.promise;
    });
    ended.catch(opened.reject);
    const cluster = await opened.promise;
    for (const node of cluster.nodes) {
      this.#logs.push({ name: `${node.id} of ${size}`, log: () => node.log });
    }
    this.#held.defer(async () => {
      over.resolve();
      await ended;
    });
    return cluster;
  }

  /** Kvorum's three nodes. @throws {Error} if they are not on stage. */
  get kvorum(): ProcessCluster {
    if (this.#kvorum === null) throw new Error("Kvorum's three nodes were not started");
    return this.#kvorum;
  }

  /** etcd's nodes, or null if they are not on stage. */
  get etcd(): EtcdCluster | null {
    return this.#etcd;
  }

  /** The end of what each node has printed: for the reader of a failure. */
  logs(): string {
    return this.#logs.map(({ name, log }) => `--- ${name}\n${log().slice(-LOG_CHARACTERS_SHOWN)}`)
      .join("\n");
  }

  /** Ends everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync();
  }
}
