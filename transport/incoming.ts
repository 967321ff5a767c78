/**
 * One accepted connection: welcomes or refuses the dialler, then reads its messages.
 *
 * @module
 */
import type { GroupId, NodeId } from "../raft/types.ts";
import type { PeerMessage } from "../raft/message.ts";
import { MalformedFrame } from "./bytes.ts";
import { decodeMessage, holdsViews } from "./codec.ts";
import type { PeerCounters } from "./counters.ts";
import type { DisconnectReason, RefusalReason } from "./events.ts";
import { FRAME_HEADER_BYTES, type FrameSink, PROBE, readFrames, writeAll } from "./frame.ts";
import { HandshakeRefused, type Hello, welcome } from "./handshake.ts";
import type { TcpContext } from "./outgoing.ts";
import type { Socket } from "./socket.ts";

/** What a connection needs of the transport that accepted it. */
export interface IncomingOwner {
  /** What speaks against hearing it; null for nothing. */
  judge(hello: Hello): RefusalReason | null;
  /** Remembers whom it has found nothing against. Resolves once that is durable. */
  remember(hello: Hello): Promise<void>;
  /** The handshake has succeeded. False if the peer was removed or overtaken meanwhile. */
  adopt(connection: Incoming, hello: Hello): boolean;
  deliver(from: NodeId, group: GroupId, message: PeerMessage): void;
}

export class Incoming implements FrameSink {
  readonly #context: TcpContext;
  readonly #owner: IncomingOwner;
  readonly #socket: Socket;
  /** Set once the handshake has succeeded: every frame is from this peer. */
  #peer: NodeId | null = null;
  #boot = 0;
  #counters: PeerCounters | null = null;
  #answering: Promise<void> | null = null;
  #heard = true;
  #heardMs = 0;
  #closed = false;

  constructor(context: TcpContext, owner: IncomingOwner, socket: Socket) {
    this.#context = context;
    this.#owner = owner;
    this.#socket = socket;
  }

  /** Serves the connection to its end. Never rejects. */
  async run(): Promise<void> {
    const hello = await this.#welcome();
    if (hello === null) return this.#socket.close();
    try {
      await readFrames(this.#socket, this.#context.limits.frameBytesMax, this);
      this.close("closed-by-peer");
    } catch (error) {
      if (error instanceof MalformedFrame) this.#malformed(error);
      else this.close("socket-error");
    }
    await this.#answering;
  }

  onBytes(): void {
    this.#heard = true;
  }

  onFrame(body: Uint8Array, owned: boolean): boolean {
    // The handler of the frame before may have closed the transport, or removed this peer.
    if (this.#closed || this.#peer === null || this.#counters === null) return false;
    if (body.length === 0) {
      this.#answerProbe();
      return true;
    }
    const bytes = owned || !holdsViews(body) ? body : body.slice();
    const { group, message } = decodeMessage(bytes);
    this.#counters.receivedMessages += 1;
    this.#counters.receivedBytes += FRAME_HEADER_BYTES + body.length;
    this.#owner.deliver(this.#peer, group, message);
    return true;
  }

  /** The peer's process was replaced: what still comes from the earlier one is void. */
  outlived(boot: number): void {
    if (this.#boot < boot) this.close("closed-by-peer");
  }

  /** Looks after the connection; `forgive` after this process itself stood still. */
  check(nowMs: number, forgive: boolean): void {
    if (this.#heard || forgive) {
      this.#heard = false;
      this.#heardMs = nowMs;
    } else if (nowMs - this.#heardMs > this.#context.limits.silenceMs) {
      this.close("silent");
    }
  }

  close(reason: DisconnectReason): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
    if (this.#peer === null) return;
    this.#context.emit({ type: "disconnected", peer: this.#peer, direction: "incoming", reason });
  }

  async #welcome(): Promise<Hello | null> {
    const { self, limits, env } = this.#context;
    const deadline = env.setTimer(() => this.#socket.close(), limits.handshakeMs);
    try {
      const hello = await welcome(
        this.#socket,
        self,
        (it) => this.#owner.judge(it),
        (it) => this.#owner.remember(it),
      );
      return !this.#closed && this.#adopt(hello) ? hello : null;
    } catch (error) {
      if (this.#closed) return null;
      const refused = error instanceof HandshakeRefused ? error : null;
      this.#refused(refused?.reason ?? "unfinished", refused?.peer ?? null);
      return null;
    } finally {
      deadline.cancel();
    }
  }

  #adopt(hello: Hello): boolean {
    if (!this.#owner.adopt(this, hello)) return false;
    const { from, boot, address } = hello;
    this.#peer = from;
    this.#boot = boot;
    this.#counters = this.#context.counters.of(from);
    this.#context.emit({ type: "connected", peer: from, direction: "incoming", boot, address });
    return true;
  }

  #refused(reason: RefusalReason, peer: NodeId | null): void {
    const remote = this.#socket.remote;
    this.#context.emit({
      type: "refused",
      direction: "incoming",
      peer,
      remote,
      reason,
      byPeer: false,
    });
  }

  /** At most one answer is under way, so that a flood of probes holds no memory. */
  #answerProbe(): void {
    this.#answering ??= writeAll(this.#socket, PROBE).then(
      () => {
        this.#answering = null;
      },
      () => this.close("socket-error"),
    );
  }

  #malformed(error: MalformedFrame): void {
    if (this.#closed || this.#peer === null) return;
    this.#context.emit({ type: "malformed", peer: this.#peer, error });
    this.close("malformed");
  }
}
