/**
 * The launcher as a process, over stand-ins for nodes.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { NodeProcess } from "../../cli/cluster/node_process.ts";
import { clusterMembers, readClusterOptions } from "../../cli/cluster/options.ts";
import { Output } from "../../cli/cluster/output.ts";
import { freeBasePort } from "../cluster/ports.ts";
import { eventually, isListening, Program, sendSignals } from "./program.ts";

const script = new URL("./launch_stand_in.ts", import.meta.url);

/** A launcher of stand-ins, on free ports, with its data in a temporary directory. */
class Launch implements AsyncDisposable {
  readonly size: number;
  readonly basePort: number;
  readonly root: string;
  readonly data: string;
  #programs: Program[] = [];

  constructor(size = 3) {
    this.size = size;
    this.basePort = freeBasePort(size);
    this.root = Deno.makeTempDirSync({ prefix: "kvorum-cli-" });
    this.data = `${this.root}/data`;
  }

  start(args: readonly string[] = [], orders: Record<string, unknown> = {}): Program {
    const program = new Program(script, [
      `--size=${this.size}`,
      `--base-port=${this.basePort}`,
      `--data=${this.data}`,
      ...args,
    ], { KVORUM_STAND_IN: JSON.stringify(orders) });
    this.#programs.push(program);
    return program;
  }

  /** Starts it and waits until the cluster is ready. */
  async ready(args?: readonly string[], orders?: Record<string, unknown>): Promise<Program> {
    const program = this.start(args, orders);
    await program.line(/^cluster ready$/);
    return program;
  }

  /** Makes node `i` exit with `code`. */
  async exit(i: number, code: number): Promise<void> {
    const url = `http://127.0.0.1:${this.basePort + i - 1}/exit/${code}`;
    await fetch(url, { method: "POST" }).then((it) => it.body?.cancel(), () => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs) await program[Symbol.asyncDispose]();
    await eventually("all nodes of the test are gone", () => this.allDown());
    Deno.removeSync(this.root, { recursive: true });
  }

  async allDown(): Promise<boolean> {
    const ports = Array.from({ length: this.size }, (_, i) => this.basePort + i);
    return (await Promise.all(ports.map(isListening))).every((up) => !up);
  }
}

/** The process ids of the table, by node id. */
function tablePids(program: Program): Map<string, number> {
  const rows = program.lines.flatMap((line) => /^(n\d) +http\S+ +(\d+)$/.exec(line) ?? []);
  const pids = new Map<string, number>();
  for (let i = 0; i < rows.length; i += 3) pids.set(rows[i + 1], Number(rows[i + 2]));
  return pids;
}

Deno.test("launcher prints the table, then `cluster ready`, and passes logs on with a prefix", async () => {
  await using launch = new Launch();
  const program = await launch.ready();
  assertMatch(program.lines[0], /^node +url +process id$/);
  assertEquals([...tablePids(program).keys()], ["n1", "n2", "n3"]);
  assert(program.lines[1].includes(` http://127.0.0.1:${launch.basePort} `));
  for (const id of ["n1", "n2", "n3"]) await program.line(new RegExp(`^${id} \\| serving$`));
});

Deno.test("launcher stops all nodes on SIGTERM and exits with 0", async () => {
  await using launch = new Launch();
  const program = await launch.ready();
  program.signal("SIGTERM");
  assertEquals(await program.ended(), 0);
  for (const id of ["n1", "n2", "n3"]) await program.line(new RegExp(`^${id} \\| draining$`));
  assertEquals(program.lines.at(-1), "all nodes stopped");
  assert(await launch.allDown());
});

Deno.test("launcher takes one Ctrl-C that reaches it twice, and its nodes too, for one", async () => {
  await using launch = new Launch();
  const program = await launch.ready();
  await program.interrupt();
  assertEquals(await program.ended(), 0);
  assertEquals(program.lines.at(-1), "all nodes stopped");
  assertEquals(program.lines.filter((line) => /restart|killed/.test(line)), []);
});

Deno.test("launcher kills nodes that do not stop when it is asked a second time", async () => {
  await using launch = new Launch();
  const program = await launch.ready([], { n2: { stubborn: true } });
  program.signal("SIGINT");
  await program.line(/^n2 \| not stopping$/);
  await eventually("the launcher has ended", () => {
    program.signal("SIGINT");
    return program.isOver;
  });
  assertEquals(await program.ended(), 1);
  assertEquals(program.lines.at(-1), "all nodes killed");
});

Deno.test("launcher restarts a killed node, waiting twice as long when it dies again", async () => {
  await using launch = new Launch();
  const program = await launch.ready();
  const pid = tablePids(program).get("n2")!;
  await sendSignals([pid, "SIGKILL"]);
  await program.line(/^n2 was killed by SIGKILL; restarting it in 100 ms$/);
  const [, again] = await program.line(/^n2 restarted, process id (\d+)$/);
  assert(Number(again) !== pid);
  await sendSignals([Number(again), "SIGKILL"]);
  await program.line(/^n2 was killed by SIGKILL; restarting it in 200 ms$/);
  await eventually("n2 serves again", () => isListening(launch.basePort + 1));
});

Deno.test("launcher restarts a node that somebody else stopped", async () => {
  await using launch = new Launch();
  const program = await launch.ready();
  await sendSignals([tablePids(program).get("n3")!, "SIGTERM"]);
  await program.line(/^n3 exited with code 0; restarting it in 100 ms$/);
  await program.line(/^n3 restarted, process id \d+$/);
  // One that does not listen yet would be taken for gone, and still be at work in the directory.
  await eventually("n3 serves again", () => isListening(launch.basePort + 2));
});

