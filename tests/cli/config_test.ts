import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  CONFIG_FILE_VARIABLE,
  ConfigError,
  founderConfig,
  type NodeConfig,
  nodeFlags,
  resolveNodeConfig,
  SNAPSHOT_DEFAULTS,
  TRANSPORTS,
} from "../../cli/config.ts";
import { nodeEnvironment, nodePermissions } from "../../cli/node_command.ts";
import { formatPeers, parsePeers } from "../../cli/peers.ts";
import { settings } from "../../cli/settings.ts";
import { transportKinds } from "../../transport/kinds.ts";

const uuid = "0b0e8c1a-35a7-4f5b-9d0f-7a1f4e0f2c55";
const base = ["--id", "n1", "--port", "8001", "--peer-port", "9001", "--data", "d/n1"];
const three = "n1=h1:9001@http://h1:8001,n2=h2:9002@http://h2:8002,n3=h3:9003@https://kv.example";

function resolve(
  args: readonly string[],
  env: Record<string, string> = {},
  files: Record<string, string> = {},
): NodeConfig {
  return resolveNodeConfig(args, (name) => env[name], (path) => {
    if (path in files) return files[path];
    throw new Deno.errors.NotFound(`no such file: ${path}`);
  });
}

function problems(...given: Parameters<typeof resolve>): readonly string[] {
  return assertThrows(() => resolve(...given), ConfigError).problems;
}

Deno.test("resolveNodeConfig() without peers founds a cluster of one", () => {
  assertEquals(resolve(base), {
    id: "n1",
    host: "127.0.0.1",
    port: 8001,
    peerPort: 9001,
    data: "d/n1",
    self: { id: "n1", peerHost: "127.0.0.1", peerPort: 9001, url: "http://127.0.0.1:8001" },
    peers: [{ id: "n1", peerHost: "127.0.0.1", peerPort: 9001, url: "http://127.0.0.1:8001" }],
    isListed: false,
    isAdvertised: false,
    joining: null,
    peerHosts: [],
    clusterId: null,
    transport: "tcp",
    snapshots: SNAPSHOT_DEFAULTS,
    exitWithParent: false,
  });
});

Deno.test("resolveNodeConfig() reads all flags", () => {
  const config = resolve([
    ...base,
    "--host=0.0.0.0",
    `--peers=${three}`,
    `--cluster-id=${uuid.toUpperCase()}`,
    "--exit-with-parent",
  ]);
  assertEquals(config.host, "0.0.0.0");
  assertEquals(config.clusterId, uuid);
  assertEquals(config.exitWithParent, true);
  assertEquals(config.peers, [
    { id: "n1", peerHost: "h1", peerPort: 9001, url: "http://h1:8001" },
    { id: "n2", peerHost: "h2", peerPort: 9002, url: "http://h2:8002" },
    { id: "n3", peerHost: "h3", peerPort: 9003, url: "https://kv.example" },
  ]);
});

const joinFlags = [
  "--join=http://h1:8001,https://kv.example/",
  "--role=voter",
  "--replaces=n3",
  "--host=0.0.0.0",
  "--advertise-url=https://n4.example",
  "--advertise-peer=[fd00::4]:9441",
  "--peer-hosts=10.0.0.0/8,*.example.com,fd00::5,h9",
  "--snapshot-entries=1000",
  "--snapshot-bytes=1000000",
  "--log-tail-entries=0",
];

Deno.test("resolveNodeConfig() of a node that joins founds nothing", () => {
  const config = resolve([...base, ...joinFlags]);
  assertEquals(config.peers, []);
  assertEquals(config.joining, {
    urls: ["http://h1:8001", "https://kv.example"],
    role: "voter",
    replaces: "n3",
  });
  assertEquals(config.self, {
    id: "n1",
    peerHost: "fd00::4",
    peerPort: 9441,
    url: "https://n4.example",
  });
  assertEquals(config.peerHosts, ["10.0.0.0/8", "*.example.com", "fd00::5", "h9"]);
  assertEquals(config.snapshots, { entriesMax: 1000, bytesMax: 1_000_000, tailEntries: 0 });
  assertEquals(resolve([...base, "--join=http://h1:1"]).joining, {
    urls: ["http://h1:1"],
    role: "voter",
    replaces: null,
  });
});

Deno.test("resolveNodeConfig() lets flags win over environment over file", () => {
  const files = {
    "c.json": JSON.stringify({ id: "file", port: 1, peerPort: 3, data: "file" }),
  };
  const env = { KVORUM_CONFIG: "c.json", KVORUM_PORT: "2", KVORUM_DATA: "env", KVORUM_ID: "" };
  const config = resolve(["--data=flag"], env, files);
  assertEquals(
    [config.id, config.port, config.peerPort, config.data],
    // An empty variable is an unset one.
    ["file", 2, 3, "flag"],
  );
});

