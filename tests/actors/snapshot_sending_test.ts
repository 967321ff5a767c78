/** What a leader sends to a follower that needs its snapshot, chunk by chunk. */
import { assert, assertEquals } from "@std/assert";
import {
  SNAPSHOT_GIVE_UP_TICKS,
  SNAPSHOT_HOLDS_MAX,
  SNAPSHOT_PROBE_TICKS,
  SNAPSHOT_QUEUE_TICKS,
  SNAPSHOT_RESEND_TICKS,
} from "../../actors/limits_replica.ts";
import type { State } from "../../actors/replica_state.ts";
import { SnapshotSending } from "../../actors/snapshot_sending.ts";
import { configurationOf } from "../../raft/configuration.ts";
import type { PeerMessage } from "../../raft/message.ts";
import { logIndex, type NodeId, nodeId, type SnapshotInfo, term } from "../../raft/types.ts";
import { CorruptSnapshot } from "../../storage/types.ts";

const PEER = nodeId("n2");

function infoAt(index: number, chunks: number): SnapshotInfo {
  const configuration = configurationOf([nodeId("n1"), PEER]);
  const meta = { index: logIndex(index), term: term(1), timeMs: 0, configuration };
  return { meta, id: "0123456789abcdef", chunks, bytes: chunks };
}

/** A leader whose disk answers at once; `sent` collects the chunks that leave, and is emptied by `take`. */
class Bench {
  readonly sending = new SnapshotSending();
  readonly core = {
    id: nodeId("n1"),
    role: "leader",
    term: term(3),
    ticks: 0,
    progress: new Map([[PEER, { paused: true }]]),
    log: { baseIndex: 40 },
  };
  readonly pinned: SnapshotInfo[] = [];
  current: SnapshotInfo | null = infoAt(50, 5);
  corrupt = -1;
  taken = 0;
  readonly events: string[] = [];
  /** Chunks that left, by follower. */
  readonly sentTo = new Map<NodeId, number>();
  #sent: number[] = [];
  readonly state = this.#state();

  reply(next: number, id = "0123456789abcdef"): void {
    const index = logIndex(50);
    const reply = { type: "snapshot-reply", term: term(3), id, index, next } as const;
    this.sending.replied(this.state, PEER, reply);
  }

  needed(to = PEER): void {
    this.sending.needed(this.state, to);
  }

  /** Lets so many ticks pass; the chunks sent in the last one stay to be taken. */
  async tick(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      this.core.ticks++;
      this.sending.tick(this.state);
      await Promise.resolve();
    }
    await settled();
  }

  async take(): Promise<number[]> {
    await settled();
    return this.#sent.splice(0);
  }

  #state(): State {
    const state = {
      core: this.core,
      options: {
        group: "0",
        send: (to: NodeId, _group: string, message: PeerMessage) => {
          if (message.type !== "snapshot-chunk") return true;
          this.#sent.push(message.chunk);
          this.sentTo.set(to, (this.sentTo.get(to) ?? 0) + 1);
          return true;
        },
        onEvent: (event: { type: string }) => void this.events.push(event.type),
      },
      log: {
        snapshots: {
          readCurrent: () => this.current,
          get current() {
            return this.readCurrent();
          },
          pin: (info: SnapshotInfo) => void this.pinned.push(info),
          release: (info: SnapshotInfo) => void this.pinned.splice(this.pinned.indexOf(info), 1),
          read: (_info: SnapshotInfo, chunk: number) =>
            chunk === this.corrupt
              ? Promise.reject(new CorruptSnapshot("rotten"))
              : Promise.resolve(new Uint8Array(1)),
        },
      },
      taking: { takeForFollower: () => void this.taken++ },
      background: {
        start: (work: () => Promise<void>) => work(),
        check: () => {},
        inTurn: (step: (state: State) => void) => step(state as unknown as State),
      },
    };
    return state as unknown as State;
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

