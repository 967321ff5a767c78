/**
 * Frames on a byte stream: u32 length, big-endian, then so many bytes. The empty frame is a probe.
 *
 * @module
 */
import { MalformedFrame } from "./bytes.ts";
import { READ_BUFFER_BYTES } from "./limits.ts";
import type { Socket } from "./socket.ts";

/** Bytes before a frame's body. */
export const FRAME_HEADER_BYTES = 4;

/** The empty frame, on the wire. */
export const PROBE: Uint8Array = new Uint8Array(FRAME_HEADER_BYTES);

/** Writes the length of a body into the bytes before it. */
export function setFrameLength(frame: Uint8Array, bodyBytes: number): void {
  frame[0] = bodyBytes >>> 24;
  frame[1] = bodyBytes >>> 16;
  frame[2] = bodyBytes >>> 8;
  frame[3] = bodyBytes;
}

/** The peer closed the stream before what was expected had come. */
export class StreamEnded extends Error {
  override readonly name = "StreamEnded";
}

/** Takes what {@linkcode readFrames} reads. */
export interface FrameSink {
  /** Some bytes came; they need not make up a frame. */
  onBytes(): void;
  /**
   * One frame's body. `owned` says that the bytes are nobody else's and may be kept; otherwise they
   * are overwritten once this has returned. Gives false to stop reading.
   */
  onFrame(body: Uint8Array, owned: boolean): boolean;
}

/**
 * Reads frames until the sink stops it or the peer ends the stream; half a frame at the end is
 * forgotten.
 *
 * One buffer serves all reads, since a fresh one for each would be retained whole by the smallest
 * entry in it. A frame that does not fit gets a buffer of its own size, after its length was checked and the
 * one buffer is full of it: nobody has so much allocated by a few bytes.
 *
 * @throws {MalformedFrame} if a length is above the maximum.
 * @throws whatever the socket throws.
 */
export async function readFrames(
  socket: Socket,
  frameBytesMax: number,
  sink: FrameSink,
): Promise<void> {
  const buffer = new Uint8Array(READ_BUFFER_BYTES);
  /** The bytes at `start`…`end` of the buffer were read and not yet handed on. */
  let start = 0;
  let end = 0;
  while (true) {
    const read = await socket.read(end === 0 ? buffer : buffer.subarray(end));
    if (read === null) return;
    sink.onBytes();
    end += read;
    let frameBytes = 0;
    while (end - start >= FRAME_HEADER_BYTES) {
      frameBytes = FRAME_HEADER_BYTES + frameLength(buffer, start, frameBytesMax);
      if (end - start < frameBytes) break;
      const body = buffer.subarray(start + FRAME_HEADER_BYTES, start + frameBytes);
      start += frameBytes;
      frameBytes = 0;
      if (!sink.onFrame(body, false)) return;
    }
    if (frameBytes > buffer.length && end - start === buffer.length) {
      const frame = new Uint8Array(frameBytes);
      frame.set(buffer.subarray(start, end));
      if (!await fill(socket, frame, end - start, sink)) return;
      if (!sink.onFrame(frame.subarray(FRAME_HEADER_BYTES), true)) return;
      start = end;
    }
    if (start > 0) buffer.copyWithin(0, start, end);
    end -= start;
    start = 0;
  }
}

/**
 * Fills a buffer, and reads nothing beyond it.
 *
 * @throws {StreamEnded} if the stream ends before.
 * @throws whatever the socket throws.
 */
export async function readExactly(socket: Socket, into: Uint8Array): Promise<void> {
  if (await fill(socket, into, 0, null)) return;
  throw new StreamEnded(`Cannot read ${into.length} bytes: the stream ended before`);
}

async function fill(socket: Socket, into: Uint8Array, at: number, sink: FrameSink | null) {
  while (at < into.length) {
    const read = await socket.read(into.subarray(at));
    if (read === null) return false;
    sink?.onBytes();
    at += read;
  }
  return true;
}

/** Writes all bytes. `onProgress` runs after each part. @throws whatever the socket throws. */
export async function writeAll(
  socket: Socket,
  bytes: Uint8Array,
  onProgress?: () => void,
): Promise<void> {
  let at = await socket.write(bytes);
  onProgress?.();
  while (at < bytes.length) {
    at += await socket.write(bytes.subarray(at));
    onProgress?.();
  }
}

function frameLength(buffer: Uint8Array, at: number, frameBytesMax: number): number {
  const length = buffer[at] * 2 ** 24 + (buffer[at + 1] << 16 | buffer[at + 2] << 8) +
    buffer[at + 3];
  if (length > frameBytesMax) {
    throw new MalformedFrame(`Cannot read frame: ${length} bytes are more than ${frameBytesMax}`);
  }
  return length;
}
