/**
 * Commits of unknown outcome (statement 3): an actor that keeps its state on a disk whose commits
 * may fail before or after they land, and clients that retry under the same request id.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Behavior, Ref, Reply } from "../../actors/types.ts";
import type { VirtualEnv } from "../../actors/virtual_env.ts";
import { newWorld, pause } from "./world.ts";

interface Content {
  readonly total: number;
  /** What each request came to: written in the same commit as its effect. */
  readonly results: ReadonlyMap<string, number>;
}

/** One atomic cell of storage. */
class FaultyDisk {
  content: Content = { total: 0, results: new Map() };
  readonly faults = { before: 0, after: 0 };
  readonly #env: VirtualEnv;

  constructor(env: VirtualEnv) {
    this.#env = env;
  }

  async commit(content: Content): Promise<void> {
    await pause({ env: this.#env }, 1 + this.#env.randomUint32() % 3);
    const fate = this.#env.randomUint32() % 10;
    if (fate === 0) {
      this.faults.before++;
      throw new Error("did not land");
    }
    this.content = content;
    await pause({ env: this.#env }, this.#env.randomUint32() % 3);
    if (fate === 1) {
      this.faults.after++;
      throw new Error("landed, but nobody knows");
    }
  }
}

interface Add {
  readonly id: string;
  readonly amount: number;
  readonly reply: Reply<number>;
}

function counter(disk: FaultyDisk): Behavior<Add, Content> {
  return {
    init: () => disk.content,
    receive({ total, results }, batch, ctx) {
      const known = new Map(results);
      for (const { id, amount, reply } of batch) {
        if (!known.has(id)) known.set(id, total += amount);
        ctx.reply(reply, known.get(id)!);
      }
      return { total, results: known };
    },
    commit: (state) => disk.commit(state),
  };
}

/** Retries one request until it is acknowledged. */
async function addOnce(
  env: VirtualEnv,
  ref: Ref<Add>,
  id: string,
  amount: number,
): Promise<number> {
  for (;;) {
    try {
      return await ref.ask<number>((reply) => ({ id, amount, reply }), { timeoutMs: 200 });
    } catch {
      await pause({ env }, 1 + env.randomUint32() % 20);
    }
  }
}

Deno.test("actors 3: a commit that fails after landing doubles nothing when the request is retried, over 50 seeds", async () => {
  const faults = { before: 0, after: 0 };
  for (let seed = 0; seed < 50; seed++) {
    const { env, system, close } = newWorld(seed);
    const disk = new FaultyDisk(env);
    const ref = system.spawn("counter", counter(disk), {
      supervision: { restartsMax: 1_000, backoffMinMs: 1, backoffMaxMs: 10 },
    });
    const acknowledged = new Map<string, number>();
    let expected = 0;
    for (let client = 0; client < 5; client++) {
      const amount = 10 ** client;
      expected += 10 * amount;
      (async () => {
        for (let i = 0; i < 10; i++) {
          const id = `${client}-${i}`;
          acknowledged.set(id, await addOnce(env, ref, id, amount));
        }
      })();
    }
    await env.advance(60_000);
    assertEquals(acknowledged.size, 50, `seed ${seed}: a client never got its answer`);
    assertEquals(disk.content.total, expected, `seed ${seed}: an effect was lost or doubled`);
    for (const [id, result] of acknowledged) {
      assertEquals(disk.content.results.get(id), result, `seed ${seed}: acknowledged but not so`);
    }
    faults.before += disk.faults.before;
    faults.after += disk.faults.after;
    await close();
  }
  assert(faults.before > 50 && faults.after > 50, "the disk must have failed both ways");
});
