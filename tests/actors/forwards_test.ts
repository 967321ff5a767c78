import { assert, assertEquals } from "@std/assert";
import { Forwards } from "../../actors/forwards.ts";
import { FORWARDS_BYTES_MAX, PROPOSE_BYTES_MAX } from "../../actors/limits_replica.ts";
import type { Forward } from "../../raft/message.ts";
import { nodeId, term } from "../../raft/types.ts";

const from = nodeId("n2");

function forward(bytes: number): Forward {
  return { type: "forward", term: term(1), commands: [new Uint8Array(bytes)] };
}

Deno.test("Forwards hands out what fits into a batch, in order, and the rest next time", () => {
  const forwards = new Forwards();
  const messages = [1, 2, 3].map(() => forward(PROPOSE_BYTES_MAX / 2));
  for (const message of messages) assert(forwards.add(from, message));
  assertEquals(forwards.take().map(({ message }) => message), messages.slice(0, 2));
  assertEquals(forwards.size, 1);
  assertEquals(forwards.take().map(({ message }) => message), messages.slice(2));
  assertEquals(forwards.take(), []);
});

Deno.test("Forwards hands out one that is larger than a batch alone", () => {
  const forwards = new Forwards();
  forwards.add(from, forward(2 * PROPOSE_BYTES_MAX));
  forwards.add(from, forward(1));
  assertEquals(forwards.take().length, 1);
  assertEquals(forwards.take().length, 1);
});

Deno.test("Forwards drops what exceeds its room, and has room again once some was taken", () => {
  const forwards = new Forwards();
  const fits = FORWARDS_BYTES_MAX / PROPOSE_BYTES_MAX;
  for (let i = 0; i < fits; i++) assert(forwards.add(from, forward(PROPOSE_BYTES_MAX)));
  assert(!forwards.add(from, forward(1)));
  assertEquals(forwards.size, fits);
  forwards.take();
  assert(forwards.add(from, forward(1)));
});
