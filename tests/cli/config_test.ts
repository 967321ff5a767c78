import { assertEquals, assertThrows } from "@std/assert";
import { ConfigError, type NodeConfig, nodeFlags, resolveNodeConfig } from "../../cli/config.ts";
import { nodePermissions } from "../../cli/node_command.ts";
import { formatPeers, parsePeers } from "../../cli/peers.ts";

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
    peers: [{ id: "n1", peerHost: "127.0.0.1", peerPort: 9001, url: "http://127.0.0.1:8001" }],
    clusterId: null,
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
  [["--join=http://n1"], "unknown flag: --join=http://n1"],
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
    '"tls" in c.json is not a setting; these are: id, host, port, peerPort, data, peers, clusterId',
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

Deno.test("nodeFlags() resolve to the same configuration, whatever the environment says", () => {
  const config = resolve([
    ...base,
    `--peers=${three}`,
    `--cluster-id=${uuid}`,
    "--exit-with-parent",
  ]);
  const env = { KVORUM_ID: "x", KVORUM_HOST: "x", KVORUM_CLUSTER_ID: "x", KVORUM_PEERS: "x" };
  assertEquals(resolve(nodeFlags(config), env), config);
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

Deno.test("nodePermissions() allow the own ports, the peers' ports and the own directory only", () => {
  const config = resolve([...base, "--host=::", `--peers=${three}`]);
  assertEquals(nodePermissions(config), [
    "--no-prompt",
    "--allow-net=[::]:8001,[::]:9001,h2:9002,h3:9003",
    "--allow-read=d/n1",
    "--allow-write=d/n1",
    "--allow-env=KVORUM_*,DENO_KV_DB_MODE",
  ]);
});
