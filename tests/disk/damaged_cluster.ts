/**
 * A cluster in virtual time that knows what it acknowledged, and what its disks held some time ago.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Damage } from "./damages.ts";
import { LINEARIZABLE } from "../../actors/service.ts";
import type { DiskImage } from "../../storage/memory_disk_parts.ts";
import { type ClusterOptions, key, put, VirtualCluster } from "../actors/virtual_cluster.ts";

/** Snapshots often enough for each disk to have one, with a log before and behind it. */
const OPTIONS: ClusterOptions = { snapshots: { entriesMax: 25, tailEntries: 5 } };
/** Writes before and after the disks are copied. Each is a commit of its own. */
const WRITES_BEFORE = 40;
const WRITES_AFTER = 20;
/** Many election timeouts, and longer than a node waits before it says that it is halted. */
export const LONG_MS = 12_000;

const NO_SNAPSHOT = /failed \(CorruptSnapshot\).*does not start.*Delete nothing/;

export class DamagedCluster {
  readonly cluster: VirtualCluster;
  /** Copies of the disks, from before the last writes. */
  readonly old = new Map<string, DiskImage>();
  readonly #acknowledged = new Map<string, string>();

  private constructor(cluster: VirtualCluster) {
    this.cluster = cluster;
  }

  /** Founds a cluster, fills it, runs the test under each of the seeds, from 1. */
  static async run(
    size: number,
    seeds: number,
    test: (disks: DamagedCluster, seed: number) => Promise<void>,
  ): Promise<void> {
    for (let seed = 1; seed <= seeds; seed++) {
      try {
        await VirtualCluster.run(size, seed, async (cluster) => {
          const damaged = new DamagedCluster(cluster);
          await damaged.#fill();
          await test(damaged, seed);
        }, OPTIONS);
      } catch (error) {
        throw new Error(`Seed ${seed} of ${size} nodes failed`, { cause: error });
      }
    }
  }

  /** Writes at a node, which must acknowledge it. */
  async put(id: string, name: string, text: string): Promise<void> {
    assertEquals(await this.cluster.put(id, name, text), "applied");
    this.#acknowledged.set(name, text);
  }

  /** Takes nodes down and damages their disks. They stay down. */
  async inflict(damage: Damage, ids: readonly string[]): Promise<void> {
    for (const id of ids) await this.cluster.crash(id);
    for (const id of ids) damage.inflict(this.cluster, id, this.old.get(id)!);
  }

  /**
   * A node says what was found, at `/readyz` and, if its replica runs, in `GET /v1/cluster`. One that is
   * alone has nobody to fetch another snapshot from, and does not start without one.
   */
  async says(id: string, { fate, says }: Damage, isAlone = false): Promise<void> {
    const service = this.cluster.service(id);
    const isSaid = (why: string) => says.test(why) || isAlone && NO_SNAPSHOT.test(why);
    await this.cluster.eventually(`${id} says ${says}`, () => isSaid(service.notReady() ?? ""));
    const [replica] = service.status().replicas;
    if (/has failed/.test(service.notReady()!)) assertEquals(replica, undefined);
    else if (fate !== "refused") assert(replica.damage !== null, `${id} does not say it to kvctl`);
  }

  /** A node answers no linearizable read and takes no write: certainly nothing was done. */
  async servesNothing(id: string): Promise<void> {
    const service = this.cluster.service(id);
    const query = { type: "get", keys: [key("before-0")] } as const;
    const asked = await this.cluster.settle(Promise.allSettled([
      service.read(query, LINEARIZABLE),
      service.read(query, { mode: "lease" }),
      service.write(put("refused", "value")),
    ]));
    for (const outcome of asked) {
      assert(outcome.status === "rejected", `${id} served ${JSON.stringify(outcome)}`);
      assertMatch(outcome.reason.name, /^(NotServing|NoLeader|OutcomeUnknown)$/);
    }
    // What anybody may read of any time: there was never anything else under this key.
    const eventual = service.read(query, { mode: "eventual", maxStalenessMs: null });
    const [read] = await this.cluster.settle(Promise.allSettled([eventual]));
    if (read.status === "rejected") return;
    const entry = read.value.results[0][0];
    const text = entry === null ? null : new TextDecoder().decode(entry.value.data);
    assert(text === null || text === "before 0", `${id} shows ${text}`);
  }

  /** Nobody has become leader since there were so many events. */
  nobodyLeads(since: number): void {
    const led = this.cluster.events.slice(since).filter((event) => / role leader /.test(event));
    assertEquals(led, []);
  }

  /** A node has all that was ever acknowledged, and what is written through it now. */
  async servesAgain(id: string): Promise<void> {
    await this.put(id, `again-${id}`, `through ${id}`);
    const names = [...this.#acknowledged.keys()];
    const query = { type: "get", keys: names.map((name) => key(name)) } as const;
    const { results } = await this.cluster.settle(
      this.cluster.service(id).read(query, LINEARIZABLE),
    );
    const read = names.map((name, i) => {
      const entry = results[0][i];
      return [name, entry === null ? null : new TextDecoder().decode(entry.value.data)];
    });
    assertEquals(read, [...this.#acknowledged]);
  }

  /** All nodes are ready, have all that was acknowledged, and one state. */
  async isWhole(): Promise<void> {
    await this.cluster.ready();
    for (const id of this.cluster.running) await this.servesAgain(id);
    await this.cluster.agreedHash();
    for (const id of this.cluster.running) {
      assertEquals(this.cluster.service(id).status().replicas[0].damage, null);
      assert(!this.cluster.disks.get(id)!.isDamaged, `${id} is not declared mended`);
    }
  }

  async #fill(): Promise<void> {
    const { cluster } = this;
    const leader = await cluster.leader();
    for (let n = 0; n < WRITES_BEFORE; n++) await this.put(leader, `before-${n}`, `before ${n}`);
    await cluster.agreedHash();
    for (const id of cluster.ids) this.old.set(id, cluster.disks.get(id)!.image());
    for (let n = 0; n < WRITES_AFTER; n++) await this.put(leader, `after-${n}`, `after ${n}`);
    await cluster.agreedHash();
    for (const id of cluster.ids) {
      assert(cluster.disks.get(id)!.snapshot !== null, `${id} has no snapshot`);
    }
  }
}
