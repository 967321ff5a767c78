/** What a node says when it serves nothing. */
import { assertEquals, assertMatch } from "@std/assert";
import { HaltWatch, whyDamaged, whyFailed } from "../../actors/halt.ts";
import { HALTED_MS } from "../../actors/limits_replica.ts";
import { virtualEnv } from "../../actors/virtual_env.ts";
import { MalformedSnapshot } from "../../kv/snapshot_reader.ts";
import { CorruptLog, CorruptSnapshot, Fenced } from "../../storage/types.ts";

Deno.test("whyFailed() says of data that do not read back what to do, and never an error's own words", () => {
  for (const kind of [CorruptLog, CorruptSnapshot, MalformedSnapshot]) {
    const why = whyFailed(new kind("in /var/data"));
    assertMatch(
      why,
      /^the replica has failed \(\w+\): .* does not start .*Delete nothing \(docs\//,
    );
    assertEquals(why.includes("/var/data"), false);
  }
  assertEquals(
    whyFailed(new Fenced("/var/data")),
    "the replica has failed (Fenced); the node's log says more",
  );
  assertEquals(whyFailed("x"), "the replica has failed (unknown); the node's log says more");
});

Deno.test("whyDamaged() says what was found, and whether somebody can repair it", () => {
  assertEquals(
    whyDamaged("The mark is gone", true),
    "the replica's log is damaged and is being repaired: The mark is gone",
  );
  assertMatch(
    whyDamaged("The mark is gone", false),
    /no leader that could repair it: The mark is gone. It takes a majority .*\(docs\/operations.md/,
  );
});

/** A watch in virtual time, what it told, and the reason that it is given. */
function watched(why: string | null) {
  const env = virtualEnv(1);
  const bench = { env, why, told: [] as string[] };
  const watch = new HaltWatch(env, () => bench.why, (text) => void bench.told.push(text));
  return { bench, watch };
}

Deno.test("HaltWatch tells once that there was no leader for so long, and again after there was one", async () => {
  const { bench, watch } = watched("damaged");
  await bench.env.advance(HALTED_MS - 1);
  watch.led(false);
  assertEquals(bench.told, []);
  await bench.env.advance(1);
  assertEquals(bench.told, ["damaged"]);
  watch.led(false);
  await bench.env.advance(10 * HALTED_MS);
  assertEquals(bench.told, ["damaged"]);
  watch.led(true);
  await bench.env.advance(10 * HALTED_MS);
  watch.led(false);
  await bench.env.advance(HALTED_MS);
  assertEquals(bench.told, ["damaged", "damaged"]);
});

Deno.test("HaltWatch is silent while elections go as they should, or the reason is known from elsewhere", async () => {
  const { bench, watch } = watched(null);
  await bench.env.advance(3 * HALTED_MS);
  bench.why = "no leader is known";
  watch.led(true);
  for (let n = 0; n < 5; n++) {
    watch.led(false);
    await bench.env.advance(HALTED_MS - 1);
    watch.led(true);
  }
  assertEquals(bench.told, []);
  watch.led(false);
  watch.stop();
  await bench.env.advance(3 * HALTED_MS);
  assertEquals(bench.told, []);
});
