/** The table of who may import whom, judged import by import. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { judgeImport, roomOf } from "../../tools/rooms.ts";

const allowed: readonly [importer: string, specifier: string][] = [
  ["raft/core.ts", "./types.ts"],
  ["kv/engine.ts", "sorted-btree"],
  ["storage/log_store.ts", "../raft/entry_codec.ts"],
  ["transport/codec.ts", "../raft/message.ts"],
  ["transport/tcp.ts", "node:net"],
  ["transport/http/door.ts", "hono"],
  ["actors/replica.ts", "../raft/core.ts"],
  ["actors/replica.ts", "../storage/types.ts"],
  ["routes/kv.ts", "../actors/service.ts"],
  ["routes/kv.ts", "../actors/outcomes.ts"],
  ["routes/kv.ts", "../kv/key_codec.ts"],
  ["routes/kv.ts", "hono/body-limit"],
  ["cli/kvctl.ts", "@std/cli/parse-args"],
  ["cli/kvctl/client.ts", "../args.ts"],
  ["main.ts", "./routes/mod.ts"],
  ["tests/raft/core_test.ts", "../../raft/core.ts"],
  ["tests/raft/core_test.ts", "fast-check"],
  ["bench/codec_bench.ts", "../transport/codec.ts"],
];

for (const [importer, specifier] of allowed) {
  Deno.test(`judgeImport() lets ${importer} import ${specifier}`, () => {
    assertEquals(judgeImport(importer, specifier, false), undefined);
  });
}

const refused: readonly [importer: string, specifier: string, why: string][] = [
  ["raft/core.ts", "../kv/types.ts", "nothing of the project"],
  ["raft/core.ts", "node:crypto", "package"],
  ["raft/core.ts", "@std/assert", "package"],
  ["kv/store.ts", "../storage/types.ts", "types of raft"],
  ["kv/store.ts", "../raft/core.ts", "no values"],
  ["kv/store.ts", "node:v8", "package"],
  ["storage/log_store.ts", "../transport/types.ts", "raft, kv"],
  ["storage/log_store.ts", "../actors/types.ts", "raft, kv"],
  ["transport/tcp.ts", "../storage/types.ts", "raft, kv"],
  ["actors/replica.ts", "../routes/kv.ts", "routes"],
  ["actors/replica.ts", "hono", "package"],
  ["routes/kv.ts", "../actors/replica.ts", "actors/replica.ts"],
  ["routes/kv.ts", "../raft/types.ts", "raft"],
  ["routes/kv.ts", "../storage/types.ts", "storage"],
  ["client/client.ts", "../kv/types.ts", "nothing of the project"],
  ["cli/kvctl.ts", "../kv/key_json.ts", "client"],
  ["cli/cluster.ts", "../main.ts", "main.ts"],
  ["std/assert.ts", "../raft/types.ts", "nothing of the project"],
  ["main.ts", "./tests/cluster/harness.ts", "tests"],
  ["main.ts", "./tools/rooms.ts", "tools"],
  ["kv/store.ts", "../../elsewhere/x.ts", "no room"],
  ["kv/store.ts", "../vendor/x.ts", "no room"],
  ["vendor/x.ts", "./y.ts", "no room"],
  ["routes/kv.ts", "npm:hono", "import map"],
  ["tests/raft/core_test.ts", "jsr:@std/assert@1", "import map"],
  ["tests/raft/core_test.ts", "https://example.com/x.ts", "import map"],
  ["routes/kv.ts", "honolulu", "package"],
];

for (const [importer, specifier, why] of refused) {
  Deno.test(`judgeImport() refuses ${importer} the import of ${specifier}`, () => {
    assertStringIncludes(judgeImport(importer, specifier, false) ?? "", why);
  });
}

Deno.test("judgeImport() lets kv import types of raft, and raft none of kv", () => {
  assertEquals(judgeImport("kv/types.ts", "../raft/types.ts", true), undefined);
  assertStringIncludes(judgeImport("raft/core.ts", "../kv/types.ts", true) ?? "", "raft may not");
});

Deno.test("roomOf() is not misled by names that every object has", () => {
  assertEquals(roomOf("constructor/x.ts"), undefined);
  assertEquals(roomOf("kvx/x.ts"), undefined);
  assertEquals(roomOf("kv/x.ts"), "kv");
});
