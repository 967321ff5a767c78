import { assertEquals } from "@std/assert";
import { LogOnce, REPEAT_MS, SAID_MAX } from "../../cli/log_once.ts";

Deno.test("LogOnce says a thing once, and again each time that a minute has passed", () => {
  let nowMs = 5;
  const once = new LogOnce(() => nowMs);
  const said: number[] = [];
  for (; nowMs <= 5 + 2 * REPEAT_MS; nowMs += 500) {
    if (once.isDue("n3", true, "unknown-sender")) said.push(nowMs - 5);
  }
  assertEquals(said, [0, REPEAT_MS, 2 * REPEAT_MS]);
});

Deno.test("LogOnce takes what differs in any part for another thing", () => {
  const once = new LogOnce(() => 0);
  const things = [
    ["n3", true, "unknown-sender"],
    ["n4", true, "unknown-sender"],
    ["n3", false, "unknown-sender"],
    ["n3", true, "other-data"],
    ["n3,true", "other-data"],
  ] as const;
  assertEquals(things.map((thing) => once.isDue(...thing)), things.map(() => true));
  assertEquals(things.map((thing) => once.isDue(...thing)), things.map(() => false));
});

Deno.test("LogOnce forgets what was said longest ago, so that strangers do not fill the memory", () => {
  let nowMs = 0;
  const once = new LogOnce(() => nowMs);
  for (let i = 0; i < SAID_MAX; i++) once.isDue(`stranger ${i}`);
  // Said again, so the next one is the oldest.
  nowMs = REPEAT_MS;
  assertEquals(once.isDue("stranger 0"), true);
  assertEquals(once.isDue("one more"), true);
  assertEquals(once.isDue("stranger 0"), false);
  assertEquals(once.isDue("stranger 2"), true);
  assertEquals(once.isDue("one more"), false);
});
