/**
 * The part of the transports' contract about on which data a peer runs: what is remembered of it, for how
 * long, and who is refused by it.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { NodeId } from "../../raft/types.ts";
import type { KnownPeer, Transport } from "../../transport/types.ts";
import { EventLog, GROUP, N1, N2, ping, until } from "./harness.ts";
import { type Body, connect, open, type Place } from "./place.ts";

/** Of pings that nobody is to hear. */
const REFUSED_IDS = [91, 92];

/** Keeps what a transport remembers, as a disk does. */
class Memory {
  known: ReadonlyMap<NodeId, KnownPeer> = new Map();
  writes = 0;
  readonly remember = (known: ReadonlyMap<NodeId, KnownPeer>): Promise<void> => {
    this.known = new Map(known);
    this.writes += 1;
    return Promise.resolve();
  };

  get options() {
    return { known: this.known, remember: this.remember };
  }

  /** What is remembered of n2. */
  get boot(): number | undefined {
    return this.known.get(N2)?.boot;
  }
}

/** Makes n2 the peer of n1, added at an index, and n1 the peer of n2. */
function acquaint(place: Place, a: Transport, b: Transport, since = 0): void {
  a.setPeers(new Map([[N2, { ...place.address(N2), since }]]));
  b.setPeers(new Map([[N1, { ...place.address(N1), since: 0 }]]));
}

/** Both hear each other. */
async function talk(a: Awaited<ReturnType<typeof open>>, b: Awaited<ReturnType<typeof open>>) {
  const [atA, atB] = [a.inbox.received.length, b.inbox.received.length];
  // What is sent while there is no connection is lost, so it is sent until it is heard.
  await until("both are heard", () => {
    if (b.inbox.received.length === atB) a.transport.send(N2, GROUP, ping(1));
    if (a.inbox.received.length === atA) b.transport.send(N1, GROUP, ping(2));
    return a.inbox.received.length > atA && b.inbox.received.length > atB;
  });
}

/** Neither hears the other, both are told, and n2 knows that it was refused. */
async function refused(
  a: Awaited<ReturnType<typeof open>>,
  b: Awaited<ReturnType<typeof open>>,
  logs: readonly [EventLog, EventLog],
  reason: string,
): Promise<void> {
  const told = (log: EventLog, direction: string, byPeer: boolean) =>
    log.of("refused").some((it) =>
      it.reason === reason && it.direction === direction && it.byPeer === byPeer
    );
  // By what is sent now: what the one before it on n2 had sent may still arrive.
  await until("all is told", () => {
    a.transport.send(N2, GROUP, ping(REFUSED_IDS[0]));
    b.transport.send(N1, GROUP, ping(REFUSED_IDS[1]));
    return told(logs[0], "incoming", false) && told(logs[0], "outgoing", false) &&
      told(logs[1], "outgoing", true);
  });
  for (const { inbox } of [a, b]) {
    assert(!inbox.ids.some((id) => REFUSED_IDS.includes(id)), "one has heard the other");
  }
  assertEquals(a.transport.stats().get(N2)?.connected, false);
  assertEquals(b.transport.stats().get(N1)?.connected, false);
}

export const refusesOtherData: Body = async (place) => {
  const logs = [new EventLog(), new EventLog()] as const;
  const memory = new Memory();
  const a = await open(place, N1, { onEvent: logs[0].record, ...memory.options });
  const b = await open(place, N2);
  acquaint(place, a.transport, b.transport);
  await talk(a, b);
  const before = memory.known;
  await b.transport.close();
  // At boot 1 again, as in the life that is forgotten.
  place.wipe(N2);
  const wiped = await open(place, N2, { onEvent: logs[1].record });
  acquaint(place, a.transport, wiped.transport);
  await refused(a, wiped, logs, "other-data");
  assertEquals(memory.known, before);
};

export const refusesOlderData: Body = async (place) => {
  const memory = new Memory();
  let a = await open(place, N1, memory.options);
  let b = await open(place, N2, { holding: () => ({ term: 3, lastIndex: 10 }) });
  acquaint(place, a.transport, b.transport);
  await talk(a, b);
  a.transport.acknowledged(N2, { term: 3, lastIndex: 10 });
  a.transport.acknowledged(N2, { term: 2, lastIndex: 9 });
  a.transport.keepAcknowledged();
  await until("it is remembered", () => memory.known.get(N2)?.heldIndex === 10);
  const { writes } = memory;
  a.transport.keepAcknowledged();
  await a.transport.close();
  for (const holding of [{ term: 2, lastIndex: 10 }, { term: 3, lastIndex: 9 }]) {
    await b.transport.close();
    const logs = [new EventLog(), new EventLog()] as const;
    a = await open(place, N1, { ...memory.options, onEvent: logs[0].record });
    b = await open(place, N2, { holding: () => holding, onEvent: logs[1].record });
    acquaint(place, a.transport, b.transport);
    await refused(a, b, logs, "older-data");
    await a.transport.close();
  }
  assertEquals([memory.writes, memory.known.get(N2)?.heldTerm], [writes, 3]);
  await b.transport.close();
  a = await open(place, N1, memory.options);
  b = await open(place, N2, { holding: () => ({ term: 3, lastIndex: 10 }) });
  acquaint(place, a.transport, b.transport);
  await talk(a, b);
};

