/**
 * The queue before a connection: gathering, limits, partial and failed writes.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { PeerCounters } from "../../transport/counters.ts";
import { PROBE } from "../../transport/frame.ts";
import { WRITE_GATHER_BYTES } from "../../transport/limits.ts";
import { SendQueue } from "../../transport/send_queue.ts";
import type { Socket } from "../../transport/socket.ts";

const LIMITS = { queueMessagesMax: 10, queueBytesMax: 1000 };

/** A socket whose writes end when the test says so. */
class HeldSocket implements Socket {
  readonly remote = "test";
  readonly writes: Uint8Array[] = [];
  #pending: PromiseWithResolvers<number> | null = null;

  read(): Promise<number | null> {
    return Promise.reject(new Error("not read from"));
  }

  write(bytes: Uint8Array): Promise<number> {
    this.writes.push(bytes.slice());
    this.#pending = Promise.withResolvers();
    return this.#pending.promise;
  }

  close(): void {
    this.#pending?.reject(new Error("closed"));
  }

  /** Ends the write under way, after so many bytes. */
  async finish(bytes = this.writes.at(-1)?.length ?? 0): Promise<void> {
    this.#pending?.resolve(bytes);
    await turns();
  }
}

/** Lets all promise reactions run that follow from what has happened. */
async function turns(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function setUp(limits = LIMITS) {
  const socket = new HeldSocket();
  const counters = new PeerCounters();
  const seen = { probes: 0, failures: 0, nowMs: 0 };
  const queue = new SendQueue(socket, limits, counters, {
    now: () => seen.nowMs,
    probeWritten: () => void seen.probes++,
    writeFailed: () => void seen.failures++,
  });
  return { socket, counters, queue, seen };
}

const of = (...bytes: number[]) => new Uint8Array(bytes);

Deno.test("SendQueue sends what one stretch of code queued in one write", async () => {
  const { socket, queue, counters } = setUp();
  queue.push(of(1, 2), null);
  queue.push(of(3), of(4, 5));
  queue.probe();
  queue.push(of(6), null);
  assertEquals(socket.writes.length, 0);
  await turns();
  assertEquals(socket.writes, [of(1, 2, 3, 4, 5, ...PROBE, 6)]);
  await socket.finish();
  assertEquals([counters.sentMessages, counters.sentBytes, queue.bytes], [3, 6, 0]);
});

Deno.test("SendQueue gathers what comes during a write into the next one", async () => {
  const { socket, queue } = setUp();
  queue.push(of(1), null);
  await turns();
  queue.push(of(2), null);
  await turns();
  queue.push(of(3), null);
  await turns();
  assertEquals(socket.writes, [of(1)]);
  await socket.finish();
  assertEquals(socket.writes, [of(1), of(2, 3)]);
  await socket.finish();
  queue.push(of(4), null);
  await turns();
  assertEquals(socket.writes.length, 3);
  await socket.finish();
});

Deno.test("SendQueue goes on where a partial write ended", async () => {
  const { socket, queue, counters, seen } = setUp();
  queue.push(of(1, 2, 3, 4), null);
  await turns();
  seen.nowMs = 5;
  await socket.finish(1);
  assertEquals(queue.writingSinceMs, 5);
  await socket.finish(2);
  assertEquals(socket.writes, [of(1, 2, 3, 4), of(2, 3, 4), of(4)]);
  assertEquals(counters.sentMessages, 0);
  await socket.finish();
  assertEquals([counters.sentMessages, queue.writingSinceMs], [1, null]);
});

Deno.test("SendQueue refuses messages beyond its limits, those being written included", async () => {
  const { socket, queue } = setUp();
  for (let i = 0; i < LIMITS.queueMessagesMax; i++) assert(queue.push(of(i), null));
  assert(!queue.push(of(99), null));
  await turns();
  assert(!queue.push(of(99), null), "the write under way has not ended");
  await socket.finish();
  assert(queue.push(of(1), new Uint8Array(LIMITS.queueBytesMax - 1)));
  assertEquals(queue.bytes, LIMITS.queueBytesMax);
  assert(!queue.push(of(1), null));
  await turns();
  await socket.finish();
  assertEquals(queue.bytes, 0);
});

Deno.test("SendQueue writes a part that is too large to gather as it is, in order", async () => {
  const { socket, queue } = setUp({ queueMessagesMax: 10, queueBytesMax: 10 * WRITE_GATHER_BYTES });
  const large = new Uint8Array(WRITE_GATHER_BYTES).fill(7);
  queue.push(of(1), null);
  queue.push(of(2), large);
  queue.push(of(3), null);
  for (let i = 0; i < 4; i++) {
    await turns();
    await socket.finish();
  }
  assertEquals(socket.writes.map((bytes) => [bytes[0], bytes.length]), [
    [1, 1],
    [2, 1],
    [7, large.length],
    [3, 1],
  ]);
});

Deno.test("SendQueue splits what does not fit into one write", async () => {
  const { socket, queue, counters } = setUp({
    queueMessagesMax: 10,
    queueBytesMax: 10 * WRITE_GATHER_BYTES,
  });
  const most = WRITE_GATHER_BYTES - 10;
  for (let i = 1; i <= 3; i++) queue.push(new Uint8Array(most).fill(i), null);
  await turns();
  assertEquals(counters.sentMessages, 0);
  for (let i = 1; i <= 3; i++) {
    await socket.finish();
    assertEquals(counters.sentMessages, i);
  }
  assertEquals(socket.writes.map((bytes) => [bytes[0], bytes.length]), [
    [1, most],
    [2, most],
    [3, most],
  ]);
});

Deno.test("SendQueue holds one probe at a time, and tells when it was written", async () => {
  const { socket, queue, seen, counters } = setUp();
  queue.probe();
  queue.probe();
  await turns();
  queue.probe();
  assertEquals([socket.writes, seen.probes], [[PROBE], 0]);
  await socket.finish();
  assertEquals([socket.writes.length, seen.probes, counters.sentMessages], [1, 1, 0]);
  queue.probe();
  await turns();
  await socket.finish();
  assertEquals(seen.probes, 2);
});

Deno.test("SendQueue tells a failed write once, and how many messages it lost", async () => {
  const { socket, queue, seen, counters } = setUp();
  queue.push(of(1), null);
  await turns();
  queue.push(of(2), null);
  socket.close();
  await turns();
  assertEquals([seen.failures, queue.close(), queue.bytes, counters.sentMessages], [1, 2, 0, 0]);
});

Deno.test("SendQueue writes nothing after close", async () => {
  const { socket, queue, seen } = setUp();
  queue.push(of(1), null);
  assertEquals(queue.close(), 1);
  assert(!queue.push(of(2), null));
  await turns();
  await queue.settled;
  assertEquals([socket.writes.length, seen.failures, queue.bytes], [0, 0, 0]);
});
