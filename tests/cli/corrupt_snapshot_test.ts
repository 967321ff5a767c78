/**
 * `deno task node` with the node itself, over a snapshot that does not read back and nobody who has
 * another.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { GROUP_DEFAULT } from "../../raft/types.ts";
import { CHUNK_FILE_NAME } from "../../storage/disk.ts";
import { LogKeys } from "../../storage/log_keys.ts";
import { withDirectory } from "../storage/directory.ts";
import { kvctl } from "./fake_cluster.ts";
import { freeBasePort } from "../cluster/ports.ts";
import { eventually, isListening, Program } from "./program.ts";

const script = new URL("../../cli/node.ts", import.meta.url);

/** Loses all chunks of the snapshots in a node's directory. */
async function loseChunks(data: string): Promise<void> {
  using kv = await Deno.openKv(`${data}/${CHUNK_FILE_NAME}`);
  let lost = 0;
  for await (const { key } of kv.list({ prefix: new LogKeys(GROUP_DEFAULT).chunks })) {
    await kv.delete(key);
    lost++;
  }
  assertEquals(lost > 0, true);
}

Deno.test("node whose snapshot is corrupt stays up to say so, until it is asked to stop", async () => {
  await withDirectory(async (root) => {
    const port = freeBasePort(1);
    const url = `http://127.0.0.1:${port}`;
    const data = `${root}/n1`;
    const flags = [`--port=${port}`, `--peer-port=${port + 1000}`, `--data=${data}`];
    {
      await using program = new Program(script, ["--id=n1", ...flags]);
      for (const call of [["status", "--wait"], ["put", "a", "1"], ["snapshot"]]) {
        const run = await kvctl([...call, `--url=${url}`, "--timeout=20s"]);
        assertEquals([run.code, run.errors], [0, ""]);
      }
      program.signal("SIGTERM");
      assertEquals(await program.ended(), 0);
    }
    await loseChunks(data);
    await using program = new Program(script, ["--id=n1", ...flags]);
    const hasEnded = () => /the node serves no more: /.test(program.errors) || program.isOver;
    await eventually(`the end of the replica in\n${program}`, hasEnded);
    const answer = await fetch(`${url}/readyz`);
    assertMatch(await answer.text(), /the replica has failed \(CorruptSnapshot\)/);
    program.signal("SIGTERM");
    assertEquals(await program.ended(), 0);
    await eventually("the node is gone", async () => !await isListening(port));
  });
});
