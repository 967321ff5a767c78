/**
 * What a node has synced when it answers a write, as the operating system saw it: between the bytes of the
 * request and those of the 200.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { nodeFlags } from "../../cli/config.ts";
import { NODE_ENTRY, nodeEnvironment, nodePermissions } from "../../cli/node_command.ts";
import { eventually } from "../cluster/harness.ts";
import { hasStrace } from "../storage/syncs.ts";
import { configAlone } from "./node_alone.ts";

const WRITES = 5;
const TRACED = "trace=read,recvfrom,write,writev,sendto,fsync,fdatasync";

/** The files synced between the request for `key` and its answer, in order of completion. */
function syncsOf(trace: string, key: string): string[] {
  const lines = trace.split("\n");
  const asked = lines.findIndex((line) => line.includes(`PUT /v1/kv/${key} `));
  assert(asked >= 0, `${key} was not asked`);
  const answered = lines.findIndex((line, at) => at > asked && line.includes("HTTP/1.1 200"));
  assert(answered >= 0, `${key} was not answered`);
  const unfinished = new Map<string, string>();
  return lines.slice(asked, answered).flatMap((line) => {
    const thread = /^\d+/.exec(line)?.[0] ?? "";
    const file = /f(?:data)?sync\(\d+<[^>]*\/([^/>]+)>/.exec(line)?.[1];
    if (file !== undefined && line.includes("unfinished")) unfinished.set(thread, file);
    else if (file !== undefined) return file;
    else if (/<\.\.\. f(data)?sync resumed>/.test(line)) return unfinished.get(thread) ?? [];
    return [];
  });
}

Deno.test({
  // Skipped, and counted as such, where strace is missing or may not trace.
  name: "a node answers a write after a sync of its database and one of its mark, not before",
  ignore: !await hasStrace(),
  fn: async () => {
    const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "kvorum-traced-" }));
    const config = await configAlone(directory);
    const trace = `${directory}/trace`;
    const node = { ...config, exitWithParent: true };
    const child = new Deno.Command("strace", {
      args: [
        ...["-f", "-y", "-s", "200", "-e", TRACED, "-o", trace],
        ...[Deno.execPath(), "run", ...nodePermissions(node), NODE_ENTRY.href, ...nodeFlags(node)],
      ],
      stdin: "piped",
      stdout: "null",
      stderr: "null",
      env: nodeEnvironment(),
    }).spawn();
    try {
      const url = `http://${config.host}:${config.port}`;
      await eventually("the node is ready", async () => {
        const response = await fetch(`${url}/readyz`);
        await response.body?.cancel();
        return response.ok;
      }, 60_000);
      for (let i = 0; i < WRITES; i++) {
        const response = await fetch(`${url}/v1/kv/traced${i}`, { method: "PUT", body: "x" });
        await response.body?.cancel();
        assertEquals(response.status, 200);
      }
    } finally {
      // The node ends with its standard input, and strace with the node.
      await child.stdin.close();
      await child.status;
    }
    const text = await Deno.readTextFile(trace);
    for (let i = 0; i < WRITES; i++) {
      const syncs = syncsOf(text, `traced${i}`);
      assertMatch(syncs.join(" "), /^(\S+ )*kvorum\.sqlite3-wal (\S+ )*mark\.\d( \S+)*$/);
    }
    await Deno.remove(directory, { recursive: true });
  },
});
