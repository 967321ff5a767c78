/**
 * What every store promises of its incarnation, and of what it remembers of the peers.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type NodeId, nodeId } from "../../raft/types.ts";
import { KNOWN_PEERS_MAX } from "../../storage/limits.ts";
import { Fenced, type KnownPeer } from "../../storage/types.ts";
import { batch, entries, type PlaceKind, reread, withPlace } from "./places.ts";

function peers(count: number, boot = 1): Map<NodeId, KnownPeer> {
  const id = (i: number) => nodeId(`${i}`.padStart(64, "n"));
  const known = (i: number) => ({
    incarnation: 2 ** 48 - 1 - i,
    boot,
    since: i,
    heldTerm: i,
    heldIndex: 2 * i,
  });
  return new Map(Array.from({ length: count }, (_, i) => [id(i), known(i)]));
}

/** Registers the suite for one kind of place. */
export function peersSuite(kind: PlaceKind): void {
  Deno.test(`${kind.name}: open() finds the same incarnation as ever, and another in another place`, async () => {
    const seen = new Set<number>();
    for (let i = 0; i < 3; i++) {
      await withPlace(kind, async (place) => {
        const { incarnation } = await reread(place.store());
        assert(Number.isSafeInteger(incarnation) && incarnation > 0 && incarnation < 2 ** 48);
        assertEquals((await reread(place.store())).incarnation, incarnation);
        seen.add(incarnation);
      });
    }
    assertEquals(seen.size, 3);
  });

  Deno.test(`${kind.name}: rememberPeers() replaces what open() finds, beside commits`, async () => {
    await withPlace(kind, async (place) => {
      const store = place.store();
      assertEquals((await store.open()).peers, new Map());
      await store.commit(batch({ entries: entries(1, 3) }));
      const committing = store.commit(batch({ entries: entries(4, 3) }));
      await Promise.all([committing, store.rememberPeers(peers(KNOWN_PEERS_MAX))]);
      assertEquals((await store.open()).peers, peers(KNOWN_PEERS_MAX));
      await Promise.all([store.rememberPeers(peers(3)), store.rememberPeers(peers(2, 9))]);
      await assertRejects(() => store.rememberPeers(peers(KNOWN_PEERS_MAX + 1)), RangeError);
      // Nothing of it has shut the store.
      await store.commit(batch({ entries: entries(7, 1) }));
      await store.close();
      const found = await reread(place.store());
      assertEquals(found.peers, peers(2, 9));
      assertEquals([found.entries, found.damage], [entries(1, 7), null]);
    });
  });

  Deno.test(`${kind.name}: rememberPeers() writes nothing for who was fenced off, or is not open`, async () => {
    await withPlace(kind, async (place) => {
      const [older, newer] = [place.store(), place.store()];
      await assertRejects(() => older.rememberPeers(peers(1)), Error, "not open");
      await older.open();
      await newer.open();
      await assertRejects(() => older.rememberPeers(peers(1)), Fenced);
      await newer.rememberPeers(peers(2));
      await older.close();
      await newer.close();
      assertEquals((await reread(place.store())).peers, peers(2));
    });
  });
}
