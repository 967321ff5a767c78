import { assertEquals } from "@std/assert";
import { SlewedClock } from "../../actors/slewed_clock.ts";
import { virtualEnv } from "../../actors/virtual_env.ts";

/** A clock whose system clock is `offset.ms` off from a certain moment on. */
function clockWith() {
  const env = virtualEnv(1);
  const offset = { ms: 0 };
  const clock = new SlewedClock({
    now: () => env.now(),
    wallNowMs: () => env.wallNowMs() + offset.ms,
    setTimer: (callback, delayMs) => env.setTimer(callback, delayMs),
    defer: (callback) => env.defer(callback),
    randomUint32: () => env.randomUint32(),
  });
  const startMs = clock.nowMs();
  return { env, offset, sinceStart: () => clock.nowMs() - startMs };
}

Deno.test("SlewedClock follows a clock that runs evenly", async () => {
  const { env, sinceStart } = clockWith();
  await env.advance(1000);
  assertEquals(sinceStart(), 1000);
  await env.advance(17);
  assertEquals(sinceStart(), 1017);
});

Deno.test("SlewedClock stretches a jump forwards over as much time as it skipped", async () => {
  const { env, offset, sinceStart } = clockWith();
  offset.ms = 3_600_000;
  assertEquals(sinceStart(), 0);
  await env.advance(1000);
  assertEquals(sinceStart(), 2000);
  offset.ms = 0; // Somebody has put it right.
  await env.advance(500);
  assertEquals(sinceStart(), 2000);
  await env.advance(700);
  assertEquals(sinceStart(), 2200);
});

Deno.test("SlewedClock stands still while the system clock is behind, and never goes back", async () => {
  const { env, offset, sinceStart } = clockWith();
  await env.advance(1000);
  assertEquals(sinceStart(), 1000);
  offset.ms = -500;
  await env.advance(400);
  assertEquals(sinceStart(), 1000);
  await env.advance(200);
  assertEquals(sinceStart(), 1100);
});
