/**
 * The launcher's parts, each by itself: its options, its directory, its output, its judgement of
 * readiness, its pauses.
 *
 * @module
 */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { UsageError } from "../../cli/args.ts";
import { nodeFlags, resolveNodeConfig, SNAPSHOT_DEFAULTS } from "../../cli/config.ts";
import { DataDirectory, requireEmpty, requireOurs } from "../../cli/cluster/data_directory.ts";
import { Backoff } from "../../cli/cluster/node_process.ts";
import { clusterMembers, clusterPorts, readClusterOptions } from "../../cli/cluster/options.ts";
import { Output, pumpLines } from "../../cli/cluster/output.ts";
import { announceReady, judge } from "../../cli/cluster/readiness.ts";
import { LOG_LINE_BYTES_MAX, LOG_QUEUE_BYTES_MAX } from "../../cli/limits.ts";
import { freePorts } from "../cluster/ports.ts";

Deno.test("readClusterOptions() has the documented defaults", () => {
  assertEquals(readClusterOptions([]), {
    size: 3,
    basePort: 8001,
    data: "./data",
    fresh: false,
    restart: true,
    transport: "tcp",
    snapshots: SNAPSHOT_DEFAULTS,
  });
});

Deno.test("readClusterOptions() refuses peer ports that fetch refuses, where peers are fetched from", () => {
  const flags = ["--base-port=4999"];
  assertEquals(readClusterOptions(flags).basePort, 4999);
  assertThrows(
    () => readClusterOptions([...flags, "--transport=http"]),
    UsageError,
    "gives n2 the peer port 6000",
  );
});

Deno.test("readClusterOptions() hands the transport on to every node", () => {
  const options = readClusterOptions(["--transport=udp"]);
  assertEquals(
    clusterMembers(options, "c").map(({ transport }) => transport),
    ["udp", "udp", "udp"],
  );
});

const three = { size: 3, basePort: 8001 };
const five = { size: 5, basePort: 8001 };

const refused: readonly [string[], RegExp][] = [
  [["--size", "0"], /^--size must be a whole number from 1 to 9, not 0$/],
  [["--size", "10"], /^--size must be a whole number from 1 to 9, not 10$/],
  [["--size", "3.5"], /^--size .* not 3.5$/],
  [["--base-port", "0"], /^--base-port must be a whole number from 1 to 64533, .* not 0$/],
  [["--base-port", "64534"], /^--base-port .* so that the highest peer port is at most 65535, not/],
  [["--size", "9", "--base-port", "64528"], /^--base-port must be a whole number from 1 to 64527/],
  [
    ["--base-port", "5999"],
    /^--base-port 5999 comes to port 6000, which browsers and fetch refuse$/,
  ],
  [["--data", "a,b"], /^--data must not contain a comma: a,b$/],
  [["five"], /^unexpected argument: five$/],
  [["--restart"], /^unknown flag: --restart$/],
  [["--snapshot-entries", "0"], /^--snapshot-entries must be a whole number from 1 to /],
  [["--snapshot-bytes", "64MiB"], /^--snapshot-bytes must be a whole number .* not "64MiB"$/],
  [["--log-tail-entries", "many"], /^--log-tail-entries must be a whole number from 0 to /],
];
for (const [args, problem] of refused) {
  Deno.test(`readClusterOptions() refuses ${args.join(" ")}`, () => {
    const error = assertThrows(() => readClusterOptions(args), UsageError);
    assertEquals(error.problems.length, 1);
    assertMatch(error.problems[0], problem);
  });
}

Deno.test("clusterMembers() are what the task promises, and a node accepts each", () => {
  const options = readClusterOptions(["--size=2", "--base-port=7001", "--data=d"]);
  const clusterId = "0b0e8c1a-35a7-4f5b-9d0f-7a1f4e0f2c55";
  const members = clusterMembers(options, clusterId);
  assertEquals(nodeFlags(members[1]), [
    "--id=n2",
    "--port=7002",
    "--peer-port=8002",
    "--data=d/n2",
    "--host=127.0.0.1",
    "--peers=n1=127.0.0.1:8001@http://127.0.0.1:7001,n2=127.0.0.1:8002@http://127.0.0.1:7002",
    "--cluster-id=0b0e8c1a-35a7-4f5b-9d0f-7a1f4e0f2c55",
    "--exit-with-parent",
  ]);
  for (const member of members) {
    assertEquals(resolveNodeConfig(nodeFlags(member), () => undefined, () => ""), member);
  }
  const often = readClusterOptions(["--snapshot-entries=5", "--log-tail-entries=0"]);
  for (const member of clusterMembers(often, clusterId)) {
    assertEquals(member.snapshots, { entriesMax: 5, bytesMax: null, tailEntries: 0 });
  }
  assertEquals(clusterPorts(options), [7001, 8001, 7002, 8002]);
});

