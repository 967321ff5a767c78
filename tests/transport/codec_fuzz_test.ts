/**
 * The message codec against random and mutated bytes: a quarter of a million inputs, or as many times that
 * as the variable `KVORUM_FUZZ_TIMES` says (docs/reliability/hardening.md).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { PeerMessage } from "../../raft/message.ts";
import type { GroupId } from "../../raft/types.ts";
import { decodeMessage, encodeMessage, MalformedFrame } from "../../transport/codec.ts";
import { fuzzTimes } from "../hardening/fuzz_times.ts";
import { GROUP, seeded } from "./harness.ts";
import { messages } from "./messages.ts";

const TIMES = fuzzTimes();
const FUZZ_RANDOM = 100_000 * TIMES;
const FUZZ_MUTATED = 150_000 * TIMES;

/** Decodes, or says that the bytes were refused; any other error gets through. */
function tryDecode(input: Uint8Array): { group: GroupId; message: PeerMessage } | null {
  try {
    return decodeMessage(input);
  } catch (error) {
    if (error instanceof MalformedFrame) return null;
    throw error;
  }
}

Deno.test("decodeMessage() answers random bytes with a typed error", () => {
  const random = seeded(0x5eed);
  let decoded = 0;
  for (let run = 0; run < FUZZ_RANDOM; run++) {
    const input = new Uint8Array(random() % 80);
    for (let at = 0; at < input.length; at++) input[at] = random();
    // Without a plausible start nearly everything ends at the first byte.
    if (run % 2 === 0 && input.length > 4) input.set([2, 1 + random() % 14, 1, 0x30]);
    const result = tryDecode(input);
    if (result === null) continue;
    decoded++;
    assertEquals(encodeMessage(result.group, result.message).toHex(), input.toHex());
  }
  assert(decoded > 0, "no random input was ever valid: the fuzzer does not reach the fields");
});

Deno.test("decodeMessage() answers mutated messages with a typed error, or reads them as they are", () => {
  const random = seeded(0xfeed);
  const corpus = fc.sample(messages, { numRuns: 400, seed: 4 }).map((m) => encodeMessage(GROUP, m));
  let decoded = 0;
  let refused = 0;
  for (let run = 0; run < FUZZ_MUTATED; run++) {
    const input = mutate(
      corpus[random() % corpus.length],
      corpus[random() % corpus.length],
      random,
    );
    const result = tryDecode(input);
    if (result === null) {
      refused++;
      continue;
    }
    decoded++;
    // One message, one encoding: what is accepted must encode to the very same bytes.
    assertEquals(encodeMessage(result.group, result.message).toHex(), input.toHex());
  }
  assert(decoded > 1000 && refused > 1000, `${decoded} decoded, ${refused} refused`);
});

function mutate(bytes: Uint8Array, other: Uint8Array, random: () => number): Uint8Array {
  switch (random() % 4) {
    case 0: { // flip bits
      const input = bytes.slice();
      for (let flips = random() % 4; flips >= 0; flips--) {
        input[random() % input.length] ^= 1 << random() % 8;
      }
      return input;
    }
    case 1: // cut short
      return bytes.slice(0, random() % (bytes.length + 1));
    case 2: { // splice with another
      const head = bytes.subarray(0, random() % (bytes.length + 1));
      const tail = other.subarray(random() % (other.length + 1));
      const input = new Uint8Array(head.length + tail.length);
      input.set(head);
      input.set(tail, head.length);
      return input;
    }
    default: { // overwrite a run with an extreme
      const input = bytes.slice();
      const at = random() % input.length;
      return input.fill(random() % 2 === 0 ? 0xff : 0x00, at, at + random() % 8);
    }
  }
}
