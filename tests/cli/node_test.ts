/**
 * `deno task node` as a process, over a stand-in for the node.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { writeMembersFile } from "../../cli/members_file.ts";
import { settings } from "../../cli/settings.ts";
import { KV_FILE_NAME } from "../../storage/disk.ts";
import { FakeCluster } from "./fake_cluster.ts";
import { freeBasePort } from "../cluster/ports.ts";
import { eventually, isListening, Program } from "./program.ts";

const script = new URL("./run_node_stand_in.ts", import.meta.url);

/** A node's port, its directory, and the program that runs it. */
interface Run {
  readonly port: number;
  readonly data: string;
  readonly program: Program;
}

/** Starts a node that is told `port`, `peer-port` and `data`, and all of `given`; cleans up after it. */
async function withNode(
  given: { args?: string[]; env?: Record<string, string>; prepare?: (data: string) => void },
  test: (run: Run) => Promise<void>,
): Promise<void> {
  const port = freeBasePort(1);
  const root = Deno.makeTempDirSync({ prefix: "kvorum-cli-" });
  const data = `${root}/node`;
  const args = [`--port=${port}`, `--peer-port=${port + 1000}`, `--data=${data}`];
  try {
    given.prepare?.(data);
    await using program = new Program(script, [...args, ...given.args ?? []], given.env);
    await test({ port, data, program });
  } finally {
    await eventually("the node is gone", async () => !await isListening(port));
    Deno.removeSync(root, { recursive: true });
  }
}

Deno.test("node takes the environment for what no flag says, and stops on SIGTERM", async () => {
  const env = { KVORUM_ID: "a1", KVORUM_PORT: "1", KVORUM_CONFIG: "" };
  await withNode({ env }, async ({ program, port }) => {
    await program.line(/^serving$/);
    const response = await fetch(`http://127.0.0.1:${port}/v1/cluster`);
    const { node, urls } = await response.json();
    assertEquals([node, urls], ["a1", [`http://127.0.0.1:${port}`]]);
    program.signal("SIGTERM");
    assertEquals(await program.ended(), 0);
    await program.line(/^draining$/);
  });
});

Deno.test("node passes on nothing of its file but what it read there", async () => {
  const file = Deno.makeTempFileSync({ suffix: ".json" });
  Deno.writeTextFileSync(file, JSON.stringify({ id: "from-file", host: "127.0.0.1" }));
  try {
    // The node itself may not read the file, and must not try.
    await withNode({ env: { KVORUM_CONFIG: file } }, async ({ program, port }) => {
      await program.line(/^serving$/);
      const response = await fetch(`http://127.0.0.1:${port}/v1/cluster`);
      assertEquals((await response.json()).node, "from-file");
    });
  } finally {
    Deno.removeSync(file);
  }
});

Deno.test("node runs with permissions for its own ports, the members' hosts and its directory only", async () => {
  const other = "n2=127.0.0.2:29002@http://127.0.0.3:28002";
  const port = freeBasePort(1);
  const self = `n1=127.0.0.1:${port + 1000}@http://127.0.0.1:${port}`;
  const root = Deno.makeTempDirSync({ prefix: "kvorum-cli-" });
  try {
    await using program = new Program(script, [
      "--id=n1",
      `--port=${port}`,
      `--peer-port=${port + 1000}`,
      `--data=${root}/n1`,
      `--peers=${self},${other}`,
    ]);
    await program.line(/^serving$/);
    const granted: Deno.PermissionDescriptor[] = [
      { name: "net", host: `127.0.0.1:${port}` },
      { name: "net", host: `127.0.0.1:${port + 1000}` },
      // Nodes on its own machine and on n2's may join later, on any port.
      { name: "net", host: "127.0.0.1" },
      { name: "net", host: "127.0.0.2" },
      { name: "read", path: `${root}/n1/kv` },
      { name: "write", path: `${root}/n1/kv` },
      { name: "env", variable: "KVORUM_ID" },
      { name: "env", variable: "DENO_KV_DB_MODE" },
    ];
    const refused: Deno.PermissionDescriptor[] = [
      { name: "net" },
      { name: "net", host: "127.0.0.3:28002" },
      { name: "net", host: "127.0.0.4" },
      { name: "read", path: root },
      { name: "write", path: `${root}/n2` },
      { name: "env", variable: "HOME" },
      { name: "run" },
      { name: "ffi" },
      { name: "sys" },
    ];
    const states = await permissions(port, [...granted, ...refused]);
    assertEquals(states.slice(0, granted.length), granted.map(() => "granted"));
    assertEquals(states.slice(granted.length).filter((state) => state === "granted"), []);
  } finally {
    await eventually("the node is gone", async () => !await isListening(port));
    Deno.removeSync(root, { recursive: true });
  }
});

Deno.test("node ends with its node's exit code", async () => {
  await withNode({ args: ["--id=n1"] }, async ({ program, port }) => {
    await program.line(/^serving$/);
    await fetch(`http://127.0.0.1:${port}/exit/3`).then((it) => it.body?.cancel(), () => {});
    assertEquals(await program.ended(), 3);
  });
});

Deno.test("node killed with SIGKILL leaves no node behind", async () => {
  await withNode({ args: ["--id=n1"] }, async ({ program, port }) => {
    await program.line(/^serving$/);
    program.signal("SIGKILL");
    await program.ended();
    await eventually("the node has stopped", async () => !await isListening(port));
  });
});