/** Runs `test` with a path in a temporary directory, at which nothing is yet. */
function withPath(test: (path: string) => void): void {
  const root = Deno.makeTempDirSync({ prefix: "kvorum-cli-" });
  try {
    test(`${root}/data`);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

function names(path: string): string[] {
  return [...Deno.readDirSync(path)].map((entry) => entry.name).sort();
}

Deno.test("DataDirectory keeps an identity, and --fresh deletes only what is the launcher's", () => {
  withPath((path) => {
    requireOurs(path, three, false);
    assertThrows(() => Deno.statSync(path), Deno.errors.NotFound);
    let first = "";
    {
      using directory = DataDirectory.open(path);
      first = directory.identify(three, false);
      assertEquals(directory.identify(three, false), first);
    }
    for (const name of ["n1", "n9", "n10", "notes"]) Deno.mkdirSync(`${path}/${name}`);
    Deno.writeTextFileSync(`${path}/n1/log`, "x");
    using directory = DataDirectory.open(path);
    const second = directory.identify(five, true);
    assertEquals(names(path), ["cluster.json", "cluster.lock", "n10", "notes"]);
    assertEquals(JSON.parse(Deno.readTextFileSync(`${path}/cluster.json`)), {
      format: 2,
      clusterId: second,
      size: 5,
      basePort: 8001,
    });
    assertEquals(second === first, false);
  });
});

Deno.test("requireOurs() refuses other ports than the members know each other at", () => {
  withPath((path) => {
    {
      using directory = DataDirectory.open(path);
      directory.identify(three, false);
    }
    const moved = { ...three, basePort: 7001 };
    const error = assertThrows(() => requireOurs(path, moved, false), UsageError);
    assertMatch(error.message, /at port 7001: .* at ports from 8001 on; say --base-port 8001/);
    requireOurs(path, moved, true);
  });
});

Deno.test("requireEmpty() takes an absent or empty directory, and no other", () => {
  withPath((path) => {
    requireEmpty(path);
    DataDirectory.open(path)[Symbol.dispose]();
    requireEmpty(path);
    Deno.mkdirSync(`${path}/n1`);
    assertThrows(() => requireEmpty(path), UsageError, "it is not empty (n1)");
    Deno.removeSync(`${path}/n1`);
    using directory = DataDirectory.open(path);
    directory.identify(three, false);
    assertThrows(() => requireEmpty(path), UsageError, "it is not empty (cluster.json)");
  });
});

Deno.test("DataDirectory refuses another size, and names --fresh", () => {
  withPath((path) => {
    {
      using directory = DataDirectory.open(path);
      directory.identify(three, false);
    }
    const error = assertThrows(() => requireOurs(path, five, false), UsageError);
    assertMatch(error.message, /it holds a cluster of 3; say --size 3, or --fresh to delete it/);
    requireOurs(path, five, true);
  });
});

Deno.test("DataDirectory is one launcher's at a time", () => {
  withPath((path) => {
    {
      using _held = DataDirectory.open(path);
      const error = assertThrows(() => DataDirectory.open(path), UsageError);
      assertMatch(error.message, /another launcher is running a cluster in/);
    }
    DataDirectory.open(path)[Symbol.dispose]();
  });
});

const foreign: readonly [string, string, RegExp][] = [
  ["a file of somebody's", "n1", /it is not empty \(n1\) and holds no cluster.json/],
  ["a cluster.json that is no JSON", "cluster.json", /was not written by this version/],
];
for (const [what, name, message] of foreign) {
  Deno.test(`requireOurs() refuses ${what}, with --fresh too`, () => {
    withPath((path) => {
      Deno.mkdirSync(path);
      Deno.writeTextFileSync(`${path}/${name}`, "{");
      for (const fresh of [false, true]) {
        assertMatch(
          assertThrows(() => requireOurs(path, three, fresh), UsageError).message,
          message,
        );
      }
    });
  });
}

Deno.test("requireOurs() refuses a path that is no directory", () => {
  withPath((path) => {
    Deno.writeTextFileSync(path, "");
    assertThrows(() => requireOurs(path, three, false), UsageError, "cannot use the directory");
  });
});

Deno.test("Backoff doubles from 100 ms to 5 s, and starts again after 30 s up", () => {
  const backoff = new Backoff();
  const pauses = Array.from({ length: 8 }, () => backoff.next(29_999));
  assertEquals(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  assertEquals(backoff.next(30_000), 100);
  assertEquals(backoff.next(0), 200);
});

/** A writer that takes nothing until it is opened. */
class Gate {
  readonly #open = Promise.withResolvers<void>();
  text = "";

  async write(bytes: Uint8Array): Promise<number> {
    await this.#open.promise;
    // A short write, as a pipe may do.
    const taken = Math.min(bytes.length, 100_000);
    this.text += new TextDecoder().decode(bytes.subarray(0, taken));
    return taken;
  }

  open(): void {
    this.#open.resolve();
  }
}

Deno.test("pumpLines() puts whole lines together, cuts endless ones, and ends the last", async () => {
  const gate = new Gate();
  gate.open();
  const output = new Output(gate);
  const long = "x".repeat(LOG_LINE_BYTES_MAX + 1);
  const chunks = ["a\nb", "", "c\n\n", long, "\nend"].map((text) => new TextEncoder().encode(text));
  await pumpLines(ReadableStream.from(chunks), "n1 | ", output);
  await output.flushed();
  const cut = `n1 | ${long.slice(1)}\nn1 | x\n`;
  assertEquals(gate.text, `n1 | a\nn1 | bc\nn1 | \n${cut}n1 | end\n`);
});

Deno.test("Output drops and counts log lines that nobody takes, never its own messages", async () => {
  const gate = new Gate();
  const output = new Output(gate);
  const line = new TextEncoder().encode(`${"x".repeat(1023)}\n`);
  const fitting = LOG_QUEUE_BYTES_MAX / line.length;
  for (let i = 0; i < fitting + 7; i++) output.log(line);
  output.say("n2 restarted");
  gate.open();
  await output.flushed();
  const lines = gate.text.trimEnd().split("\n");
  assertEquals(lines.length, fitting + 2);
  assertEquals(lines.slice(-2), [
    "n2 restarted",
    "7 log lines dropped: the output did not keep up",
  ]);
});

Deno.test("Output goes on without a reader", async () => {
  const output = new Output({ write: () => Promise.reject(new Deno.errors.BrokenPipe()) });
  output.say("one");
  await output.flushed();
  output.say("two");
  await output.flushed();
});

const rounds: readonly [string, [ready: boolean, leader: string | null][], string][] = [
  ["all under one leader", [[true, "n1"], [true, "n1"], [true, "n1"]], "ready"],
  ["one missing", [[true, "n1"], [true, "n1"], [false, null]], "quorum"],
  ["one behind", [[true, "n1"], [true, "n1"], [true, "n3"]], "quorum"],
  ["two missing", [[true, "n1"], [false, null], [false, null]], "waiting"],
  ["the leader missing", [[false, null], [true, "n1"], [true, "n1"]], "waiting"],
  ["a leader that follows another", [[true, "n2"], [true, "n1"], [true, "n1"]], "waiting"],
  ["half of four", [[true, "n1"], [true, "n1"], [false, null], [false, null]], "waiting"],
  ["the only one", [[true, "n1"]], "ready"],
];
for (const [what, answers, verdict] of rounds) {
  Deno.test(`judge() finds ${what}: ${verdict}`, () => {
    const probes = answers.map(([ready, leader], i) => ({
      id: `n${i + 1}`,
      ready,
      leader,
      detail: "",
    }));
    assertEquals(judge(probes), verdict);
  });
}

Deno.test("announceReady() says what it waits for, and is ready without stragglers in the end", async () => {
  // n2 has no leader at first; n3 never answers.
  let rounds = 0;
  const serve = (id: string) =>
    Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      if (id === "n2" && ++rounds <= 4) {
        return Response.json({ code: "not-serving", detail: "has no leader" }, { status: 503 });
      }
      return Response.json(new URL(request.url).pathname === "/readyz" ? {} : { leader: "n1" });
    });
  await using first = serve("n1");
  await using second = serve("n2");
  const ports = [first.addr.port, second.addr.port, ...freePorts(1)];
  const said: string[] = [];
  await announceReady(
    ports.map((port, i) => ({ id: `n${i + 1}`, url: `http://127.0.0.1:${port}` })),
    new AbortController().signal,
    (text) => said.push(text),
    { stragglersMs: 100, reportMs: 0 },
  );
  assertEquals(said[0], "not ready yet: n2 has no leader; n3 does not answer");
  assertEquals(said.at(-3), "not ready yet: n3 does not answer");
  assertEquals(said.slice(-2), [
    "cluster ready",
    "a quorum serves, but not all: n3 does not answer",
  ]);
});
