import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { NUMBER_MAX } from "../../raft/types.ts";
import { canonical } from "../../transport/udp/endpoint.ts";
import { ACK_RANGES_MAX, UDP_LIMITS } from "../../transport/udp/limits.ts";
import {
  decodePacket,
  encodeAccept,
  encodeClose,
  encodeCookie,
  encodeData,
  encodeOpen,
  encodeReset,
} from "../../transport/udp/packet.ts";
import { RangeSet } from "../../transport/udp/ranges.ts";
import { ReceivedPackets } from "../../transport/udp/received_packets.ts";
import { ReceiveStream } from "../../transport/udp/receive_stream.ts";
import { RoundTrip } from "../../transport/udp/rtt.ts";
import { SendStream } from "../../transport/udp/send_stream.ts";
import { bytesFrom } from "./udp_network.ts";

const NONE = new Uint8Array();

Deno.test("RangeSet is a set of numbers, in as few ranges as there can be", () => {
  const step = fc.record({
    adds: fc.boolean(),
    start: fc.integer({ min: 0, max: 40 }),
    length: fc.integer({ min: 0, max: 12 }),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const ranges = new RangeSet(Infinity);
    const model = new Set<number>();
    for (const { adds, start, length } of steps) {
      if (adds) assert(ranges.add(start, start + length));
      else ranges.remove(start, start + length);
      for (let n = start; n < start + length; n++) adds ? model.add(n) : model.delete(n);
      for (let n = 0; n < 60; n++) assertEquals(ranges.has(n), model.has(n));
      let starts = 0;
      for (const n of model) if (!model.has(n - 1)) starts += 1;
      assertEquals(ranges.count, starts);
      for (let at = 1; at < ranges.count; at++) assert(ranges.start(at) > ranges.end(at - 1));
    }
  }));
});

Deno.test("RangeSet refuses a range too many, and joins ranges all the same", () => {
  const ranges = new RangeSet(2);
  assert(ranges.add(0, 2));
  assert(ranges.add(4, 6));
  assert(!ranges.add(8, 9));
  assert(!ranges.has(8));
  assert(ranges.add(2, 4));
  assertEquals([ranges.count, ranges.start(0), ranges.end(0)], [1, 0, 6]);
});

Deno.test("udp packets read back as they were written", () => {
  const cookie = bytesFrom(1, 22);
  assertEquals(decodePacket(encodeOpen(5, null)), { type: "open", to: 0, from: 5, cookie: null });
  assertEquals(decodePacket(encodeOpen(5, cookie)), { type: "open", to: 0, from: 5, cookie });
  assertEquals(decodePacket(encodeCookie(9, cookie)), { type: "cookie", to: 9, cookie });
  assertEquals(decodePacket(encodeAccept(9, 5)), { type: "accept", to: 9, from: 5 });
  assertEquals(decodePacket(encodeClose(9, 5)), { type: "close", to: 9, from: 5 });
  assertEquals(decodePacket(encodeReset(NUMBER_MAX)), { type: "reset", to: NUMBER_MAX });
  const data = bytesFrom(2, 300);
  const ranges: [number, number][] = [[900, 1000], [890, 890], [0, 5]];
  const packet = {
    to: 1,
    number: 2 ** 40,
    ack: { credit: 77, delayMs: 1.5, ranges },
    segment: { offset: 2 ** 41, length: 300, fin: true },
    ping: true,
  };
  const bytes = encodeData(packet, (into) => into.set(data));
  assertEquals(decodePacket(bytes), { type: "data", ...packet, bytes: data });
  const fin = { ...packet, ack: null, segment: { offset: 3, length: 0, fin: true }, ping: false };
  assertEquals(decodePacket(encodeData(fin, () => {})), { type: "data", ...fin, bytes: NONE });
  const bare = { ...packet, segment: null, ping: false };
  assertEquals(decodePacket(encodeData(bare, () => {})), { type: "data", ...bare, bytes: NONE });
});

Deno.test("udp packets are none with any bit flipped, or any byte less or more", () => {
  const packets = [
    encodeOpen(5, bytesFrom(1, 22)),
    encodeAccept(9, 5),
    encodeData(
      {
        to: 1,
        number: 3,
        ack: { credit: 7, delayMs: 0, ranges: [[4, 9], [0, 2]] },
        segment: { offset: 0, length: 20, fin: false },
        ping: false,
      },
      (into) => into.set(bytesFrom(3, 20)),
    ),
  ];
  for (const packet of packets) {
    assert(decodePacket(packet) !== null);
    for (let bit = 0; bit < packet.length * 8; bit++) {
      const flipped = packet.slice();
      flipped[bit >> 3] ^= 1 << (bit & 7);
      assertEquals(decodePacket(flipped), null, `bit ${bit}`);
    }
    for (let length = 0; length < packet.length; length++) {
      assertEquals(decodePacket(packet.subarray(0, length)), null, `${length} bytes`);
    }
    const longer = new Uint8Array(packet.length + 1);
    longer.set(packet);
    assertEquals(decodePacket(longer), null, "a byte more");
  }
});