Deno.test("resolveNodeConfig() reads every setting from the environment and from the file", () => {
  const wanted = resolve([...base, "--host=h1", `--peers=${three}`, `--cluster-id=${uuid}`]);
  const env = {
    KVORUM_ID: "n1",
    KVORUM_PORT: "8001",
    KVORUM_PEER_PORT: "9001",
    KVORUM_DATA: "d/n1",
    KVORUM_HOST: "h1",
    KVORUM_PEERS: three,
    KVORUM_CLUSTER_ID: uuid,
  };
  assertEquals(resolve([], env), wanted);
  const file = {
    id: "n1",
    port: 8001,
    peerPort: "9001",
    data: "d/n1",
    host: "h1",
    peers: three.split(","),
    clusterId: uuid,
  };
  assertEquals(resolve(["--config=c"], {}, { c: JSON.stringify(file) }), wanted);
});

Deno.test("resolveNodeConfig() reads what joining takes from the environment and from the file", () => {
  const wanted = resolve([...base, ...joinFlags]);
  const env = Object.fromEntries(
    [...base.join("=").matchAll(/--([a-z-]+)=([^=]*)(?==--|$)/g)]
      .map(([, name, value]) => [variableOf(name), value])
      .concat(joinFlags.map((flag) => {
        const [, name, value] = /^--([a-z-]+)=(.*)$/.exec(flag)!;
        return [variableOf(name), value];
      })),
  );
  assertEquals(resolve([], env), wanted);
  const file = {
    join: ["http://h1:8001", "https://kv.example"],
    role: "voter",
    replaces: "n3",
    host: "0.0.0.0",
    advertiseUrl: "https://n4.example",
    advertisePeer: "[fd00::4]:9441",
    peerHosts: ["10.0.0.0/8", "*.example.com", "fd00::5", "h9"],
    snapshotEntries: 1000,
    snapshotBytes: "1000000",
    logTailEntries: 0,
  };
  assertEquals(resolve([...base, "--config=c"], {}, { c: JSON.stringify(file) }), wanted);
});

function variableOf(flag: string): string {
  return `KVORUM_${flag.toUpperCase().replaceAll("-", "_")}`;
}

Deno.test("resolveNodeConfig() lists everything that is missing", () => {
  assertEquals(problems([]), [
    '--id is missing (or KVORUM_ID, or "id" in the configuration file)',
    '--port is missing (or KVORUM_PORT, or "port" in the configuration file)',
    '--peer-port is missing (or KVORUM_PEER_PORT, or "peerPort" in the configuration file)',
    '--data is missing (or KVORUM_DATA, or "data" in the configuration file)',
  ]);
});