Deno.test("node kills a node that does not stop when it is asked a second time", async () => {
  const env = { KVORUM_STAND_IN: '{"n1":{"stubborn":true}}' };
  await withNode({ args: ["--id=n1"], env }, async ({ program }) => {
    await program.line(/^serving$/);
    program.signal("SIGTERM");
    await program.line(/^not stopping$/);
    await eventually("the node has ended", () => {
      program.signal("SIGTERM");
      return program.isOver;
    });
    assertEquals(await program.ended(), 128 + 9);
  });
});

Deno.test("node refuses a bad configuration with exit code 2, and touches nothing", async () => {
  await withNode({ args: ["--id=n1", "--peer-prot=1"] }, async ({ program, data }) => {
    assertEquals(await program.ended(), 2);
    assertMatch(program.errors, /^node: unknown flag: --peer-prot=1$/m);
    assert(!program.errors.includes("at "), "no stack for a user's mistake");
    assertEquals([...Deno.readDirSync(data.slice(0, -"/node".length))], []);
  });
});

/** What the node that serves at `port` may do. */
async function permissions(
  port: number,
  asked: readonly Deno.PermissionDescriptor[],
): Promise<string[]> {
  const response = await fetch(`http://127.0.0.1:${port}/permissions`, {
    method: "POST",
    body: JSON.stringify(asked),
  });
  return await response.json();
}

/** A cluster whose members are at hosts that a node knows of nothing but by asking. */
function clusterElsewhere(): FakeCluster {
  const cluster = new FakeCluster(1);
  const [{ url }] = cluster.nodes;
  cluster.members = () => [
    { id: "n1", url, peer: "127.0.0.2:9001", role: "voter" },
    { id: "n2", url: "http://127.0.0.4:8001", peer: "127.0.0.3:9001", role: "voter" },
  ];
  return cluster;
}

Deno.test("node --join asks the cluster for its id, and for the hosts that the node must reach", async () => {
  await using cluster = clusterElsewhere();
  const args = ["--id=n9", `--join=${cluster.urls}`, "--peer-hosts=127.1.0.0/16"];
  await withNode({ args }, async ({ program, port }) => {
    await program.line(/^serving$/);
    const hosts = ["127.0.0.2", "127.0.0.3:7", "127.1.2.3", "127.0.0.4", "127.0.0.5"];
    const asked = hosts.map((host) => ({ name: "net", host }) as const);
    assertEquals(await permissions(port, asked), [
      "granted",
      "granted",
      "granted",
      "prompt",
      "prompt",
    ]);
    const response = await fetch(`http://127.0.0.1:${port}/v1/cluster`);
    assertEquals((await response.json()).clusterId, cluster.nodes[0].clusterId);
  });
});

Deno.test("node --join refuses another cluster than the one that was meant, with exit code 2", async () => {
  await using cluster = clusterElsewhere();
  const meant = "00000000-0000-4000-8000-000000000002";
  const args = ["--id=n9", `--join=${cluster.urls}`, `--cluster-id=${meant}`];
  await withNode({ args }, async ({ program }) => {
    assertEquals(await program.ended(), 2);
    const { clusterId } = cluster.nodes[0];
    assertEquals(program.errors, `node: the cluster to join is ${clusterId}, not ${meant}\n`);
  });
});

Deno.test("node with data goes on without the cluster that it joined, with the hosts that it noted", async () => {
  await using cluster = clusterElsewhere();
  const urls = cluster.urls;
  await cluster.nodes[0].down();
  const prepare = (data: string) => {
    Deno.mkdirSync(data);
    Deno.writeTextFileSync(`${data}/${KV_FILE_NAME}`, "");
    const clusterId = "00000000-0000-4000-8000-000000000001";
    const members = [{ id: "n1", url: "http://127.0.0.4:1", peer: "127.0.0.2:1" }];
    writeMembersFile(data, { clusterId, joined: true, founders: [], members });
  };
  for (const args of [[], [`--join=${urls}`]]) {
    await withNode({ args: ["--id=n9", ...args], prepare }, async ({ program, port }) => {
      await program.line(/^serving$/);
      const asked = [{ name: "net", host: "127.0.0.2" }, {
        name: "net",
        host: "127.0.0.4",
      }] as const;
      assertEquals(await permissions(port, asked), ["granted", "prompt"]);
      const warned = /going on without: no node could serve it/.test(program.errors);
      assertEquals(warned, args.length > 0);
    });
  }
});

Deno.test("node refuses a members.json that it did not write, with exit code 2", async () => {
  const root = Deno.makeTempDirSync({ prefix: "kvorum-cli-" });
  try {
    Deno.writeTextFileSync(`${root}/members.json`, "{}");
    const args = ["--id=n1", "--port=12001", "--peer-port=13001", `--data=${root}`];
    await using program = new Program(script, args);
    assertEquals(await program.ended(), 2);
    assertMatch(
      program.errors,
      /^node: cannot use \S+members.json: this version of Kvorum did not/,
    );
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
});

Deno.test("node --help explains every flag and names every setting of the file", async () => {
  await using program = new Program(script, ["--help"]);
  assertEquals(await program.ended(), 0);
  const text = program.lines.join("\n");
  for (const { flag, variable, fileKey } of Object.values(settings)) {
    await program.line(new RegExp(`^ +--${flag} `));
    assertMatch(text, new RegExp(`\\b${fileKey}\\b`));
    // The rule that the help gives for all of them.
    assertEquals(variable, `KVORUM_${flag.toUpperCase().replaceAll("-", "_")}`);
  }
  await program.line(/^ +--config FILE /);
  assertMatch(text, /Each flag has a variable: --peer-port KVORUM_PEER_PORT/);
});
