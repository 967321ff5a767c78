/**
 * Frames on a byte stream, over streams that are cut anywhere.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import {
  FRAME_HEADER_BYTES,
  type FrameSink,
  readExactly,
  readFrames,
  setFrameLength,
  StreamEnded,
} from "../../transport/frame.ts";
import { MalformedFrame } from "../../transport/codec.ts";
import { READ_BUFFER_BYTES } from "../../transport/limits.ts";
import type { Socket } from "../../transport/socket.ts";
import { seeded } from "./harness.ts";

/** A stream that gives the bytes in reads of the sizes told, round and round, then ends. */
function streamOf(bytes: Uint8Array, readBytes: readonly number[]): Socket & { reads: number } {
  let at = 0;
  return {
    remote: "test",
    reads: 0,
    read(into) {
      const wanted = readBytes[this.reads++ % readBytes.length];
      const part = bytes.subarray(at, at + Math.min(wanted, into.length));
      into.set(part);
      at += part.length;
      return Promise.resolve(part.length === 0 ? null : part.length);
    },
    write: () => Promise.reject(new Error("not written to")),
    close: () => {},
  };
}

function frames(bodies: readonly Uint8Array[]): Uint8Array {
  const size = bodies.reduce((sum, body) => sum + FRAME_HEADER_BYTES + body.length, 0);
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const body of bodies) {
    setFrameLength(bytes.subarray(at), body.length);
    bytes.set(body, at + FRAME_HEADER_BYTES);
    at += FRAME_HEADER_BYTES + body.length;
  }
  return bytes;
}

function collector(stopAfter = Infinity): FrameSink & { bodies: Uint8Array[]; owned: boolean[] } {
  return {
    bodies: [],
    owned: [],
    onBytes: () => {},
    onFrame(body, owned) {
      // What is owned is kept as it is: it must still be whole at the end.
      this.bodies.push(owned ? body : body.slice());
      this.owned.push(owned);
      return this.bodies.length < stopAfter;
    },
  };
}

function filled(length: number, seed: number): Uint8Array {
  const random = seeded(seed + 1);
  return new Uint8Array(length).map(() => random());
}

Deno.test("readFrames() gives the frames that were written, however the stream is cut", async () => {
  const large = fc.integer({ min: READ_BUFFER_BYTES - 8, max: READ_BUFFER_BYTES * 2 });
  const sizes = fc.array(
    fc.oneof(fc.nat(40), fc.nat(40), fc.nat(3000), large),
    { minLength: 1, maxLength: 12 },
  );
  const reads = fc.array(
    fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 1e6 })),
    {
      minLength: 1,
      maxLength: 5,
    },
  );
  await fc.assert(
    fc.asyncProperty(sizes, reads, async (lengths, readBytes) => {
      const total = lengths.reduce((sum, length) => sum + length, 0);
      fc.pre(total < 60_000 || Math.max(...readBytes) > 1000);
      const bodies = lengths.map((length, i) => filled(length, i));
      const sink = collector();
      await readFrames(streamOf(frames(bodies), readBytes), 1e6, sink);
      assertEquals(sink.bodies.length, bodies.length);
      for (let i = 0; i < bodies.length; i++) {
        assert(equalBytes(sink.bodies[i], bodies[i]), `frame ${i} differs`);
        assertEquals(sink.owned[i], lengths[i] + FRAME_HEADER_BYTES > READ_BUFFER_BYTES);
      }
    }),
    { numRuns: 100, seed: 1 },
  );
});

Deno.test("readFrames() refuses a length above the maximum before it reads on", async () => {
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  for (const length of [101, 2 ** 31, 2 ** 32 - 1]) {
    setFrameLength(header, length);
    const stream = streamOf(header, [4]);
    const sink = collector();
    await assertRejects(() => readFrames(stream, 100, sink), MalformedFrame, `${length} bytes`);
    assertEquals([stream.reads, sink.bodies.length], [1, 0]);
  }
});

Deno.test("readFrames() allocates for a large frame only once its one buffer is full of it", async () => {
  const bodyBytes = 2 * READ_BUFFER_BYTES;
  const stream = streamOf(frames([filled(10, 1), filled(bodyBytes, 2)]), [1_000]);
  let came = 0;
  const socket: Socket = {
    ...stream,
    async read(into) {
      assert(into.length > 0);
      if (came < READ_BUFFER_BYTES) {
        assert(into.buffer.byteLength <= READ_BUFFER_BYTES, `too large after ${came} bytes`);
      }
      const read = await stream.read(into);
      came += read ?? 0;
      return read;
    },
  };
  const sink = collector();
  await readFrames(socket, bodyBytes, sink);
  assertEquals(sink.bodies.map(({ length }) => length), [10, bodyBytes]);
  assertEquals(sink.bodies[1], filled(bodyBytes, 2));
});

Deno.test("readFrames() takes a frame of the maximum", async () => {
  const sink = collector();
  await readFrames(streamOf(frames([filled(100, 1)]), [1000]), 100, sink);
  assertEquals(sink.bodies.length, 1);
});

Deno.test("readFrames() forgets half a frame at the end of the stream", async () => {
  for (const size of [50, READ_BUFFER_BYTES * 2]) {
    const whole = frames([filled(10, 1), filled(size, 2)]);
    const sink = collector();
    await readFrames(streamOf(whole.subarray(0, whole.length - 1), [1e6]), 1e6, sink);
    assertEquals(sink.bodies.length, 1);
  }
});

Deno.test("readFrames() stops when the sink says so, inside one read", async () => {
  const sink = collector(2);
  await readFrames(streamOf(frames([1, 2, 3].map((i) => filled(5, i))), [1000]), 100, sink);
  assertEquals(sink.bodies.length, 2);
});

Deno.test("readExactly() leaves what follows unread, and says when the stream ends before", async () => {
  const stream = streamOf(filled(10, 1), [3]);
  const first = new Uint8Array(7);
  await readExactly(stream, first);
  assertEquals(first, filled(10, 1).subarray(0, 7));
  await assertRejects(() => readExactly(stream, new Uint8Array(4)), StreamEnded);
});

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
