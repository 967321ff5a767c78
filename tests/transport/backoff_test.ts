/**
 * The waits between attempts: how long, and how they end.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { backoffMs, Pause } from "../../transport/backoff.ts";
import { ManualEnv } from "./harness.ts";

const RANGE = { backoffMinMs: 50, backoffMaxMs: 1000 };

Deno.test("backoffMs() doubles up to its maximum, and takes off up to half at random", () => {
  const wholes = [1, 2, 3, 4, 5, 6, 7, 2000].map((n) => backoffMs(n, RANGE, 2 ** 32 - 1));
  assertEquals(wholes.map(Math.round), [50, 100, 200, 400, 800, 1000, 1000, 1000]);
  const halves = [1, 2, 6].map((n) => backoffMs(n, RANGE, 0));
  assertEquals(halves, [25, 50, 500]);
});

Deno.test("Pause ends after its delay, or when it is cut short, and leaves no timer", async () => {
  const env = new ManualEnv();
  const pause = new Pause(env);
  let ended = 0;
  const first = pause.wait(100).then(() => ended++);
  env.advance(99);
  await Promise.resolve();
  assertEquals(ended, 0);
  env.advance(1);
  await first;
  const second = pause.wait(100);
  assertEquals(env.pendingTimers, 1);
  pause.end();
  await second;
  assert(env.pendingTimers === 0);
  pause.end();
});
