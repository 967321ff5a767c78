/**
 * The binary form of configurations: round trips, its pinned form, refusals.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type Configuration,
  configurationOf,
  decodeConfiguration,
  encodeConfiguration,
  type LogIndex,
  type MemberAddress,
  type NodeId,
} from "../../raft/mod.ts";
import { A, B, C, D, i } from "./script.ts";
import { configurations } from "./snapshots.ts";

const PINNED = configurationOf([A, D], {
  votersOutgoing: [A, B],
  learners: [C],
  promoting: [{ id: C, replaces: B }],
  addresses: [{ id: A, url: "http://ä", peer: "a:1", since: i(0x010203040506) }],
});

/** Of PINNED, list by list. */
const PINNED_HEX = [
  "02",
  "0002" + "0161" + "0164",
  "0002" + "0161" + "0162",
  "0001" + "0163",
  "0001" + "0163" + "0162",
  "0001" + "0161" + "010203040506" + "0009" + "687474703a2f2fc3a4" + "0003" + "613a31",
].join("");

Deno.test("configuration codec: what is decoded is what was encoded, from any place in memory", () => {
  fc.assert(
    fc.property(configurations, fc.nat(8), (configuration, offset) => {
      const encoded = encodeConfiguration(configuration);
      const moved = new Uint8Array(offset + encoded.length).subarray(offset);
      moved.set(encoded);
      const decoded = decodeConfiguration(moved);
      moved.fill(0);
      assertEquals(decoded, configuration);
    }),
    { numRuns: 500, seed: 1 },
  );
});

Deno.test("configuration codec: the form of version 2 stays what it is", () => {
  assertEquals(encodeConfiguration(PINNED).toHex(), PINNED_HEX);
  assertEquals(decodeConfiguration(Uint8Array.fromHex(PINNED_HEX)), PINNED);
  const nobody = configurationOf([]);
  assertEquals(encodeConfiguration(nobody).toHex(), "02" + "0000".repeat(5));
  assertEquals(decodeConfiguration(encodeConfiguration(nobody)), nobody);
});

Deno.test("decodeConfiguration() refuses whatever is cut short, too long or of another version", () => {
  const encoded = encodeConfiguration(PINNED);
  for (let size = 0; size < encoded.length; size++) {
    assertThrows(() => decodeConfiguration(encoded.subarray(0, size)), RangeError);
  }
  assertThrows(
    () => decodeConfiguration(new Uint8Array([...encoded, 0])),
    RangeError,
    "1 bytes left",
  );
  for (const version of [1, 3]) {
    const other = encoded.slice();
    other[0] = version;
    assertThrows(() => decodeConfiguration(other), RangeError, `version ${version}`);
  }
});

Deno.test("decodeConfiguration() throws nothing but RangeError, and takes only what it would write", () => {
  let taken = 0;
  fc.assert(
    fc.property(configurations, fc.nat(), fc.nat(255), (configuration, at, byte) => {
      const mutated = encodeConfiguration(configuration);
      mutated[at % mutated.length] = byte;
      let decoded: Configuration;
      try {
        decoded = decodeConfiguration(mutated);
      } catch (error) {
        assert(error instanceof RangeError, String(error));
        return;
      }
      taken++;
      assertEquals(encodeConfiguration(decoded), mutated);
    }),
    { numRuns: 2_000, seed: 2 },
  );
  assert(taken > 100, `only ${taken} of the mutated were taken`);
});

function addressOf(id: NodeId, others: Partial<MemberAddress> = {}): MemberAddress {
  return { id, url: "", peer: "", since: i(0), ...others };
}

const UNSOUND: [string, Configuration][] = [
  ["a voter twice", configurationOf([A, A])],
  ["an outgoing voter twice", configurationOf([A], { votersOutgoing: [B, B] })],
  ["a learner twice", configurationOf([A], { learners: [B, B] })],
  ["a learner that votes", configurationOf([A], { learners: [A] })],
  ["a learner that voted", configurationOf([A], { votersOutgoing: [B], learners: [B] })],
  ["a promotion of no learner", configurationOf([A], { promoting: [{ id: B, replaces: null }] })],
  [
    "a promotion twice",
    configurationOf([A], {
      learners: [B],
      promoting: [{ id: B, replaces: null }, { id: B, replaces: A }],
    }),
  ],
  [
    "a promotion in place of no voter",
    configurationOf([A], { learners: [B], promoting: [{ id: B, replaces: C }] }),
  ],
  [
    "a promotion in place of no voter behind one in nobody's place",
    configurationOf([A], {
      learners: [B, C],
      promoting: [{ id: B, replaces: null }, { id: C, replaces: C }],
    }),
  ],
  ["a stranger's address", configurationOf([A], { addresses: [addressOf(B)] })],
  [
    "an address twice",
    configurationOf([A], {
      addresses: [addressOf(A, { url: "x" }), addressOf(A, { url: "y" })],
    }),
  ],
  ["outgoing voters alone", configurationOf([], { votersOutgoing: [A] })],
  ["a bad id", configurationOf(["a b" as typeof A])],
  ["an empty id", configurationOf(["" as typeof A])],
  ["a lone surrogate", configurationOf([A], { addresses: [addressOf(A, { url: "\ud800" })] })],
  [
    "an endless address",
    configurationOf([A], { addresses: [addressOf(A, { url: "x".repeat(2 ** 16) })] }),
  ],
  ...[-1, 1.5, 2 ** 48, NaN].map((since): [string, Configuration] => [
    `a member since entry ${since}`,
    configurationOf([A], { addresses: [addressOf(A, { since: since as LogIndex })] }),
  ]),
];

for (const [what, configuration] of UNSOUND) {
  Deno.test(`encodeConfiguration() refuses ${what}`, () => {
    assertThrows(() => encodeConfiguration(configuration), RangeError);
  });
}

Deno.test("decodeConfiguration() refuses what contradicts itself, bad ids and bad UTF-8", () => {
  for (
    const hex of [
      "02" + "0002" + "01610161" + "0000".repeat(4),
      "02" + "0001" + "0161" + "0000" + "0001" + "0161" + "0000".repeat(2),
      "02" + "0001" + "00" + "0000".repeat(4),
      "02" + "0001" + "0120" + "0000".repeat(4),
      "02" + "0001" + "0161" + "0000".repeat(3) + "0001" + "0161" + "000000000000" + "0001" + "ff" +
      "0000",
    ]
  ) {
    assertThrows(() => decodeConfiguration(Uint8Array.fromHex(hex)), RangeError, "Cannot decode");
  }
});