const self = "n1=h:9001@http://h:8001";
const refusedFlags: readonly [string[], string][] = [
  [["--id=a b"], '--id must be 1 to 64 letters, digits, dots, dashes or underscores, not "a b"'],
  [[`--id=${"x".repeat(65)}`], "--id must be 1 to 64"],
  [["--port=0"], '--port must be a port from 1 to 65535, not "0"'],
  [["--port=65536"], '--port must be a port from 1 to 65535, not "65536"'],
  [["--peer-port=80x"], '--peer-port must be a port from 1 to 65535, not "80x"'],
  [["--port=9001"], "--port and --peer-port must differ, and both are 9001"],
  [["--data=a,b"], '--data must not contain a comma, not "a,b"'],
  [["--host=a/b"], '--host must be a host name or an address, not "a/b"'],
  [["--cluster-id=1"], '--cluster-id must be a UUID, not "1"'],
  [
    ["--join=n1"],
    '--join must be http:// or https:// and a host, with nothing behind them, not "n1"',
  ],
  [["--join=http://n1:1,"], "--join must be http:// or https:// and a host"],
  [
    ["--join=http://n1:1", `--peers=${three}`],
    "--join and --peers exclude each other: a node joins a cluster or founds one",
  ],
  [["--role=learner"], "--role is for a node that joins: say --join too"],
  [["--replaces=n3"], "--replaces is for a node that joins: say --join too"],
  [["--role=leader", "--join=http://n1:1"], '--role must be voter or learner, not "leader"'],
  [["--replaces=a/b", "--join=http://n1:1"], '--replaces must be a node\'s id, not "a/b"'],
  [["--replaces=n1", "--join=http://n2:1"], "--replaces must be another node than this one, n1"],
  [
    ["--role=learner", "--replaces=n3", "--join=http://n1:1"],
    "--replaces takes a voter's place, which a learner cannot",
  ],
  [["--peer-hosts=10.0.0.0/33"], '--peer-hosts: "10.0.0.0/33" is not a host, 10.0.0.0/8 or'],
  [["--peer-hosts=10.0.0/8"], '--peer-hosts: "10.0.0/8" is not a host'],
  [["--peer-hosts=a.*.b"], '--peer-hosts: "a.*.b" is not a host'],
  [["--peer-hosts=h:1"], '--peer-hosts: "h:1" is not a host'],
  [["--peer-hosts=h,"], '--peer-hosts: "" is not a host'],
  [["--advertise-url=n1"], "--advertise-url must be http:// or https:// and a host"],
  [["--advertise-peer=n1"], '--advertise-peer must be host:port, not "n1"'],
  [["--advertise-peer=0.0.0.0:1"], '--advertise-peer must be host:port, not "0.0.0.0:1"'],
  [
    ["--advertise-peer=h:9001", `--peers=${three}`],
    "--advertise-peer and --peers exclude each other: the latter says it",
  ],
  [
    ["--host=0.0.0.0"],
    "--host 0.0.0.0 is no address that others can reach: say --advertise-url and --advertise-peer",
  ],
  [
    ["--host=::", "--advertise-url=http://h:1", "--join=http://n1:1"],
    "--host :: is no address that others can reach: say --advertise-peer",
  ],
  [
    ["--snapshot-entries=0"],
    '--snapshot-entries must be a whole number from 1 to 1000000000, not "0"',
  ],
  [["--snapshot-bytes=1e6"], "--snapshot-bytes must be a whole number from 1 to 1099511627776"],
  [["--log-tail-entries=all"], "--log-tail-entries must be a whole number from 0 to 1000000000"],
  [["extra"], "unexpected argument: extra"],
  [["--peers=n2=h:9002@http://h:8002"], "--peers must name this node, n1: it names n2"],
  [
    ["--peers=n1=h:9009@http://h:8001"],
    "--peers says that n1 listens for peers on port 9009, and --peer-port says 9001",
  ],
  [
    ["--peers=n1=h:9001@http://h:8009"],
    "--peers says that n1 serves clients at http://h:8009, and --port says 8001",
  ],
  [[`--peers=${self},n1=g:1@http://g:2`], "--peers: two members have the id n1"],
  [[`--peers=${self},n2=h:9001@http://g:2`], "--peers: two members have the peer address h:9001"],
  [[`--peers=${self},n2=g:1@http://h:8001`], "--peers: two members have the URL http://h:8001"],
  [[`--peers=${self},`], "--peers: a member is written id=host:port@http://host:port"],
  [[`--peers=${self},n2=g:1`], "--peers: a member is written id=host:port@http://host:port"],
  [[`--peers=${self},n/2=g:1@http://g:2`], "--peers: an id has 1 to 64 letters"],
  [[`--peers=${self},n2=:1@http://g:2`], '--peers: "" is not a host'],
  [[`--peers=${self},n2=g:0@http://g:2`], '--peers: "0" is not a port (1 to 65535)'],
  [[`--peers=${self},n2=g:1@ftp://g:2`], '--peers: "ftp://g:2" is not http:// or https://'],
  [[`--peers=${self},n2=g:1@http://g:2/x`], '--peers: "http://g:2/x" is not http:// or https://'],
];
for (const [args, problem] of refusedFlags) {
  Deno.test(`resolveNodeConfig() refuses ${args[0].slice(0, 60)}`, () => {
    const names = args.map((arg) => arg.split("=")[0]);
    const rest = base.filter((_, i) => !names.includes(base[i - i % 2]));
    const found = problems([...rest, ...args]);
    assertEquals(found.length, 1, found.join("\n"));
    assertEquals(found[0].slice(0, problem.length), problem);
  });
}

Deno.test("resolveNodeConfig() refuses a tenth founding member", () => {
  const peers = Array.from(
    { length: 10 },
    (_, i) => `n${i + 1}=h:${9001 + i}@http://h:${8001 + i}`,
  );
  assertEquals(problems([...base, `--peers=${peers}`]), [
    "--peers has 10 members, and at most 9 are allowed",
  ]);
});

Deno.test("resolveNodeConfig() names the variable or the file that a bad value came from", () => {
  assertEquals(problems(base.slice(2), { KVORUM_ID: "?" }), [
    'KVORUM_ID must be 1 to 64 letters, digits, dots, dashes or underscores, not "?"',
  ]);
  const text = JSON.stringify({ host: "?", port: true, tls: 1 });
  assertEquals(problems(["--config=c.json", ...base], {}, { "c.json": text }), [
    '"port" in c.json has a value of the wrong type: true',
    '"tls" in c.json is not a setting; these are: id, host, port, peerPort, data, peers, ' +
    "clusterId, join, role, replaces, peerHosts, transport, advertiseUrl, advertisePeer, " +
    "snapshotEntries, snapshotBytes, logTailEntries",
    '"host" in c.json must be a host name or an address, not "?"',
  ]);
});

