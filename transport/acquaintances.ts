/**
 * What this node remembers of its peers: on which data each of them runs (its incarnation), and the
 * highest boot number that it has shown.
 *
 * Who shows another incarnation than at first is not the one it was: it has forgotten its votes and what
 * it acknowledged. That holds over this node's restarts as well, so what is learned of a member is made
 * durable before anything that it says is heard.
 *
 * And what each of them has acknowledged to this node. Who shows the same data with less in them has been
 * given an older copy, which looks whole to itself (docs/decisions/0021-older-copies.md).
 *
 * Not here: proof. The first one to come under a name is believed, which TLS does not change.
 *
 * @module
 */
import type { NodeId } from "../raft/types.ts";
import type { RefusalReason } from "./events.ts";
import type { Holding, KnownPeer, Peer } from "./types.ts";

/** What a node says of itself when it greets. */
export interface Life extends Holding {
  readonly incarnation: number;
  readonly boot: number;
}

/** What a node shows that does not say how far its data go: everything that can be sent. */
export const HOLDS_ALL: Holding = { term: 2 ** 48 - 1, lastIndex: 2 ** 48 - 1 };

/** As {@linkcode KnownPeer}, but `since` is null of who is no member: that is remembered in memory only. */
type Known = Omit<KnownPeer, "since"> & { readonly since: number | null };

export interface AcquaintancesOptions {
  /** What was remembered before this start; of who is no peer any more it is forgotten. */
  readonly known?: ReadonlyMap<NodeId, KnownPeer>;
  /** Makes durable what is remembered of the members; replaces what it was given before. */
  readonly remember?: (known: ReadonlyMap<NodeId, KnownPeer>) => Promise<void>;
  /** A peer has shown a higher boot number: connections to earlier processes are void. */
  readonly onNewer?: (peer: NodeId, boot: number) => void;
}

export class Acquaintances {
  readonly #known = new Map<NodeId, Known>();
  readonly #remember: (known: ReadonlyMap<NodeId, KnownPeer>) => Promise<void>;
  readonly #onNewer: (peer: NodeId, boot: number) => void;
  #peers: ReadonlyMap<NodeId, Peer> = new Map();
  /** See {@linkcode setPeers}. */
  #asOf = 0;
  /** Counts the changes to what is to be durable, and says how far it is. */
  #changes = 0;
  #durable = 0;
  /** Whether somebody acknowledged more than was written. */
  #acknowledged = false;
  #writing: { readonly changes: number; readonly done: Promise<void> } | null = null;

  constructor({ known, remember, onNewer }: AcquaintancesOptions) {
    for (const [peer, it] of known ?? []) this.#known.set(peer, it);
    this.#remember = remember ?? (() => Promise.resolve());
    this.#onNewer = onNewer ?? (() => {});
  }

  /** Why this cannot be the peer that it was, as one that has acknowledged `held`; null for nothing. */
  judge(peer: NodeId, life: Life, held = this.heldBy(peer)): RefusalReason | null {
    const known = this.#known.get(peer);
    if (known === undefined) return null;
    if (known.incarnation !== life.incarnation) return "other-data";
    // Before the boot number, which an older copy reaches once it is started often enough.
    if (life.term < held.term || life.lastIndex < held.lastIndex) return "older-data";
    return life.boot < known.boot ? "old-boot" : null;
  }

  /** What a peer has acknowledged so far. */
  heldBy(peer: NodeId): Holding {
    const { heldTerm = 0, heldIndex = 0 } = this.#known.get(peer) ?? {};
    return { term: heldTerm, lastIndex: heldIndex };
  }

  /** Remembers a life that {@linkcode judge} has found nothing against. */
  learn(peer: NodeId, { incarnation, boot }: Life): void {
    const before = this.#known.get(peer);
    if (before !== undefined && boot <= before.boot) return;
    const since = before?.since ?? this.#peers.get(peer)?.since ?? null;
    const { heldTerm = 0, heldIndex = 0 } = before ?? {};
    this.#known.set(peer, { incarnation, boot, since, heldTerm, heldIndex });
    if (since !== null) this.#changes++;
    this.#onNewer(peer, boot);
  }

  /** Whether all that was learned of members is durable: then {@linkcode settle} has nothing to do. */
  get isSettled(): boolean {
    return this.#durable >= this.#changes;
  }

  /** A member has acknowledged so much. Hot path. */
  acknowledged(peer: NodeId, { term, lastIndex }: Holding): void {
    const known = this.#known.get(peer);
    if (known === undefined || known.since === null) return;
    const { heldTerm, heldIndex } = known;
    if (term <= heldTerm && lastIndex <= heldIndex) return;
    this.#acknowledged = true;
    this.#known.set(peer, {
      ...known,
      heldTerm: Math.max(term, heldTerm),
      heldIndex: Math.max(lastIndex, heldIndex),
    });
  }

  /**
   * Makes durable what was acknowledged, as far as it is not; a failure is made up for at the next call.
   * Counts as no change: no handshake waits for it, or a full disk would cut off whoever connects anew.
   */
  keepAcknowledged(): void {
    if (!this.#acknowledged) return;
    this.#acknowledged = false;
    this.#write(this.#changes).catch(() => void (this.#acknowledged = true));
  }

  /** Resolves when all that was learned of members is durable. @throws what `remember` throws. */
  async settle(): Promise<void> {
    const changes = this.#changes;
    if (this.#durable >= changes) return;
    if (this.#writing?.changes !== changes) this.#writing = { changes, done: this.#write(changes) };
    const writing = this.#writing;
    try {
      await writing.done;
    } finally {
      if (this.#writing === writing) this.#writing = null;
    }
  }

  async #write(changes: number): Promise<void> {
    const members = new Map<NodeId, KnownPeer>();
    for (const [peer, { since, ...known }] of this.#known) {
      if (since !== null) members.set(peer, { ...known, since });
    }
    await this.#remember(members);
    this.#durable = Math.max(this.#durable, changes);
  }

  /**
   * Others are the peers now. Forgets who is none any more unless `isKept`, and who was added anew: it may
   * come on other data. Gives the latter. A configuration from before a member was added does not show
   * that it left: a truncation or the loss of a log brings such ones back. So members that were added at or
   * after the log index `asOf` are not forgotten, and a lower `since` than is remembered changes nothing.
   */
  setPeers(
    peers: ReadonlyMap<NodeId, Peer>,
    isKept: (peer: NodeId) => boolean,
    asOf = Infinity,
  ): NodeId[] {
    const changes = this.#changes;
    const anew: NodeId[] = [];
    this.#peers = peers;
    this.#asOf = asOf;
    for (const [id, { since, ...life }] of this.#known) {
      const peer = peers.get(id);
      if (peer === undefined) {
        if (!isKept(id)) this.forget(id);
      } else if (peer.since !== undefined && since === null) {
        this.#known.set(id, { ...life, since: peer.since });
        this.#changes++;
      } else if (peer.since !== undefined && since !== null && peer.since > since) {
        this.#drop(id, since);
        anew.push(id);
      }
    }
    // What fails here is tried again with the next handshake.
    if (this.#changes > changes) this.settle().catch(() => {});
    return anew;
  }

  /** Forgets who is no peer and has gone, unless it may be a member all the same. */
  forget(peer: NodeId): void {
    const since = this.#known.get(peer)?.since ?? null;
    if (since === null || since < this.#asOf) this.#drop(peer, since);
  }

  #drop(peer: NodeId, since: number | null): void {
    this.#known.delete(peer);
    if (since !== null) this.#changes++;
  }
}
