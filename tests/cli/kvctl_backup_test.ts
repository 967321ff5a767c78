/**
 * kvctl backup, against a server that sends backups whole, cut short, damaged or of another version.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { encodeBackup } from "../../kv/backup_file.ts";
import { FakeCluster, kvctl, problem } from "./fake_cluster.ts";

const header = {
  clusterId: "00000000-0000-4000-8000-000000000001",
  index: 42,
  term: 3,
  timeMs: 1_700_000_000_000,
  stateHash: "ab".repeat(16),
  createdBy: "test",
};

/** A backup's bytes; what is in its chunks is nobody's business here. */
function backupBytes(chunks = 3): Uint8Array<ArrayBuffer> {
  const data = Array.from({ length: chunks }, (_, i) => new Uint8Array(10_000).fill(i));
  const frames = [...encodeBackup(header, data)];
  const bytes = new Uint8Array(frames.reduce((sum, frame) => sum + frame.length, 0));
  let at = 0;
  for (const frame of frames) {
    bytes.set(frame, at);
    at += frame.length;
  }
  return bytes;
}

/** Runs `test` with an empty directory and a node that answers with `answer`. */
async function withBackup(
  answer: () => Response,
  test: (given: { directory: string; url: string; cluster: FakeCluster }) => Promise<void>,
): Promise<void> {
  const directory = Deno.makeTempDirSync({ prefix: "kvorum-cli-" });
  try {
    await using cluster = new FakeCluster(1);
    const [node] = cluster.nodes;
    node.fault = answer;
    await test({ directory, url: `--url=${node.url}`, cluster });
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

function names(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map((entry) => entry.name).sort();
}

Deno.test("kvctl backup writes what the node sends, and says what it is", async () => {
  const bytes = backupBytes();
  await withBackup(() => new Response(bytes), async ({ directory, url, cluster }) => {
    const path = `${directory}/a.kvbackup`;
    const run = await kvctl(["backup", path, url]);
    assertEquals([run.code, run.errors], [0, ""]);
    assertEquals(
      run.out,
      `cluster ${header.clusterId} at index 42, state hash ${header.stateHash}: ${bytes.length} ` +
        `bytes in ${path}\n`,
    );
    assertEquals(names(directory), ["a.kvbackup"]);
    assertEquals(Deno.readFileSync(path), bytes);
    assertEquals(cluster.nodes[0].seen.map(({ method, path }) => `${method} ${path}`), [
      "GET /v1/cluster/backup",
    ]);
    const other = `${directory}/b`;
    const json = JSON.parse((await kvctl(["backup", other, url, "--json"])).out);
    assertEquals(json, { file: other, bytes: bytes.length, ...header });
  });
});

Deno.test("kvctl backup replaces a file only when it is told to", async () => {
  const bytes = backupBytes();
  await withBackup(() => new Response(bytes), async ({ directory, url, cluster }) => {
    const path = `${directory}/a`;
    Deno.writeTextFileSync(path, "precious");
    const refused = await kvctl(["backup", path, url]);
    assertEquals(refused.code, 2);
    assertMatch(refused.errors, /a is there already: --force replaces it/);
    assertEquals(cluster.nodes[0].seen, []);
    assertEquals([names(directory), Deno.readTextFileSync(path)], [["a"], "precious"]);
    assertEquals((await kvctl(["backup", path, "--force", url])).code, 0);
    assertEquals([names(directory), Deno.readFileSync(path)], [["a"], bytes]);
  });
});

/** The same bytes, one changed. */
function damaged(at: number): Uint8Array<ArrayBuffer> {
  const bytes = backupBytes();
  bytes[at] ^= 1;
  return bytes;
}

const bad: readonly [string, () => Response, string, RegExp][] = [
  [
    "cut short",
    () => new Response(backupBytes().subarray(0, 20_000)),
    "malformed-backup",
    /cut short/,
  ],
  ["with a flipped bit", () => new Response(damaged(15_000)), "malformed-backup", /checksum/],
  ["of another version", () => new Response(damaged(5)), "unsupported-backup", /version 0/],
  ["that is none", () => new Response("<html>, for example"), "malformed-backup", /begin like one/],
  ["with nothing in it", () => new Response(null), "malformed-backup", /cut short/],
  ["that is refused", () => problem(403, "forbidden"), "forbidden", /403 forbidden/],
];
for (const [what, answer, code, message] of bad) {
  Deno.test(`kvctl backup keeps nothing of a backup ${what}, nor loses the file that it was to replace`, async () => {
    await withBackup(answer, async ({ directory, url }) => {
      const path = `${directory}/a`;
      const run = await kvctl(["backup", path, url]);
      assertEquals([run.code, run.out, names(directory)], [1, "", []]);
      assertMatch(run.errors, message);
      Deno.writeTextFileSync(path, "precious");
      const json = await kvctl(["backup", path, "--force", url, "--json"]);
      assertEquals([json.code, JSON.parse(json.out).error.code], [1, code]);
      assertEquals([names(directory), Deno.readTextFileSync(path)], [["a"], "precious"]);
    });
  });
}

Deno.test("kvctl backup asks the next node when one cannot", async () => {
  const bytes = backupBytes();
  await withBackup(() => problem(503, "overloaded"), async ({ directory, cluster }) => {
    await using second = new FakeCluster(1);
    second.nodes[0].fault = () => new Response(bytes);
    const path = `${directory}/a`;
    const run = await kvctl(["backup", path, `--url=${cluster.urls},${second.urls}`]);
    assertEquals([run.code, Deno.readFileSync(path)], [0, bytes]);
  });
});

Deno.test("kvctl backup asks for nothing when it cannot write the file", async () => {
  await withBackup(() => new Response(backupBytes()), async ({ directory, url, cluster }) => {
    const run = await kvctl(["backup", `${directory}/absent/a`, url]);
    assertEquals(run.code, 2);
    assertMatch(run.errors, /cannot write \S+absent\/a/);
    assertEquals(cluster.nodes[0].seen, []);
    assertEquals((await kvctl(["backup", url])).code, 2);
  });
});

Deno.test("kvctl backup keeps nothing when the connection breaks off, as that of a node that is killed", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serve = async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(65_536));
    const head = "HTTP/1.1 200 OK\r\ncontent-length: 30000\r\n\r\n";
    await connection.write(new TextEncoder().encode(head));
    await connection.write(backupBytes().subarray(0, 15_000));
  };
  const url = `--url=http://127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
  const directory = Deno.makeTempDirSync({ prefix: "kvorum-cli-" });
  try {
    const [run] = await Promise.all([kvctl(["backup", `${directory}/a`, url, "--json"]), serve()]);
    assertEquals([run.code, names(directory)], [1, []]);
    assertEquals(JSON.parse(run.out).error.code, "broken-off");
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});