Deno.test("ReceivedPackets takes each number once, and none that is absurd", () => {
  const received = new ReceivedPackets(5);
  assert(received.isNew(0));
  received.note(0, true, 10);
  assert(!received.isNew(0));
  assert(!received.isNew(NUMBER_MAX));
  assertEquals(received.dueMs, 15);
  received.note(1, true, 11);
  assertEquals(received.dueMs, 11, "the second that asks waits for nothing");
  received.told();
  received.note(3, true, 12);
  assertEquals(received.dueMs, 12, "nor does one behind a gap");
  assertEquals(received.ranges(13), { ranges: [[3, 3], [0, 1]], delayMs: 1 });
  // So many gaps that the lowest are forgotten: what lies there is not taken any more.
  for (let n = 1; n <= 2 * ACK_RANGES_MAX; n++) received.note(3 + 2 * n, true, 20);
  assertEquals(received.ranges(20).ranges.length, ACK_RANGES_MAX);
  assert(!received.isNew(2));
  assert(!received.isNew(0));
  assert(received.isNew(2 + 4 * ACK_RANGES_MAX));
});

Deno.test("ReceiveStream takes what is to be read next, however many gaps there are", () => {
  const stream = new ReceiveStream(100, 3);
  const piece = (offset: number, length: number) =>
    stream.accept({ offset, length, fin: false }, new Uint8Array(length).fill(offset));
  assert(piece(10, 1) && piece(20, 1) && piece(30, 1));
  // A peer whose window is two pieces sends only these again, until they are taken.
  assert(piece(0, 2) && piece(2, 2));
  assertEquals(stream.available, 4);
  assert(!piece(40, 1) && !piece(5, 1), "a gap too many");
  assertEquals(stream.read(new Uint8Array(100)), 4);
  assert(piece(4, 2) && piece(6, 4), "the rest, up to the first gap");
  assertEquals(stream.available, 7);
});

Deno.test("ReceiveStream takes nothing beyond its window, its gaps or the end", () => {
  const stream = new ReceiveStream(100, 3);
  const piece = (offset: number, length: number, fin = false) =>
    stream.accept({ offset, length, fin }, new Uint8Array(length).fill(offset));
  assert(!piece(1, 100), "beyond the window");
  assert(piece(10, 1) && piece(20, 1) && piece(30, 1));
  assert(!piece(40, 1), "a fourth gap");
  assert(piece(0, 10), "what closes a gap");
  assertEquals(stream.available, 11);
  assert(!piece(0, 20, true), "an end before what has come");
  assert(piece(11, 39, true), "the end");
  assert(!piece(50, 1), "behind the end");
  assert(!piece(11, 10, true), "another end");
  const into = new Uint8Array(100);
  assertEquals(stream.read(into), 50);
  assert(stream.isEnded);
});

Deno.test("SendStream sends again what was lost, but for what has come", () => {
  const stream = new SendStream(100, 1000);
  assertEquals(stream.write(bytesFrom(1, 150)), 100);
  const pieces = [stream.take(30)!, stream.take(30)!, stream.take(40)!];
  assertEquals(stream.take(10), null);
  stream.onAcked(pieces[1]);
  stream.onLost({ offset: 0, length: 100, fin: false });
  assertEquals(stream.take(50), { offset: 0, length: 30, fin: false });
  assertEquals(stream.take(50), { offset: 60, length: 40, fin: false });
  assertEquals(stream.room, 0);
  stream.onLost(pieces[0]);
  stream.onAcked(pieces[0]);
  assertEquals(stream.take(50), null, "it has come after all");
  assertEquals(stream.room, 60);
  stream.end();
  stream.onAcked(pieces[2]);
  assertEquals(stream.take(50), { offset: 100, length: 0, fin: true });
  assert(!stream.isDone);
  stream.onAcked({ offset: 100, length: 0, fin: true });
  assert(stream.isDone);
});

Deno.test("SendStream outlives that its end is acknowledged before what stands in front of it", () => {
  const stream = new SendStream(100, 1000);
  stream.write(bytesFrom(1, 40));
  const piece = stream.take(50)!;
  stream.end();
  stream.onAcked(stream.take(50)!);
  assert(!stream.isDone);
  stream.onLost(piece);
  assertEquals(stream.take(50), { offset: 0, length: 40, fin: true });
  stream.onAcked(piece);
  assert(stream.isDone);
});

Deno.test("canonical() writes an address as datagrams from it have it", () => {
  assertEquals(canonical("10.0.0.1"), "10.0.0.1");
  assertEquals(canonical("::1"), "::1");
  assertEquals(canonical("FD00:0:0:0::4"), "fd00::4");
});

Deno.test("RoundTrip is estimated as in RFC 9002 section 5.3", () => {
  const limits = { ...UDP_LIMITS, ackDelayMs: 10, probeMinMs: 0 };
  const roundTrip = new RoundTrip(limits);
  roundTrip.sample(100, 50);
  assertEquals([roundTrip.smoothedMs, roundTrip.minMs], [100, 100]);
  assertEquals(roundTrip.probeMs, 100 + 4 * 50 + 10);
  // The peer may have kept it back for 10 ms at most, whatever it says.
  roundTrip.sample(130, 500);
  assertEquals(roundTrip.smoothedMs, 7 / 8 * 100 + 1 / 8 * 120);
  assertEquals(roundTrip.probeMs, 102.5 + 4 * (3 / 4 * 50 + 1 / 4 * 20) + 10);
  assertEquals(roundTrip.lossMs, 9 / 8 * 130);
});
