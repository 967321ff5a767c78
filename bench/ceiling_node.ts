/**
 * One process of the ceiling: what this design could do at most on a machine, if replication cost nothing
 * but what cannot be left out. The same HTTP route over Hono, the values of all requests that came in
 * meanwhile as one batch, one Deno KV commit a batch on each of three processes, an answer once two of
 * them have it; one batch under way.
 *
 * Not here, which is the point: terms, logs, matching, sessions, state machine, checksums, the mark.
 * Nothing that is measured against it may call it durable: it cannot even be read back.
 *
 * `--data DIR --follow PORT` is a follower of the one leader that connects to it and ends with it;
 * `--data DIR --port PORT --followers PORT,PORT` is the leader. Each prints `listening PORT` once it does,
 * so that PORT may be 0. With `--exit-with-parent` it ends as soon as its standard input does.
 *
 * @module
 */
import { Hono } from "hono";
import { parseArgs } from "@std/cli/parse-args";
import { integer, LoadError } from "./load_types.ts";

/** Deno KV's limit for one value. */
const VALUE_BYTES_MAX = 65_536;
const FRAME_HEADER_BYTES = 8;
const READ_BUFFER_BYTES = 1 << 20;
const HOST = "127.0.0.1";
const PORT_MAX = 65_535;

interface Waiting {
  readonly key: string;
  readonly value: Uint8Array;
  readonly answer: (serial: number) => void;
}

/** One atomic write: the batch, in as many values as it takes. */
async function commit(kv: Deno.Kv, serial: number, batch: Uint8Array): Promise<void> {
  const atomic = kv.atomic();
  for (let at = 0, part = 0; at < batch.length; at += VALUE_BYTES_MAX, part++) {
    atomic.set(["log", serial, part], batch.subarray(at, at + VALUE_BYTES_MAX));
  }
  const { ok } = await atomic.commit();
  if (!ok) throw new Error(`the commit of batch ${serial} failed`);
}

/** Frames of a connection: `[u32 serial, u32 length, body]`. */
async function* frames(
  connection: Deno.Conn,
): AsyncGenerator<{ serial: number; body: Uint8Array }> {
  const buffer = new Uint8Array(READ_BUFFER_BYTES);
  const view = new DataView(buffer.buffer);
  let filled = 0;
  for (;;) {
    const count = await connection.read(buffer.subarray(filled));
    if (count === null) return;
    filled += count;
    let at = 0;
    while (filled - at >= FRAME_HEADER_BYTES) {
      const end = at + FRAME_HEADER_BYTES + view.getUint32(at + 4);
      if (end - at > buffer.length) throw new Error(`a frame of ${end - at} bytes is too long`);
      if (end > filled) break;
      yield { serial: view.getUint32(at), body: buffer.slice(at + FRAME_HEADER_BYTES, end) };
      at = end;
    }
    buffer.copyWithin(0, at, filled);
    filled -= at;
  }
}

