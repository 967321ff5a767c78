import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  COMMAND_HEADER_BYTES,
  commandHashCheck,
  CommandKind,
  commandKind,
  commandLowWater,
  commandSequence,
  commandSession,
  encodeAtomicWrite,
  encodeClock,
  encodeHashCheck,
  encodeHashMark,
  encodeOpenSession,
  stampCommand,
} from "../../kv/command.ts";
import { decodeCommand, MalformedCommand } from "../../kv/command_decoder.ts";
import { Store } from "../../kv/store.ts";
import { bytesValue, u64Value } from "../../kv/value_codec.ts";
import { fuzzTimes } from "../hardening/fuzz_times.ts";
import { atomicWrite, command, Fed, key, NEVER, remove, set, write } from "./support.ts";

const uint48 = fc.oneof(fc.nat(1000), fc.integer({ min: 0, max: 2 ** 48 - 1 }));

Deno.test("encodeAtomicWrite() gives these bytes", () => {
  const bytes = encodeAtomicWrite(write(
    [
      { type: "set", key: key("k"), value: bytesValue(new Uint8Array([7])), expiry: NEVER },
      remove(key(true)),
    ],
    [{ key: key("c"), versionstamp: { index: 5, order: 1 } }, {
      key: key("d"),
      versionstamp: null,
    }],
    "é",
  ));
  stampCommand(bytes, 0x010203040506, 7, 2 ** 40);
  assertEquals(
    bytes.toHex(),
    "0102" + "010203040506" + "000000000007" + "010000000000" +
      "0002c3a9" +
      "0002" + "0003026300" + "01" + "0000000000050001" + "0003026400" + "00" +
      "0002" + "01" + "0003026b00" + "03" + "0000000107" + "00" + "02" + "000127",
  );
});

Deno.test("decodeCommand() reads back what was encoded and stamped", () => {
  fc.assert(fc.property(atomicWrite, uint48, uint48, uint48, (aw, session, sequence, lowWater) => {
    const bytes = encodeAtomicWrite(aw);
    stampCommand(bytes, session, sequence, lowWater);
    assertEquals(decodeCommand(bytes), { kind: "write", session, sequence, lowWater, write: aw });
    assertEquals(commandKind(bytes), CommandKind.AtomicWrite);
    assertEquals(commandSession(bytes), session);
    assertEquals(commandSequence(bytes), sequence);
    assertEquals(commandLowWater(bytes), lowWater);
  }));
});

Deno.test("decodeCommand() reads clocks and session openings", () => {
  assertEquals(decodeCommand(encodeClock()), { kind: "clock" });
  assertEquals(decodeCommand(encodeOpenSession(2 ** 48 - 1)), {
    kind: "open-session",
    session: 2 ** 48 - 1,
  });
});

Deno.test("decodeCommand() reads hash marks and hash checks", () => {
  assertEquals(decodeCommand(encodeHashMark()), { kind: "hash-mark" });
  const of = { index: 2 ** 48 - 1, hash: "00112233445566778899aabbccddeeff" };
  const bytes = encodeHashCheck(of.index, of.hash);
  assertEquals(bytes.toHex(), "0104" + "00".repeat(18) + "ffffffffffff" + of.hash);
  assertEquals(decodeCommand(bytes), { kind: "hash-check", of });
  assertEquals(commandHashCheck(bytes), of);
  const others = [encodeHashMark(), encodeClock(), new Uint8Array(42), bytes.subarray(0, 41)];
  for (const other of others) assertEquals(commandHashCheck(other), null);
});

Deno.test("hash marks and hash checks move time and change nothing else", () => {
  const fed = new Fed();
  const twin = new Fed();
  for (const [i, data] of [encodeHashMark(), encodeHashCheck(1, "00".repeat(16))].entries()) {
    const timeMs = fed.timeMs + 5;
    const { result, changes } = fed.data(data, timeMs);
    assertEquals(result, { status: "applied", versionstamp: { index: 2 + i, order: 1 } });
    assertEquals(changes, []);
    twin.data(encodeClock(), timeMs);
    assertEquals(fed.store.hash(), twin.store.hash());
  }
});

Deno.test("decodeCommand() copies small values out of a large frame, and only those", () => {
  const frame = new Uint8Array(4096);
  const small = encodeAtomicWrite(write([set(key("k"), bytesValue(new Uint8Array(100).fill(9)))]));
  frame.set(small, 50);
  const decoded = decodeCommand(frame.subarray(50, 50 + small.length));
  const own = decodeCommand(small);
  for (const [it, buffer] of [[decoded, frame.buffer], [own, small.buffer]] as const) {
    assert(it.kind === "write" && it.write.mutations[0]!.type === "set");
    const { data } = it.write.mutations[0].value;
    assertEquals(data, new Uint8Array(100).fill(9));
    assertEquals(data.buffer === buffer, it === own);
    assert(data.buffer.byteLength <= 2 * data.length);
  }
});

