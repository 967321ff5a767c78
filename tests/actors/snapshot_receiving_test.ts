/** What a follower does with the chunks of a snapshot that come in. */
import { assertEquals } from "@std/assert";
import { SNAPSHOT_QUEUE_MAX } from "../../actors/limits_replica.ts";
import type { State } from "../../actors/replica_state.ts";
import { SnapshotReceiving } from "../../actors/snapshot_receiving.ts";
import { B, bytes, snapshotInfo, t } from "../raft/script.ts";

Deno.test("SnapshotReceiving lets only so many chunks wait for the disk, whatever is sent", async () => {
  const info = { ...snapshotInfo(), chunks: 100, bytes: 100 };
  const kept: number[] = [];
  const receiver = {
    info,
    next: 0,
    add: (chunk: number) => {
      kept.push(chunk);
      receiver.next++;
      return Promise.resolve();
    },
  };
  const works: (() => Promise<void>)[] = [];
  const state = {
    disk: { isFull: false },
    ctx: { env: { now: () => 0 } },
    background: { start: (work: () => Promise<void>) => works.push(work), check() {}, inTurn() {} },
    log: { snapshots: { receive: () => Promise.resolve(receiver) } },
  } as unknown as State;
  const receiving = new SnapshotReceiving();
  for (let chunk = 0; chunk < 2 * SNAPSHOT_QUEUE_MAX; chunk++) {
    receiving.arrived(state, B, {
      type: "snapshot-chunk",
      term: t(1),
      info,
      chunk,
      data: bytes(1),
    });
  }
  assertEquals(works.length, 1);
  await works[0]();
  assertEquals(kept, Array.from({ length: SNAPSHOT_QUEUE_MAX }, (_, chunk) => chunk));
});