Deno.test("SnapshotSending keeps two chunks ahead of what the follower has durably", async () => {
  const bench = new Bench();
  bench.needed();
  bench.needed();
  assertEquals(await bench.take(), [0, 1]);
  bench.reply(1);
  assertEquals(await bench.take(), [2]);
  bench.reply(1);
  assertEquals(await bench.take(), []);
  bench.reply(3);
  assertEquals(await bench.take(), [3, 4]);
  bench.reply(5);
  assertEquals(await bench.take(), []);
});

Deno.test("SnapshotSending goes on where the follower is, ahead or behind", async () => {
  const bench = new Bench();
  bench.needed();
  await bench.take();
  bench.reply(3);
  assertEquals(await bench.take(), [3, 4]);
  bench.reply(0);
  assertEquals(await bench.take(), [0, 1]);
});

Deno.test("SnapshotSending heeds no answer about another snapshot, or beyond this one", async () => {
  const bench = new Bench();
  bench.needed();
  await bench.take();
  bench.reply(1, "fedcba9876543210");
  bench.reply(6);
  assertEquals(await bench.take(), []);
});

Deno.test("SnapshotSending sends again what got no answer, and asks one that has all what became of it", async () => {
  const bench = new Bench();
  bench.needed();
  await bench.take();
  await bench.tick(SNAPSHOT_RESEND_TICKS - 1);
  assertEquals(await bench.take(), []);
  await bench.tick(1);
  assertEquals(await bench.take(), [0, 1]);
  bench.reply(5);
  await bench.tick(SNAPSHOT_PROBE_TICKS - 1);
  assertEquals(await bench.take(), []);
  await bench.tick(1);
  assertEquals(await bench.take(), [4]);
});

Deno.test("SnapshotSending ends with the need for it, and lets go of its snapshot", async () => {
  const ends: Record<string, (bench: Bench) => void> = {
    "caught up": ({ core }) => void core.progress.set(PEER, { paused: false }),
    "no member": ({ core }) => void core.progress.delete(PEER),
    "deposed": ({ core }) => void (core.role = "follower"),
    "the log begins behind it": ({ core }) => void (core.log.baseIndex = 51),
    "silent": ({ core }) => void (core.ticks += SNAPSHOT_GIVE_UP_TICKS),
  };
  for (const [why, end] of Object.entries(ends)) {
    const bench = new Bench();
    bench.needed();
    await bench.tick(1);
    assertEquals(bench.pinned, [bench.current], why);
    end(bench);
    await bench.tick(1);
    assertEquals(bench.pinned, [], why);
    assertEquals(bench.sending.size, 0, why);
  }
});

Deno.test("SnapshotSending holds the log for a transfer, but not for ever", async () => {
  const bench = new Bench();
  assertEquals(bench.sending.hold(), Infinity);
  bench.needed();
  for (let i = 0; i < SNAPSHOT_HOLDS_MAX; i++) assertEquals(bench.sending.hold(), 50);
  assertEquals(bench.sending.hold(), Infinity);
  await bench.take();
});

Deno.test("SnapshotSending has a snapshot taken where there is none, or none that reads back", async () => {
  const bench = new Bench();
  bench.current = null;
  bench.needed();
  assertEquals([bench.taken, bench.sending.size], [1, 0]);
  bench.current = infoAt(50, 5);
  bench.corrupt = 1;
  bench.needed();
  assertEquals(await bench.take(), [0]);
  assertEquals(bench.events, ["snapshot-corrupt"]);
  assertEquals(bench.pinned, []);
  bench.needed();
  assertEquals([bench.taken, bench.sending.size], [2, 0]);
  bench.corrupt = -1;
  bench.current = infoAt(50, 5);
  bench.sending.renewed();
  bench.needed();
  assertEquals(await bench.take(), [0, 1]);
});

