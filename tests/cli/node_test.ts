/**
 * `deno task node` as a process, over a stand-in for the node.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { eventually, freeBasePort, isListening, Program } from "./program.ts";

const script = new URL("./run_node_stand_in.ts", import.meta.url);

/** A node's port, its directory, and the program that runs it. */
interface Run {
  readonly port: number;
  readonly data: string;
  readonly program: Program;
}

/** Starts a node that is told `port`, `peer-port` and `data`, and all of `given`; cleans up after it. */
async function withNode(
  given: { args?: string[]; env?: Record<string, string> },
  test: (run: Run) => Promise<void>,
): Promise<void> {
  const port = freeBasePort(1);
  const root = Deno.makeTempDirSync({ prefix: "kvorum-cli-" });
  const data = `${root}/node`;
  const args = [`--port=${port}`, `--peer-port=${port + 1000}`, `--data=${data}`];
  try {
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

Deno.test("node runs with permissions for its own ports, peers and directory only", async () => {
  const other = "n2=127.0.0.1:29002@http://127.0.0.1:28002";
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
      { name: "net", host: "127.0.0.1:29002" },
      { name: "read", path: `${root}/n1/kv` },
      { name: "write", path: `${root}/n1/kv` },
      { name: "env", variable: "KVORUM_ID" },
      { name: "env", variable: "DENO_KV_DB_MODE" },
    ];
    const refused: Deno.PermissionDescriptor[] = [
      { name: "net" },
      { name: "net", host: "127.0.0.1:28002" },
      { name: "read", path: root },
      { name: "write", path: `${root}/n2` },
      { name: "env", variable: "HOME" },
      { name: "run" },
      { name: "ffi" },
      { name: "sys" },
    ];
    const response = await fetch(`http://127.0.0.1:${port}/permissions`, {
      method: "POST",
      body: JSON.stringify([...granted, ...refused]),
    });
    const states: string[] = await response.json();
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
  await withNode({ args: ["--id=n 1", "--join=x"] }, async ({ program, data }) => {
    assertEquals(await program.ended(), 2);
    assertMatch(program.errors, /^node: unknown flag: --join=x$/m);
    assert(!program.errors.includes("at "), "no stack for a user's mistake");
    assertEquals([...Deno.readDirSync(data.slice(0, -"/node".length))], []);
  });
});

Deno.test("node --help explains every flag and variable", async () => {
  await using program = new Program(script, ["--help"]);
  assertEquals(await program.ended(), 0);
  for (const name of ["id", "port", "peer-port", "data", "host", "peers", "cluster-id", "config"]) {
    await program.line(new RegExp(`^ +--${name} `));
    const variable = `KVORUM_${name.toUpperCase().replaceAll("-", "_")}`;
    assert(program.lines.join("\n").includes(variable), variable);
  }
});
