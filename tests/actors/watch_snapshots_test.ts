/**
 * Deno KV's kind of watch (KV Connect: up to ten keys, first a snapshot at once, each update a consistent
 * snapshot of all keys, never an older one), made of a watch and session reads.
 */
import { assert, assertEquals } from "@std/assert";
import type { KvService, Watch } from "../../actors/service.ts";
import { OFTEN } from "./snapshot_world.ts";
import { key, put, VirtualCluster, write } from "./virtual_cluster.ts";

const NAMES = ["a", "b"] as const;
const KEYS = NAMES.map(key);

/** Notes the snapshots of two keys as text, as a door for such watches would send them. */
class SnapshotWatch {
  readonly snapshots: string[] = [];
  readonly indexes: number[] = [];
  readonly #service: KvService;
  readonly #watch: Watch;

  private constructor(service: KvService, watch: Watch) {
    this.#service = service;
    this.#watch = watch;
    void this.#run();
  }

  static async open(service: KvService): Promise<SnapshotWatch> {
    const selection = { keys: KEYS, prefixes: [] };
    return new SnapshotWatch(service, await service.watch({ selection, since: null }));
  }

  close(): void {
    this.#watch.close();
  }

  async #run(): Promise<void> {
    let readIndex = -1;
    for (;;) {
      const event = await this.#watch.next();
      if (event.type === "ended") return;
      const index = event.type === "changes" ? event.versionstamp.index : event.position.index;
      // The snapshot before has it already.
      if (event.type === "progress" || index <= readIndex) continue;
      const consistency = { mode: "session", minIndex: index } as const;
      const read = await this.#service.read({ type: "get", keys: KEYS }, consistency);
      assert(read.index >= index && read.index >= readIndex);
      readIndex = read.index;
      this.indexes.push(read.index);
      this.snapshots.push(
        read.results[0].map((entry) =>
          entry === null ? "-" : new TextDecoder().decode(entry.value.data)
        ).join(" "),
      );
    }
  }
}

/** Both keys in one write: no snapshot may show one without the other. */
function both(text: string) {
  return write(...NAMES.flatMap((name) => put(name, text).mutations));
}

Deno.test("a watch and session reads make consistent snapshots that never go back, over a change of leader", async () => {
  for (let seed = 1; seed <= 6; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const leader = await cluster.leader();
      const [here, other] = cluster.ids.filter((id) => id !== leader);
      const watch = await cluster.settle(SnapshotWatch.open(cluster.service(here)));
      await cluster.eventually("the first snapshot", () => watch.snapshots.length === 1);
      assertEquals(watch.snapshots, ["- -"]);
      for (let i = 0; i < 10; i++) await cluster.settle(cluster.service(other).write(both(`${i}`)));
      await cluster.crash(leader);
      for (let i = 10; i < 20; i++) {
        await cluster.settle(cluster.service(other).write(both(`${i}`)));
      }
      await cluster.settle(cluster.service(other).write(write({ type: "delete", key: KEYS[0] })));
      await cluster.eventually("the last snapshot", () => watch.snapshots.at(-1) === "- 19");
      for (const snapshot of watch.snapshots.slice(1, -1)) {
        const [a, b] = snapshot.split(" ");
        assertEquals(a, b, `seed ${seed}`);
      }
      assertEquals(watch.indexes, watch.indexes.toSorted((a, b) => a - b));
      watch.close();
    });
  }
});

Deno.test("a watch and session reads show what a snapshot brought, though nobody can tell the changes", async () => {
  for (let seed = 1; seed <= 3; seed++) {
    await VirtualCluster.run(3, seed, async (cluster) => {
      const leader = await cluster.leader();
      const behind = cluster.ids.find((id) => id !== leader)!;
      await cluster.settle(cluster.service(leader).write(both("before")));
      const watch = await cluster.settle(SnapshotWatch.open(cluster.service(behind)));
      await cluster.eventually("the first", () => watch.snapshots.at(-1) === "before before");
      cluster.isolate(behind);
      await cluster.settle(cluster.service(leader).write(both("missed")));
      for (let i = 0; i < 150; i++) await cluster.put(leader, `other-${i}`, "value");
      cluster.network.heal();
      await cluster.eventually("the last", () => watch.snapshots.at(-1) === "missed missed");
      assert(cluster.events.some((event) => event.includes(`${behind} snapshot-installed`)));
      watch.close();
    }, OFTEN);
  }
});