const malformed: [string, string, RegExp][] = [
  ["no bytes", "", /cut short/],
  ["a short header", "0102", /cut short/],
  ["another version", "02" + "00".repeat(19), /version 2/],
  ["an unknown kind", "0109" + "00".repeat(18), /kind 9/],
  ["a clock with a body", "0100" + "00".repeat(19), /left/],
  ["a hash mark with a body", "0103" + "00".repeat(19), /left/],
  ["a hash check without its body", "0104" + "00".repeat(18), /cut short/],
  ["a hash check cut short", "0104" + "00".repeat(18 + 21), /cut short/],
  ["a hash check with more than its body", "0104" + "00".repeat(18 + 23), /left/],
  ["session 0", "0101" + "00".repeat(18), /session/],
];
const body = (hex: string) => "0102" + "00".repeat(18) + hex;
const mutationOf = (hex: string) => body("0000" + "0000" + "0001" + hex);
malformed.push(
  ["no body", body(""), /cut short/],
  ["bytes after the end", body("000000000000" + "00"), /left/],
  ["an idempotency key that is not UTF-8", body("0001ff" + "00000000"), /UTF-8/],
  ["an idempotency key longer than what remains", body("ffff61"), /cut short/],
  ["more checks than there are", body("0000" + "ffff"), /cut short/],
  ["a check of a third kind", body("0000" + "0001" + "000114" + "02"), /neither/],
  ["an empty key", mutationOf("02" + "0000"), /empty/],
  ["an unknown mutation", mutationOf("07" + "000114"), /mutation 7/],
  ["an unknown encoding", mutationOf("01" + "000114" + "04" + "00000000" + "00"), /encoding 4/],
  ["an LE64 of 7 bytes", mutationOf("05" + "000114" + "02" + "00000007" + "00".repeat(7)), /LE64/],
  ["a value longer than what remains", mutationOf("01" + "000114" + "03" + "ffffffff"), /cut/],
  ["an unknown expiry", mutationOf("01" + "000114" + "03" + "00000000" + "03"), /expiry 3/],
  ["unknown flags", mutationOf("03" + "000114" + "03" + "00000000" + "08"), /flags 8/],
);

for (const [what, hex, message] of malformed) {
  Deno.test(`decodeCommand() refuses ${what}, and so does a store`, () => {
    const bytes = Uint8Array.fromHex(hex);
    const error = assertThrows(() => decodeCommand(bytes), MalformedCommand);
    assert(message.test(error.message), error.message);
    const fed = new Fed();
    stampCommandIfLongEnough(bytes);
    const { result, changes } = fed.data(bytes);
    if (result.status !== "session-unknown") {
      assert(result.status === "refused" && result.code === "malformed", result.status);
    }
    assertEquals(changes, []);
  });
}

/** So that the body is looked at, and not just an unknown session found. */
function stampCommandIfLongEnough(bytes: Uint8Array): void {
  if (bytes.length > COMMAND_HEADER_BYTES) stampCommand(bytes, 0xfeed_0000_0001, 1, 0);
}

/** 100,000 of them, or as many times that as the variable says. */
const FUZZ_COMMANDS = 100_000 * fuzzTimes();

Deno.test("a store survives random and mutated commands, and equals its twin", () => {
  const twins = [new Store(), new Store()];
  const [a, b] = [twins[0]!, twins[1]!];
  let seed = 42;
  const random = (limit: number) => {
    seed = Math.imul(seed ^ seed >>> 15, 0x2c1b3c6d) + 0x9e3779b9 | 0;
    return (Math.imul(seed ^ seed >>> 13, 0x297a2d39) >>> 8) % limit;
  };
  const seeds = fc.sample(atomicWrite, { numRuns: 300, seed: 3 }).map((aw, i) =>
    command(aw, 1 + i % 3, i, 0)
  );
  seeds.push(encodeClock(), encodeOpenSession(1), encodeOpenSession(2));
  seeds.push(encodeHashMark(), encodeHashCheck(1, "ab".repeat(16)));
  const counts = new Map<string, number>();
  for (let i = 1; i <= FUZZ_COMMANDS; i++) {
    let data: Uint8Array = seeds[random(seeds.length)]!.slice();
    for (let flips = random(4); flips > 0; flips--) data[random(data.length)] = random(256);
    if (random(8) === 0) data = data.subarray(0, random(data.length + 1));
    if (random(8) === 0) data = Uint8Array.from({ length: random(60) }, () => random(256));
    const results = twins.map((store) =>
      store.apply({ index: i, timeMs: i >> 4, data, isCommand: true })
    );
    const { status } = results[0]!.result;
    assertEquals(results[1]!.result.status, status);
    counts.set(status, (counts.get(status) ?? 0) + 1);
  }
  assertEquals(a.hash(), b.hash());
  for (const status of ["applied", "refused", "session-unknown", "check-failed"]) {
    assert((counts.get(status) ?? 0) > 20, `${status}: ${counts.get(status)}`);
  }
});

Deno.test("decodeCommand() does not trust a count with memory", () => {
  // 65,535 checks claimed, none there: refused after the first, having kept nothing.
  const bytes = Uint8Array.fromHex(body("0000" + "ffff" + "000114" + "00"));
  assertThrows(() => decodeCommand(bytes), MalformedCommand, "cut short");
});

Deno.test("u64Value() wraps modulo 2^64", () => {
  assertEquals(u64Value(1n << 64n), u64Value(0n));
  assertEquals(u64Value(-1n).data, new Uint8Array(8).fill(255));
});