function header(target: Uint8Array, serial: number, bytes: number): void {
  const view = new DataView(target.buffer);
  view.setUint32(0, serial);
  view.setUint32(4, bytes);
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

function sayListening(port: number): void {
  console.log(`listening ${port}`);
}

/** Writes what the leader sends, and says so. */
async function follow(kv: Deno.Kv, port: number): Promise<void> {
  const listener = Deno.listen({ hostname: HOST, port });
  sayListening(listener.addr.port);
  const connection = await listener.accept();
  connection.setNoDelay(true);
  for await (const { serial, body } of frames(connection)) {
    await commit(kv, serial, body);
    const reply = new Uint8Array(FRAME_HEADER_BYTES);
    header(reply, serial, 0);
    await writeAll(connection, reply);
  }
  listener.close();
}

/** The batch as one frame: key and value of each request behind each other. */
function frameOf(serial: number, batch: readonly Waiting[]): Uint8Array {
  let bytes = FRAME_HEADER_BYTES;
  for (const { key, value } of batch) bytes += 6 + key.length + value.length;
  const frame = new Uint8Array(bytes);
  const view = new DataView(frame.buffer);
  header(frame, serial, bytes - FRAME_HEADER_BYTES);
  let at = FRAME_HEADER_BYTES;
  for (const { key, value } of batch) {
    view.setUint16(at, key.length);
    view.setUint32(at + 2, value.length);
    at += 6;
    for (let i = 0; i < key.length; i++) frame[at + i] = key.charCodeAt(i);
    frame.set(value, at + key.length);
    at += key.length + value.length;
  }
  return frame;
}

/** Gathers requests into batches, and answers each once two of the three processes have it. */
class Leader {
  readonly #kv: Deno.Kv;
  readonly #followers: readonly Deno.Conn[];
  #waiting: Waiting[] = [];
  #serial = 0;
  #running = false;
  /** By follower: the last batch it has. */
  readonly #acknowledged: number[];
  /** By follower: the end of all writes to it so far, which must not run into each other. */
  readonly #written: Promise<void>[];
  #onAcknowledged: (() => void) | null = null;

  constructor(kv: Deno.Kv, followers: readonly Deno.Conn[]) {
    this.#kv = kv;
    this.#followers = followers;
    this.#acknowledged = followers.map(() => 0);
    this.#written = followers.map(() => Promise.resolve());
    followers.forEach((follower, i) => void this.#listen(follower, i));
  }

  /** Resolves with the batch's serial number once the value is on two disks. */
  write(key: string, value: Uint8Array): Promise<number> {
    return new Promise((answer) => {
      this.#waiting.push({ key, value, answer });
      if (this.#running) return;
      this.#running = true;
      setImmediate(() => void this.#run());
    });
  }

  async #listen(follower: Deno.Conn, i: number): Promise<void> {
    for await (const { serial } of frames(follower)) {
      this.#acknowledged[i] = serial;
      this.#onAcknowledged?.();
    }
  }

  /** One batch after the other, for as long as somebody waits. */
  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const serial = ++this.#serial;
      const frame = frameOf(serial, batch);
      this.#followers.forEach((follower, i) => {
        this.#written[i] = this.#written[i].then(() => writeAll(follower, frame));
      });
      await this.#quorum(serial, commit(this.#kv, serial, frame.subarray(FRAME_HEADER_BYTES)));
      for (const { answer } of batch) answer(serial);
      // What is asked in response joins the next batch.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#running = false;
  }

  /** Resolves when two of the three have the batch on disk. */
  #quorum(serial: number, own: Promise<void>): Promise<void> {
    const quorum = Math.floor((this.#followers.length + 1) / 2) + 1;
    return new Promise((resolve, reject) => {
      let isOwn = false;
      const check = () => {
        const count = this.#acknowledged.filter((last) => last >= serial).length;
        if (count + (isOwn ? 1 : 0) < quorum) return;
        this.#onAcknowledged = null;
        resolve();
      };
      this.#onAcknowledged = check;
      own.then(() => {
        isOwn = true;
        // By then the next batch may be under way, and listen in its place.
        if (this.#onAcknowledged === check) check();
      }, reject);
    });
  }
}

/** Serves clients and replicates to the followers; does not end by itself. */
async function lead(kv: Deno.Kv, port: number, followerPorts: readonly number[]): Promise<void> {
  const followers = await Promise.all(followerPorts.map(async (followerPort) => {
    const connection = await Deno.connect({ hostname: HOST, port: followerPort });
    connection.setNoDelay(true);
    return connection;
  }));
  const leader = new Leader(kv, followers);
  const app = new Hono();
  app.put("/v1/kv/:a/:b", async (c) => {
    const value = new Uint8Array(await c.req.arrayBuffer());
    const serial = await leader.write(`${c.req.param("a")}/${c.req.param("b")}`, value);
    const versionstamp = serial.toString(16).padStart(20, "0");
    return c.body(`{"versionstamp":"${versionstamp}"}`, 200, {
      "content-type": "application/json",
      etag: `"${versionstamp}"`,
    });
  });
  const server = Deno.serve({
    hostname: HOST,
    port,
    onListen: ({ port }) => sayListening(port),
  }, app.fetch);
  await server.finished;
}

function portOf(name: string, text: string | undefined): number {
  if (text === undefined) throw new LoadError(`Cannot start: --${name} is missing`);
  return integer(name, text, 0, 0, PORT_MAX);
}

async function main(): Promise<void> {
  const flags = parseArgs(Deno.args, {
    string: ["data", "port", "follow", "followers"],
    boolean: ["exit-with-parent"],
  });
  if (flags["exit-with-parent"]) {
    void Deno.stdin.readable.pipeTo(new WritableStream()).finally(() => Deno.exit(0));
  }
  const kv = await Deno.openKv(`${flags.data}/ceiling.sqlite3`);
  if (flags.follow !== undefined) {
    await follow(kv, portOf("follow", flags.follow));
  } else {
    const followers = (flags.followers ?? "").split(",").map((text) => portOf("followers", text));
    await lead(kv, portOf("port", flags.port), followers);
  }
  kv.close();
  Deno.exit(0);
}

await main();