/** Followers that all need a snapshot, in this order with each heartbeat. */
function needy(bench: Bench, ...ids: string[]): NodeId[] {
  const followers = ids.map(nodeId);
  for (const id of followers) bench.core.progress.set(id, { paused: true });
  return followers;
}

/** Lets ticks pass in which every follower says again and again that it needs a snapshot. */
async function heartbeats(bench: Bench, followers: readonly NodeId[], ticks: number) {
  for (let tick = 0; tick < ticks; tick += 5) {
    await bench.tick(5);
    for (const id of followers) bench.needed(id);
  }
}

Deno.test("SnapshotSending gives followers that take nothing no place for ever: all get their turn", async () => {
  const bench = new Bench();
  const followers = needy(bench, "full1", "full2", "full3", "full4", "well");
  for (const id of followers) bench.needed(id);
  assertEquals(bench.sending.size, 2);
  await heartbeats(bench, followers, SNAPSHOT_GIVE_UP_TICKS - 5);
  assertEquals([...bench.sentTo.keys()], followers.slice(0, 2));
  await heartbeats(bench, followers, SNAPSHOT_QUEUE_TICKS);
  assertEquals([...bench.sentTo.keys()], followers.slice(0, 4));
  // The last one comes before the first ones' second turn.
  const first = bench.sentTo.get(followers[0]);
  await heartbeats(bench, followers, SNAPSHOT_GIVE_UP_TICKS);
  assertEquals([...bench.sentTo.keys()], followers);
  await heartbeats(bench, followers, 2 * SNAPSHOT_GIVE_UP_TICKS);
  assert(bench.sentTo.get(followers[0])! > first!);
});

Deno.test("SnapshotSending keeps no place for who asks no more", async () => {
  const bench = new Bench();
  const [one, two, gone, well] = needy(bench, "one", "two", "gone", "well");
  for (const id of [one, two, gone, well]) bench.needed(id);
  bench.core.progress.delete(one);
  await heartbeats(bench, [two, well], SNAPSHOT_QUEUE_TICKS - 5);
  assertEquals([bench.sentTo.has(gone), bench.sentTo.has(well)], [false, false]);
  await heartbeats(bench, [two, well], 10);
  assertEquals([bench.sentTo.has(gone), bench.sentTo.has(well)], [false, true]);
});

Deno.test("SnapshotSending goes on as long as the follower gets further, or is at work on all of it", async () => {
  const bench = new Bench();
  bench.needed();
  for (let next = 1; next <= 5; next++) {
    await bench.tick(SNAPSHOT_GIVE_UP_TICKS - 1);
    bench.reply(next);
  }
  for (let probe = 0; probe < 3; probe++) {
    await bench.tick(SNAPSHOT_GIVE_UP_TICKS - 1);
    bench.reply(5);
  }
  assertEquals(bench.sending.size, 1);
  await bench.tick(SNAPSHOT_GIVE_UP_TICKS);
  assertEquals(bench.sending.size, 0);
});

Deno.test("SnapshotSending takes it for no progress when the follower loses chunks again and again", async () => {
  const bench = new Bench();
  bench.needed();
  bench.reply(2);
  for (let ticks = 0; ticks < SNAPSHOT_GIVE_UP_TICKS; ticks += 10) {
    await bench.tick(10);
    bench.reply(ticks % 20 === 0 ? 0 : 2);
  }
  assertEquals(bench.sending.size, 0);
});

Deno.test("SnapshotSending lets others go before one that found everything corrupt", async () => {
  const bench = new Bench();
  const followers = [PEER, ...needy(bench, "other", "well")];
  for (const id of followers) bench.needed(id);
  bench.reply(5);
  bench.reply(0);
  for (const id of followers) bench.needed(id);
  await bench.take();
  assertEquals(bench.sentTo.has(followers[2]), true);
  bench.core.progress.delete(followers[1]);
  await bench.tick(1);
  bench.sentTo.clear();
  bench.needed();
  await bench.take();
  assertEquals(bench.sentTo.get(PEER), 2);
});
