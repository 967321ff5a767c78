/**
 * Nodes that play the HTTP contract for kvctl's tests: one key-value map behind several servers, each
 * of which can be told to misbehave.
 *
 * @module
 */
import { runKvctl } from "../../cli/kvctl/run.ts";

export interface Seen {
  readonly method: string;
  /** Path and query as they came. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** An answer instead of the usual one; null for the usual. */
type Fault = (seen: Seen) => Response | Promise<Response> | null;

/** A problem+json answer (RFC 9457). */
export function problem(status: number, code: string, detail = "as told"): Response {
  return new Response(JSON.stringify({ code, status, title: "A title", detail }), {
    status,
    headers: { "content-type": "application/problem+json", "retry-after": "0" },
  });
}

export class FakeNode implements AsyncDisposable {
  readonly id: string;
  readonly url: string;
  readonly seen: Seen[] = [];
  readonly #cluster: FakeCluster;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  fault: Fault = () => null;
  clusterId = "00000000-0000-4000-8000-000000000001";
  /** What the node says that its disk lacks. */
  damage: string | null = null;
  /** Why the node has no replica running, as it says at /readyz; null if it has one. */
  failure: string | null = null;
  /** The state hash that the node reports next. */
  sample: () => { index: number; hash: string } = () => ({ index: 7, hash: "aa".repeat(16) });

  constructor(id: string, cluster: FakeCluster) {
    this.id = id;
    this.#cluster = cluster;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#answer(request),
    );
    this.url = `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const seen = {
      method: request.method,
      path: url.pathname + url.search,
      headers: request.headers,
      body: await request.bytes(),
    };
    this.seen.push(seen);
    const fault = await this.fault(seen);
    if (fault !== null) return fault;
    if (url.pathname === "/v1/cluster") return Response.json(this.#view());
    if (url.pathname === "/readyz") {
      return this.failure === null
        ? new Response("ok\n")
        : problem(503, "unavailable", this.failure);
    }
    return this.#cluster.store(seen);
  }

  #view(): unknown {
    const stateHash = this.sample();
    const leader = "n1";
    if (this.failure !== null) {
      const { clusterId, id: node } = this;
      return { clusterId, node, leader: null, term: 0, members: [], replicas: [] };
    }
    return {
      clusterId: this.clusterId,
      node: this.id,
      leader,
      term: 3,
      members: this.#cluster.members(),
      replicas: [{
        group: "0",
        role: this.id === leader ? "leader" : "follower",
        term: 3,
        leader,
        firstIndex: 1,
        lastIndex: stateHash.index,
        commitIndex: stateHash.index,
        appliedIndex: stateHash.index,
        snapshotIndex: 4,
        stateHash,
        damage: this.damage,
      }],
    };
  }

  /** Stops serving: connections are refused from now on. */
  async down(): Promise<void> {
    await this.#server.shutdown();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

export interface FakeMember {
  readonly id: string;
  readonly url: string;
  readonly peer: string;
  readonly role: string;
}

interface Stored {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly type: string;
  readonly versionstamp: string;
}

export class FakeCluster implements AsyncDisposable {
  readonly nodes: readonly FakeNode[];
  readonly #stored = new Map<string, Stored>();
  readonly #remembered = new Map<string, string>();
  #index = 0;

  constructor(size = 3) {
    this.nodes = Array.from({ length: size }, (_, i) => new FakeNode(`n${i + 1}`, this));
  }

  /** The members, as the nodes tell them. */
  members: () => readonly FakeMember[] = () =>
    this.nodes.map(({ id, url }, i) => ({ id, url, peer: `127.0.0.1:${9001 + i}`, role: "voter" }));

  /** Writes that changed something. */
  get writes(): number {
    return this.#index;
  }

  get urls(): string {
    return this.nodes.map((node) => node.url).join(",");
  }

  store(seen: Seen): Response {
    const { method, path, headers, body } = seen;
    const [key] = path.split("?");
    const present = this.#stored.get(key);
    if (method === "GET") {
      if (present === undefined) return problem(404, "not-found");
      return new Response(present.body, {
        headers: { "content-type": present.type, "etag": `"${present.versionstamp}"` },
      });
    }
    const idempotencyKey = headers.get("idempotency-key") ?? "";
    const remembered = this.#remembered.get(idempotencyKey);
    if (remembered !== undefined) return Response.json({ versionstamp: remembered });
    const match = headers.get("if-match");
    const failed = headers.get("if-none-match") === "*"
      ? present !== undefined
      : match !== null && match !== `"${present?.versionstamp}"`;
    if (failed) return problem(412, "precondition-failed");
    const versionstamp = (++this.#index).toString(16).padStart(16, "0") + "0000";
    if (method === "DELETE") this.#stored.delete(key);
    else {
      const type = headers.get("content-type") ?? "";
      this.#stored.set(key, { body: new Uint8Array(body), type, versionstamp });
    }
    this.#remembered.set(idempotencyKey, versionstamp);
    return Response.json({ versionstamp });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
  }
}

export interface Run {
  readonly code: number;
  readonly out: string;
  readonly bytes: Uint8Array;
  readonly errors: string;
}

/** Runs kvctl inside the test. */
export async function kvctl(
  args: readonly string[],
  given: { input?: Uint8Array; isTerminal?: boolean; env?: Record<string, string> } = {},
): Promise<Run> {
  const parts: Uint8Array[] = [];
  let errors = "";
  const code = await runKvctl(args, {
    write(data) {
      parts.push(typeof data === "string" ? new TextEncoder().encode(data) : data);
      return Promise.resolve();
    },
    complain: (text) => void (errors += `${text}\n`),
    isTerminal: given.isTerminal ?? false,
    input: ReadableStream.from([given.input ?? new Uint8Array(0)]),
    env: (name) => given.env?.[name],
  });
  const bytes = await new Blob(parts as Uint8Array<ArrayBuffer>[]).bytes();
  return { code, out: new TextDecoder().decode(bytes), bytes, errors };
}
