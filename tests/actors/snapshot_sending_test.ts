/** What a leader sends to a follower that needs its snapshot, chunk by chunk. */
import { assertEquals } from "@std/assert";
import {
  SNAPSHOT_GIVE_UP_TICKS,
  SNAPSHOT_HOLDS_MAX,
  SNAPSHOT_PROBE_TICKS,
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
  #sent: number[] = [];
  readonly state = this.#state();

  reply(next: number, id = "0123456789abcdef"): void {
    const index = logIndex(50);
    const reply = { type: "snapshot-reply", term: term(3), id, index, next } as const;
    this.sending.replied(this.state, PEER, reply);
  }

  needed(): void {
    this.sending.needed(this.state, PEER);
  }

  /** Lets so many ticks pass; the chunks sent in the last one stay to be taken. */
  async tick(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      this.core.ticks++;
      this.sending.tick(this.state);
      await settled();
    }
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
        send: (_to: NodeId, _group: string, message: PeerMessage) => {
          if (message.type === "snapshot-chunk") this.#sent.push(message.chunk);
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
