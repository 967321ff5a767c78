/**
 * `deno task node` with the node itself: joining, starting again, and ending while it is being asked.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { readMembersFile } from "../../cli/members_file.ts";
import { kvctl } from "./fake_cluster.ts";
import { Kept, stay } from "./kept.ts";
import { freeBasePort } from "../cluster/ports.ts";
import { eventually, isListening, Program } from "./program.ts";

const script = new URL("../../cli/node.ts", import.meta.url);

/** Some nodes on free ports, with their data in a temporary directory. */
class Nodes implements AsyncDisposable {
  readonly #base = freeBasePort(3);
  readonly #root = Deno.makeTempDirSync({ prefix: "kvorum-cli-" });
  readonly #programs: Program[] = [];

  port(i: number): number {
    return this.#base + i - 1;
  }

  url(i: number): string {
    return `http://127.0.0.1:${this.port(i)}`;
  }

  data(i: number): string {
    return `${this.#root}/n${i}`;
  }

  start(i: number, ...flags: string[]): Program {
    const program = new Program(script, [
      `--id=n${i}`,
      `--port=${this.port(i)}`,
      `--peer-port=${this.port(i) + 1000}`,
      `--data=${this.data(i)}`,
      ...flags,
    ]);
    this.#programs.push(program);
    return program;
  }

  /** Runs kvctl against node `i`. */
  async kvctl(i: number, ...args: string[]): Promise<string> {
    const run = await kvctl([...args, `--url=${this.url(i)}`, "--timeout=20s"]);
    assertEquals(run.code, 0, `${args.join(" ")}: ${run.errors}`);
    return run.out;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs) await program[Symbol.asyncDispose]();
    for (const i of [1, 2, 3]) {
      await eventually(`n${i} is gone`, async () => !await isListening(this.port(i)));
    }
    Deno.removeSync(this.#root, { recursive: true });
  }
}

Deno.test("node --join gets a node into a running cluster, and it comes back without the flag", async () => {
  await using nodes = new Nodes();
  nodes.start(1);
  await nodes.kvctl(1, "put", "greeting", "hello");
  const join = `--join=${nodes.url(1)}`;
  const second = nodes.start(2, join);
  assertMatch(await nodes.kvctl(1, "members", "--wait=n2"), /^n2 +voter /m);
  assertEquals(await nodes.kvctl(2, "get", "greeting"), "hello");
  await eventually("n2 has noted that both are members", () => {
    const noted = readMembersFile(nodes.data(2));
    return noted !== null && noted.joined && noted.members.length === 2;
  });
  second.signal("SIGTERM");
  assertEquals(await second.ended(), 0);
  nodes.start(2);
  await nodes.kvctl(2, "status", "--wait");
  await nodes.kvctl(2, "put", "greeting", "again");
  assertMatch(await nodes.kvctl(1, "verify"), /^equal at index /);
});

Deno.test("node --join of a member that lost its directory is refused, with what to do", async () => {
  await using nodes = new Nodes();
  nodes.start(1);
  const join = `--join=${nodes.url(1)}`;
  const second = nodes.start(2, join);
  await nodes.kvctl(1, "members", "--wait=n2");
  second.signal("SIGKILL");
  await second.ended();
  await eventually("n2 is gone", async () => !await isListening(nodes.port(2)));
  Deno.removeSync(nodes.data(2), { recursive: true });
  const blank = nodes.start(2, join);
  assertEquals(await blank.ended(), 2);
  assertMatch(blank.errors, /n2 is a voter already, .*kvctl members remove n2/);
});

Deno.test("node --join --role learner stays a learner, and counts for nothing", async () => {
  await using nodes = new Nodes();
  nodes.start(1);
  await nodes.kvctl(1, "put", "a", "1");
  const learner = nodes.start(2, `--join=${nodes.url(1)}`, "--role=learner");
  assertMatch(await nodes.kvctl(1, "members", "--wait=n2"), /^n2 +learner /m);
  assertEquals(await nodes.kvctl(2, "get", "a"), "1");
  learner.signal("SIGKILL");
  await learner.ended();
  await nodes.kvctl(1, "put", "a", "2");
});

Deno.test("node that is asked to stop answers whoever is connected, and sends them away", async () => {
  await using nodes = new Nodes();
  const program = nodes.start(1);
  await nodes.kvctl(1, "status", "--wait");
  using kept = (await Kept.open(nodes.port(1)))!;
  const put = "PUT /v1/kv/a HTTP/1.1\r\nhost: n1\r\ncontent-length: 0";
  assertMatch(await kept.ask(put) ?? "", /^HTTP\/1.1 200 /);
  program.signal("SIGTERM");
  let answer: string | null = "";
  let answers = 0;
  while (answer !== null && !/^connection: close\r$/im.test(answer)) {
    answer = await kept.ask(put);
    // Served as ever, not refused: nothing that a client sends meanwhile is lost.
    assertMatch(answer ?? "closed", /^HTTP\/1.1 200 /);
    answers++;
  }
  const readyz = await kept.ask("GET /readyz HTTP/1.1\r\nhost: n1");
  assertMatch(readyz ?? "closed", /^HTTP\/1.1 503 .*the node is shutting down/s);
  assert(answers > 0);
  assertEquals(await program.ended(), 0);
});

Deno.test("node that is asked to stop cuts off no client, though they all connect anew at once", async () => {
  await using nodes = new Nodes();
  const program = nodes.start(1);
  await nodes.kvctl(1, "status", "--wait");
  const pausesMs = [0, 0, 0, 0, 0, 0, 1, 5, 20, 50, 250];
  const staying = pausesMs.map((pauseMs) => stay(nodes.port(1), pauseMs));
  await nodes.kvctl(1, "put", "they", "are asking");
  program.signal("SIGTERM");
  for (const { answered, refused, cut } of await Promise.all(staying)) {
    assertEquals([refused, cut], [0, 0]);
    assert(answered > 0);
  }
  assertEquals(await program.ended(), 0);
});

Deno.test("node that founded a cluster of its own is started again with another list: exit code 2, and nothing changed", async () => {
  await using nodes = new Nodes();
  const founded = nodes.start(1);
  await nodes.kvctl(1, "put", "greeting", "hello");
  founded.signal("SIGTERM");
  assertEquals(await founded.ended(), 0);
  const noted = Deno.readTextFileSync(`${nodes.data(1)}/members.json`);
  const peers = [1, 2, 3].map((i) => `n${i}=127.0.0.1:${nodes.port(i) + 1000}@${nodes.url(i)}`);
  const other = nodes.start(1, `--peers=${peers}`);
  assertEquals(await other.ended(), 2);
  assertMatch(other.errors, /--peers names n1,n2,n3, but n1 founded its cluster with n1: /);
  assertEquals(Deno.readTextFileSync(`${nodes.data(1)}/members.json`), noted);
  nodes.start(1);
  assertEquals(await nodes.kvctl(1, "get", "greeting"), "hello");
});