Deno.test("resolveNodeConfig() refuses a file that is absent, no JSON, or no object", () => {
  const args = ["--config=c", ...base];
  assertEquals(problems(args), ["cannot read the configuration file c: no such file: c"]);
  assertEquals(problems(args, {}, { c: "{" }).length, 1);
  assertEquals(problems(args, {}, { c: "[]" }), [
    "the configuration file c must hold one JSON object",
  ]);
});

Deno.test("nodeFlags() resolve to the same configuration", () => {
  const given = [
    [...base, `--peers=${three}`, `--cluster-id=${uuid}`, "--exit-with-parent"],
    [...base, ...joinFlags],
    [...base, "--join=http://[::1]:1", "--role=learner"],
    [...base, "--transport=udp"],
    base,
  ];
  for (const args of given) {
    const config = resolve(args);
    assertEquals(resolve(nodeFlags(config)), config);
  }
});

Deno.test("resolveNodeConfig() knows the transports, by the names of their table, and no other", () => {
  assertEquals(Object.keys(transportKinds), [...TRANSPORTS]);
  for (const transport of TRANSPORTS) {
    assertEquals(resolve([...base, `--transport=${transport}`]).transport, transport);
  }
  assertEquals(resolve(base, { KVORUM_TRANSPORT: "udp" }).transport, "udp");
  // What fetch does not connect to can be a port of any other transport.
  const blocked = base.map((flag) => flag === "9001" ? "6000" : flag);
  assertEquals(problems([...blocked, "--transport=http"]), [
    "--peer-port 6000 is one that fetch refuses, and so --transport http",
  ]);
  assertEquals(resolve(blocked).peerPort, 6000);
  assertEquals(problems([...base, "--transport=ipx"]), [
    `--transport must be one of ${TRANSPORTS.join(", ")}, not "ipx"`,
  ]);
});

Deno.test("nodeCommand() leaves no variable to make a setting", () => {
  const config = resolve([...base, "--join=http://h1:1"]);
  // What a shell that once ran a node may have left in the environment.
  const left = Object.values(settings).map(({ variable }) => variable);
  assert(left.includes("KVORUM_PEERS"));
  const env = nodeEnvironment();
  for (const variable of [...left, CONFIG_FILE_VARIABLE]) assertEquals(env[variable], "");
  assertEquals(resolve(nodeFlags(config), env), config);
});

Deno.test("founderConfig() is what the founder's flags resolve to", () => {
  const { peers } = resolve([...base, `--peers=${three}`]);
  const founder = { id: "n1", host: "h1", port: 8001, data: "d/n1", peers, clusterId: uuid };
  const config = founderConfig(founder);
  assertEquals(resolve(nodeFlags(config)), config);
  assertThrows(() => founderConfig({ ...founder, id: "n9" }), Error, "n9 is no founder");
});

Deno.test("parsePeers() reads back what formatPeers() writes, IPv6 included", () => {
  const peers = [
    { id: "n1", peerHost: "::1", peerPort: 9001, url: "http://[::1]:8001" },
    { id: "a.b-c_d", peerHost: "host", peerPort: 65535, url: "https://host" },
  ];
  const problems: string[] = [];
  assertEquals(parsePeers(formatPeers(peers).split(","), "test", problems), peers);
  assertEquals(problems, []);
});

Deno.test("nodePermissions() allow the own ports, the members' hosts and the own directory only", () => {
  const config = resolve([...base, "--host=::", `--peers=${three}`]);
  assertEquals(nodePermissions(config), [
    "--no-prompt",
    "--allow-net=h1,h2,h3,[::]:8001,[::]:9001",
    "--allow-read=d/n1",
    "--allow-write=d/n1",
    "--allow-env=KVORUM_*,DENO_KV_DB_MODE",
  ]);
});

Deno.test("nodePermissions() of a node that joins allow the hosts that the cluster told and --peer-hosts", () => {
  const config = resolve([...base, ...joinFlags]);
  assertEquals(
    nodePermissions(config, ["h1", "fd00::1"])[1],
    "--allow-net=[fd00::4],h1,[fd00::1],10.0.0.0/8,*.example.com,[fd00::5],h9," +
      "0.0.0.0:8001,0.0.0.0:9001,kv.example:443",
  );
});

Deno.test("nodePermissions() are flags that Deno takes", async () => {
  const config = resolve([...base, ...joinFlags]);
  // A module that does nothing: the flags are what is run.
  const script = new URL("../../cli/exit_codes.ts", import.meta.url).href;
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", ...nodePermissions(config, ["h1", "fd00::1"]), script],
    stdin: "null",
  }).output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
});