export const remembersOverRestarts: Body = async (place) => {
  const memory = new Memory();
  let a = await open(place, N1, memory.options);
  for (let boot = 1; boot <= 2; boot++) {
    const b = await open(place, N2);
    acquaint(place, a.transport, b.transport);
    await talk(a, b);
    assertEquals(memory.boot, boot);
    // It is written when a peer was restarted, not for each connection.
    assertEquals(memory.writes, boot);
    await b.transport.close();
  }
  await a.transport.close();
  place.wipe(N2);
  const logs = [new EventLog(), new EventLog()] as const;
  a = await open(place, N1, { ...memory.options, onEvent: logs[0].record });
  const wiped = await open(place, N2, { onEvent: logs[1].record });
  acquaint(place, a.transport, wiped.transport);
  await refused(a, wiped, logs, "other-data");
  assertEquals([memory.boot, memory.writes], [2, 2]);
};

export const trustsReadded: Body = async (place) => {
  const memory = new Memory();
  const logs = [new EventLog(), new EventLog()] as const;
  const a = await open(place, N1, { ...memory.options, onEvent: logs[0].record });
  const b = await open(place, N2);
  acquaint(place, a.transport, b.transport, 3);
  await talk(a, b);
  await b.transport.close();
  place.wipe(N2);
  const wiped = await open(place, N2, { onEvent: logs[1].record });
  acquaint(place, a.transport, wiped.transport, 3);
  await refused(a, wiped, logs, "other-data");
  // It never left the peers, but is there for a later reason.
  acquaint(place, a.transport, wiped.transport, 9);
  await talk(a, wiped);
  await until("it is remembered", () => memory.known.get(N2)?.since === 9);
  assertEquals(memory.boot, 1);
};

export const adoptsAsMember: Body = async (place) => {
  const memory = new Memory();
  const a = await open(place, N1, { ...memory.options, acceptUnknown: () => true });
  const b = await open(place, N2);
  b.transport.setPeers(new Map([[N1, place.address(N1)]]));
  await until("it is heard", () => {
    b.transport.send(N1, GROUP, ping(1));
    return a.inbox.received.length > 0;
  });
  assertEquals(memory.known, new Map());
  a.transport.setPeers(new Map([[N2, { ...place.address(N2), since: 4 }]]));
  await until("it is remembered", () => memory.boot === 1);
  assertEquals(memory.known.get(N2)?.since, 4);
};

export const forgetsOnlyLeavers: Body = async (place) => {
  const memory = new Memory();
  let a = await open(place, N1, memory.options);
  const b = await open(place, N2);
  acquaint(place, a.transport, b.transport);
  await talk(a, b);
  await a.transport.close();
  a = await open(place, N1, memory.options);
  assertEquals([memory.boot, memory.writes], [1, 1]);
  a.transport.setPeers(new Map());
  await until("it is forgotten", () => memory.known.size === 0);
  await b.transport.close();
  place.wipe(N2);
  const again = await open(place, N2);
  await connect(place, a.transport, again.transport);
  assert(a.transport.send(N2, GROUP, ping(1)));
};

/** What a truncation or a lost log brings back does not make anybody another one. */
export const neverForgetsByGoingBack: Body = async (place) => {
  const memory = new Memory();
  const logs = [new EventLog(), new EventLog()] as const;
  let a = await open(place, N1, memory.options);
  const b = await open(place, N2);
  acquaint(place, a.transport, b.transport, 9);
  await talk(a, b);
  const before = memory.known;
  // An older configuration has it as an earlier member, or not at all, and a restart does not help.
  acquaint(place, a.transport, b.transport, 3);
  a.transport.setPeers(new Map(), 9);
  await a.transport.close();
  a = await open(place, N1, { ...memory.options, onEvent: logs[0].record });
  a.transport.setPeers(new Map(), 0);
  await b.transport.close();
  place.wipe(N2);
  const wiped = await open(place, N2, { onEvent: logs[1].record });
  acquaint(place, a.transport, wiped.transport, 3);
  await refused(a, wiped, logs, "other-data");
  assertEquals(memory.known, before);
  // A later one that lacks it shows that it has left.
  a.transport.setPeers(new Map(), 10);
  await until("it is forgotten", () => memory.known.size === 0);
};
