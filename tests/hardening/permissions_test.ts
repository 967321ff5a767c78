/** What a node's process may do, tried out under the very command that the launcher starts it with. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type NodeConfig, nodeFlags } from "../../cli/config.ts";
import {
  NODE_ENTRY,
  nodeCommand,
  nodeEnvironment,
  nodePermissions,
} from "../../cli/node_command.ts";
import { configAlone } from "./node_alone.ts";

const PROBE = new URL("./permission_probe.ts", import.meta.url);

/** What a node needs to be one. */
const ALLOWED = ["write its data", "read its data", "listen on its port"];

async function withConfig(run: (config: NodeConfig) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "kvorum-permissions-" });
  const config = await configAlone(root);
  await Deno.writeTextFile(`${root}/other`, "another node's");
  try {
    await run(config);
    assertEquals(await Deno.readTextFile(`${root}/other`), "another node's");
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("a node may use its own directory and ports, and nothing else of the machine", async () => {
  await withConfig(async (config) => {
    const child = nodeCommand(config, PROBE, "piped").spawn();
    const [{ stdout, stderr, code }] = await Promise.all([child.output(), child.stdin.close()]);
    const errors = new TextDecoder().decode(stderr);
    assertEquals(code, 0, errors);
    const outcomes: Record<string, string> = JSON.parse(new TextDecoder().decode(stdout));
    assert(Object.keys(outcomes).length > 15);
    for (const [what, outcome] of Object.entries(outcomes)) {
      if (ALLOWED.includes(what)) assertEquals(outcome, "done", what);
      // Refused, not failed: that is said before anything is tried.
      else {assertMatch(
          outcome,
          /^NotCapable: .*requires .*(?:access|permissions)/i,
          what,
        );}
    }
    assert(!errors.includes("prompt"), errors);
  });
});

Deno.test("a node refuses to start where DENO_KV_DB_MODE makes its data volatile", async () => {
  await withConfig(async (config) => {
    const args = ["run", ...nodePermissions(config), NODE_ENTRY.href, ...nodeFlags(config)];
    const child = new Deno.Command(Deno.execPath(), {
      args,
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
      env: { ...nodeEnvironment(), DENO_KV_DB_MODE: "memory" },
    }).spawn();
    // It ends by itself, while its standard input is still open.
    const { stderr, code } = await child.output();
    await child.stdin.close().catch(() => {});
    assertEquals(code, 1);
    assertMatch(new TextDecoder().decode(stderr), /DENO_KV_DB_MODE/);
    assertEquals([...Deno.readDirSync(config.data)], []);
  });
});
