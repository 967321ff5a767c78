/**
 * The bounded queue in front of one connection, and how it is written out.
 *
 * Whatever was queued in one stretch of synchronous code, and while a write was under way, leaves in
 * one write. Entries are shared with the other peers' queues until they are gathered for it.
 *
 * @module
 */
import type { PeerCounters } from "./counters.ts";
import { PROBE, writeAll } from "./frame.ts";
import { type TransportLimits, WRITE_GATHER_BYTES } from "./limits.ts";
import type { Socket } from "./socket.ts";

interface Frame {
  readonly head: Uint8Array;
  readonly tail: Uint8Array | null;
}

const PROBE_FRAME: Frame = { head: PROBE, tail: null };

/** What the queue tells its connection. */
export interface SendQueueOwner {
  now(): number;
  /** The probe has been given to the operating system. */
  probeWritten(): void;
  /** A write failed; nothing more will be written. */
  writeFailed(): void;
}

export class SendQueue {
  readonly #socket: Socket;
  readonly #limits: TransportLimits;
  readonly #counters: PeerCounters;
  readonly #owner: SendQueueOwner;
  /** Allocated with the first write that gathers. */
  #gather: Uint8Array | null = null;
  #gathered = 0;
  #waiting: Frame[] = [];
  #messages = 0;
  #bytes = 0;
  /** Of the messages and bytes held, those which the write under way carries. */
  #leavingMessages = 0;
  #leavingBytes = 0;
  #probeWaits = false;
  #probeLeaves = false;
  /** Whether something is being written, or will be in the next microtask. */
  #isWriting = false;
  #settling: PromiseWithResolvers<void> | null = null;
  #progressMs: number | null = null;
  #closed = false;

  constructor(
    socket: Socket,
    limits: TransportLimits,
    counters: PeerCounters,
    owner: SendQueueOwner,
  ) {
    this.#socket = socket;
    this.#limits = limits;
    this.#counters = counters;
    this.#owner = owner;
  }

  /** Bytes held, those being written included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** When the write under way last moved a byte; null while there is none. */
  get writingSinceMs(): number | null {
    return this.#progressMs;
  }

  /** Resolves, once the queue is closed, when no write is under way any more. */
  get settled(): Promise<void> {
    if (!this.#isWriting) return Promise.resolve();
    this.#settling ??= Promise.withResolvers();
    return this.#settling.promise;
  }

  /** Takes one message's frame in its two parts, or gives false if there is no room. */
  push(head: Uint8Array, tail: Uint8Array | null): boolean {
    const bytes = head.length + (tail === null ? 0 : tail.length);
    if (
      this.#closed || this.#messages >= this.#limits.queueMessagesMax ||
      this.#bytes + bytes > this.#limits.queueBytesMax
    ) return false;
    this.#messages += 1;
    this.#bytes += bytes;
    this.#waiting.push({ head, tail });
    this.#wake();
    return true;
  }

  /** Queues a probe unless one waits already. It counts against no limit. */
  probe(): void {
    if (this.#probeWaits) return;
    this.#probeWaits = true;
    this.#waiting.push(PROBE_FRAME);
    this.#wake();
  }

  /** Starts the stall clock of the write under way anew. */
  forgive(nowMs: number): void {
    if (this.#progressMs !== null) this.#progressMs = nowMs;
  }

  /** Forgets what is queued. Gives the number of messages that had not been written. */
  close(): number {
    this.#closed = true;
    this.#waiting = [];
    const lost = this.#messages;
    this.#messages = 0;
    this.#bytes = 0;
    return lost;
  }

  #wake(): void {
    if (this.#isWriting || this.#closed) return;
    this.#isWriting = true;
    // One microtask later: what the code that runs now sends on goes along.
    queueMicrotask(this.#writeOut);
  }

  /**
   * Hot path: all that waits fits into the buffer, and one write takes it. No loop and no promise of our
   * own stands between the turn that sends and the socket.
   */
  readonly #writeOut = (): void => {
    const batch = this.#waiting;
    if (this.#closed || batch.length === 0) return this.#rest();
    this.#waiting = [];
    let fitting = 0;
    while (fitting < batch.length && this.#fits(batch[fitting])) this.#add(batch[fitting++]);
    if (fitting < batch.length) {
      void this.#writeLarge(batch.slice(fitting)).then(this.#writeOut, this.#failed);
      return;
    }
    const bytes = this.#gather!.subarray(0, this.#gathered);
    this.#progressMs = this.#owner.now();
    this.#socket.write(bytes).then((written) => {
      if (written === bytes.length) this.#flushed();
      else void this.#write(bytes.subarray(written)).then(this.#flushed, this.#failed);
    }, this.#failed);
  };

  readonly #flushed = (): void => {
    this.#progressMs = null;
    this.#gathered = 0;
    this.#left();
    this.#writeOut();
  };

  readonly #failed = (): void => {
    const wasClosed = this.#closed;
    this.#rest();
    if (!wasClosed) this.#owner.writeFailed();
  };

  #rest(): void {
    this.#isWriting = false;
    this.#settling?.resolve();
    this.#settling = null;
  }

  /** Writes what was gathered, then the frames, which may be larger than the buffer. */
  async #writeLarge(frames: readonly Frame[]): Promise<void> {
    for (const frame of frames) {
      if (!this.#fits(frame)) await this.#flush();
      if (!this.#fits(frame)) await this.#writeAlone(frame);
      else this.#add(frame);
    }
    await this.#flush();
  }

  #fits({ head, tail }: Frame): boolean {
    return this.#gathered + head.length + (tail === null ? 0 : tail.length) <= WRITE_GATHER_BYTES;
  }

  #add(frame: Frame): void {
    const gather = this.#gather ??= new Uint8Array(WRITE_GATHER_BYTES);
    const { head, tail } = frame;
    gather.set(head, this.#gathered);
    this.#gathered += head.length;
    if (tail !== null) {
      gather.set(tail, this.#gathered);
      this.#gathered += tail.length;
    }
    this.#leaves(frame);
  }

  async #flush(): Promise<void> {
    if (this.#gathered === 0 || this.#gather === null) return;
    await this.#write(this.#gather.subarray(0, this.#gathered));
    this.#gathered = 0;
    this.#left();
  }

  async #writeAlone(frame: Frame): Promise<void> {
    this.#leaves(frame);
    await this.#write(frame.head);
    if (frame.tail !== null) await this.#write(frame.tail);
    this.#left();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (this.#closed) return;
    this.#progressMs = this.#owner.now();
    await writeAll(this.#socket, bytes, () => this.#progressMs = this.#owner.now());
    this.#progressMs = null;
  }

  #leaves(frame: Frame): void {
    if (frame === PROBE_FRAME) {
      this.#probeLeaves = true;
      return;
    }
    this.#leavingMessages += 1;
    this.#leavingBytes += frame.head.length + (frame.tail === null ? 0 : frame.tail.length);
  }

  #left(): void {
    if (this.#closed) return;
    this.#messages -= this.#leavingMessages;
    this.#bytes -= this.#leavingBytes;
    this.#counters.sentMessages += this.#leavingMessages;
    this.#counters.sentBytes += this.#leavingBytes;
    this.#leavingMessages = 0;
    this.#leavingBytes = 0;
    if (!this.#probeLeaves) return;
    this.#probeLeaves = this.#probeWaits = false;
    this.#owner.probeWritten();
  }
}
