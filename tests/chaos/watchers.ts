/**
 * All watchers of a chaos run, from its beginning until they were told what was acknowledged last.
 *
 * @module
 */
import type { Operation } from "../history/mod.ts";
import type { ChaosCluster } from "./cluster.ts";
import { READY_MS, WATCHERS } from "./limits.ts";
import type { Random } from "./random.ts";
import type { Record } from "./record.ts";
import type { Finding } from "./verdict.ts";
import { WatchLog } from "./watch_log.ts";
import { judgeWatches, type Written, writtenOf } from "./watch_verdict.ts";
import { Watcher } from "./watcher.ts";

export class Watchers {
  readonly #logs: readonly WatchLog[];
  readonly #watchers: readonly Watcher[];
  readonly #over: Promise<unknown>;

  /** Starts them. */
  constructor(cluster: ChaosCluster, random: Random) {
    const nodes = () => cluster.running.length > 0 ? cluster.running : cluster.nodes;
    this.#logs = Array.from({ length: WATCHERS }, (_, i) => new WatchLog(`w${i + 1}`));
    this.#watchers = this.#logs.map((log) => new Watcher({ log, random: random.fork(), nodes }));
    this.#over = Promise.all(this.#watchers.map((watcher) => watcher.run()));
  }

  /** With all faults over and all clients gone: waits until each was told everything, and judges. */
  async finish(record: Record, operations: readonly Operation[]): Promise<Finding[]> {
    const last = record.lastAcknowledged;
    const timer = setTimeout(() => this.#watchers.forEach((each) => each.stop()), READY_MS);
    if (last !== null) { for (const watcher of this.#watchers) watcher.finish(last); }
    else for (const watcher of this.#watchers) watcher.stop();
    await this.#over;
    clearTimeout(timer);
    const late = this.#logs.filter(({ position }) => position === null || position < (last ?? ""));
    const visits = this.#watchers.reduce((sum, watcher) => sum + watcher.visits, 0);
    const refusals = new Map<string, number>();
    for (const watcher of this.#watchers) {
      for (const [code, count] of watcher.refusals) {
        refusals.set(code, (refusals.get(code) ?? 0) + count);
      }
    }
    const refused = [...refusals].map(([code, count]) => `${count} ${code}`).join(", ") || "none";
    return [
      {
        what: "every watcher is told what was written last",
        isGood: late.length === 0,
        detail: late.length === 0
          ? `let in ${visits} times; refused: ${refused}`
          : late.map(({ name, position }) => `${name} is at ${position}, not ${last}`).join("; "),
      },
      judgeWatches(this.#logs, [...writtenOf(operations), ...journalOf(record)]),
    ];
  }
}

/** The lines of the journal that were acknowledged. Each stands under its own versionstamp. */
function journalOf({ journal }: Record): Written[] {
  return [...journal.values()].flatMap(({ id, outcome, versionstamp }) => {
    if (outcome !== "ok") return [];
    const key = `journal/${id.slice(0, id.lastIndexOf("-"))}/${versionstamp}`;
    return [{ versionstamp: versionstamp!, sets: new Map([[key, id]]) }];
  });
}