Deno.test("launcher says nothing of a node that heard of the end before it did", async () => {
  await using launch = new Launch(1);
  const [config] = clusterMembers(
    readClusterOptions(["--size=1", `--base-port=${launch.basePort}`, `--data=${launch.data}`]),
    crypto.randomUUID(),
  );
  let text = "";
  const output = new Output({
    write(bytes) {
      text += new TextDecoder().decode(bytes);
      return Promise.resolve(bytes.length);
    },
  });
  const entry = new URL("./stand_in_node.ts", import.meta.url);
  const node = new NodeProcess(config, config.peers[0].url, { entry, restart: true, output });
  await eventually("the node serves", () => isListening(launch.basePort));
  await launch.exit(1, 0);
  await eventually("the node is gone", () => launch.allDown());
  node.stop("SIGTERM");
  await node.ended;
  await output.flushed();
  assertEquals(text, "n1 | serving\n");
});

Deno.test("launcher leaves a paused node alone", async () => {
  await using launch = new Launch();
  const program = await launch.ready();
  const paused = tablePids(program).get("n2")!;
  await sendSignals([paused, "SIGSTOP"]);
  // Another node's death and return is time enough to see that nothing is done about the paused one.
  await launch.exit(3, 1);
  await program.line(/^n3 exited with code 1; restarting it in 100 ms$/);
  await program.line(/^n3 restarted/);
  await sendSignals([paused, "SIGCONT"]);
  assertEquals(program.lines.filter((line) => /^n2 (?!\|| +http)/.test(line)), []);
  program.signal("SIGTERM");
  assertEquals(await program.ended(), 0);
  await program.line(/^n2 \| draining$/);
});

Deno.test("launcher does not restart what would only fail again, and says why", async () => {
  await using launch = new Launch(5);
  const program = await launch.ready([], { n2: { exit: 2 }, n5: { exit: 3 } });
  await program.line(
    /^n2 exited with code 2: its configuration cannot be used .*; not restarting it$/,
  );
  await program.line(
    /^n5 exited with code 3: another process has taken over .*; not restarting it$/,
  );
  await program.line(
    /^a quorum serves, but not all: n2 does not answer; n5 does not answer$/,
  );
  assertEquals(program.lines.filter((line) => line.includes("restarted")), []);
});

Deno.test("launcher with --no-restart leaves dead nodes dead, and exits with 1 after the last", async () => {
  await using launch = new Launch(2);
  const program = await launch.ready(["--no-restart"]);
  await launch.exit(1, 1);
  await program.line(/^n1 exited with code 1; not restarting it \(--no-restart\)$/);
  assert(!program.isOver);
  await launch.exit(2, 0);
  assertEquals(await program.ended(), 1);
  assertEquals(program.lines.at(-1), "no node is left running");
});

Deno.test("launcher killed with SIGKILL leaves no node behind", async () => {
  await using launch = new Launch();
  const program = await launch.ready();
  program.signal("SIGKILL");
  await program.ended();
  await eventually("all nodes have stopped", () => launch.allDown());
});

Deno.test("launcher keeps the cluster's identity over starts, and founds a new one with --fresh", async () => {
  await using launch = new Launch(1);
  const starts: string[][] = [];
  for (const args of [[], [], ["--fresh"]]) {
    const program = await launch.ready(args);
    starts.push(Deno.readTextFileSync(`${launch.data}/n1/starts`).trim().split("\n"));
    program.signal("SIGTERM");
    assertEquals(await program.ended(), 0);
  }
  const [[first], again, [fresh]] = starts;
  assertEquals(again, [first, first]);
  assertEquals(starts[2].length, 1, "--fresh deletes the nodes' data");
  assert(fresh !== first);
});

Deno.test("launcher refuses bad flags with exit code 2, and touches nothing", async () => {
  await using launch = new Launch();
  const program = launch.start(["--nodes=3", "--size=4"]);
  assertEquals(await program.ended(), 2);
  assertMatch(
    program.errors,
    /cluster: unknown flag: --nodes=3\ncluster: --size was given 2 times/,
  );
  assertEquals([...Deno.readDirSync(launch.root)], []);
});

Deno.test("launcher refuses a port in use with exit code 2, and touches nothing", async () => {
  await using launch = new Launch();
  using _taken = Deno.listen({ hostname: "127.0.0.1", port: launch.basePort + 1001 });
  const program = launch.start();
  assertEquals(await program.ended(), 2);
  const port = launch.basePort + 1001;
  assertMatch(
    program.errors,
    new RegExp(`cannot listen on port ${port} of 127.0.0.1: it is in use`),
  );
  assertEquals([...Deno.readDirSync(launch.root)], []);
});

Deno.test("launcher refuses a directory that is not its own, with --fresh too", async () => {
  await using launch = new Launch();
  Deno.mkdirSync(`${launch.data}/n1`, { recursive: true });
  for (const args of [[], ["--fresh"]]) {
    const program = launch.start(args);
    assertEquals(await program.ended(), 2);
    assertMatch(program.errors, /it is not empty \(n1\) and holds no cluster.json/);
  }
  assertEquals([...Deno.readDirSync(launch.data)].map((entry) => entry.name), ["n1"]);
});

Deno.test("launcher --help explains every flag", async () => {
  await using program = new Program(script, ["--help"]);
  assertEquals(await program.ended(), 0);
  for (const flag of ["--size", "--base-port", "--data", "--fresh", "--no-restart"]) {
    await program.line(new RegExp(`^ +${flag} `));
  }
});
