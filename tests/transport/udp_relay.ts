/**
 * A relay of datagrams between two nodes over real sockets, which loses and doubles what it is told to.
 *
 * @module
 */
import type { PeerAddress } from "../../transport/types.ts";

export class DatagramRelay {
  /** 0 for none. */
  dropEvery = 0;
  doubleEvery = 0;
  isCutFromB = false;
  /** What node A sends to reach B, and the other way round. */
  readonly #towardsB: Deno.DatagramConn;
  readonly #towardsA: Deno.DatagramConn;
  readonly #moving: Promise<void>[];
  #count = 0;

  constructor(a: PeerAddress, b: PeerAddress) {
    const listen = () => Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    this.#towardsB = listen();
    this.#towardsA = listen();
    // B sees what A sends as coming from where B reaches A, and answers to there.
    this.#moving = [
      this.#move(this.#towardsB, this.#towardsA, b, () => false),
      this.#move(this.#towardsA, this.#towardsB, a, () => this.isCutFromB),
    ];
  }

  get addressOfB(): PeerAddress {
    return this.#towardsB.addr as Deno.NetAddr;
  }

  get addressOfA(): PeerAddress {
    return this.#towardsA.addr as Deno.NetAddr;
  }

  async close(): Promise<void> {
    this.#towardsA.close();
    this.#towardsB.close();
    await Promise.all(this.#moving);
  }

  async #move(
    from: Deno.DatagramConn,
    out: Deno.DatagramConn,
    { hostname, port }: PeerAddress,
    isCut: () => boolean,
  ): Promise<void> {
    const to = { transport: "udp", hostname, port } as const;
    try {
      for await (const [datagram] of from) {
        this.#count += 1;
        if (isCut() || (this.dropEvery > 0 && this.#count % this.dropEvery === 0)) continue;
        await out.send(datagram, to);
        if (this.doubleEvery > 0 && this.#count % this.doubleEvery === 0) {
          await out.send(datagram, to);
        }
      }
    } catch (error) {
      // The other socket was closed first, at the end.
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
  }
}
