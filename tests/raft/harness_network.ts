/**
 * The network of the harness: messages may be lost, doubled, reordered, and cut off by partitions.
 *
 * @module
 */
import type { Message, NodeId } from "../../raft/mod.ts";

export interface NetworkFaults {
  readonly lossRate: number;
  readonly duplicateRate: number;
  /** Messages in order (false) or in any. */
  readonly reorder: boolean;
}

export interface Packet {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: Message;
}

export class Network {
  readonly #faults: NetworkFaults;
  readonly #below: (bound: number) => number;
  #packets: Packet[] = [];
  /** Splits the network: nodes with different numbers do not reach each other; 0 if there is none. */
  readonly #islands = new Map<NodeId, number>();

  /** `below` draws a whole number below its argument. */
  constructor(faults: NetworkFaults, below: (bound: number) => number) {
    this.#faults = faults;
    this.#below = below;
  }

  post(from: NodeId, to: NodeId, message: Message): void {
    this.#packets.push({ from, to, message });
  }

  /** The next packet that arrives, if one does; it may arrive once more later. */
  arriving(): Packet | null {
    if (this.#packets.length === 0) return null;
    const { reorder, lossRate, duplicateRate } = this.#faults;
    const [packet] = this.#packets.splice(reorder ? this.#below(this.#packets.length) : 0, 1);
    const isCutOff = this.#island(packet.from) !== this.#island(packet.to);
    if (isCutOff || this.#below(100) < lossRate) return null;
    if (this.#below(100) < duplicateRate) this.#packets.push(packet);
    return packet;
  }

  /** All that is on the way, in order, whatever the faults. */
  takeAll(): readonly Packet[] {
    const packets = this.#packets;
    this.#packets = [];
    return packets;
  }

  partition(ids: readonly NodeId[]): void {
    for (const id of ids) this.#islands.set(id, this.#below(2));
  }

  heal(): void {
    this.#islands.clear();
  }

  #island(id: NodeId): number {
    return this.#islands.get(id) ?? 0;
  }
}
