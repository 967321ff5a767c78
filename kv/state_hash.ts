/**
 * The hash of the store's whole state, kept up to date at the cost of what changes.
 *
 * The state is a set of elements: records, sessions, remembered results. Each is hashed to four lanes
 * of 32 bits, and the state's hash is their lane-wise sum modulo 2^32: adding, removing and replacing
 * an element takes no look at the others, and no order matters.
 *
 * It finds bugs and flipped bits. It is not a cryptographic hash: who may write keys could make two
 * states with one hash, but not make replicas differ. Source of the element hash: MurmurHash3_x86_128
 * (Austin Appleby, public domain), over messages padded to whole blocks.
 *
 * @module
 */
import type { ApplyResult } from "./types.ts";

/** What an element is; the values of records are told apart by their encoding, 1 to 3. */
export const ElementTag = {
  RecordBase: 0,
  ReplicatedTime: 8,
  Session: 16,
  SessionResult: 17,
  Remembered: 18,
  Command: 19,
} as const;

/** The words of a message before its text and bytes. */
const HEADER_WORDS = 8;
const BLOCK_WORDS = 4;
const NO_BYTES = new Uint8Array(0);

const C1 = 0x239b961b;
const C2 = 0xab0e9789 | 0;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93 | 0;

/** Four lanes of 32 bits. */
export type Lanes = Int32Array;

/** The message of the element at hand, whoever hashes it; grows to the largest. */
let words = new Int32Array(256);
/** Its hash: done with before the next element is begun. */
const element: Lanes = new Int32Array(4);

/** Hashes elements, and sums them up. */
export class MultisetHash {
  readonly #sum: Lanes = new Int32Array(4);

  /**
   * Adds an element: a tag, an order of 16 bits, three numbers of 48 bits, a text with one byte a
   * character, and bytes.
   */
  add(
    tag: number,
    order: number,
    a: number,
    b: number,
    c: number,
    text: string = "",
    bytes: Uint8Array = NO_BYTES,
  ): void {
    hashElement(tag, order, a, b, c, text, bytes);
    for (let i = 0; i < 4; i++) this.#sum[i] = this.#sum[i]! + element[i]! | 0;
  }

  /** Takes an element out again; the arguments are those that it was added with. */
  remove(
    tag: number,
    order: number,
    a: number,
    b: number,
    c: number,
    text: string = "",
    bytes: Uint8Array = NO_BYTES,
  ): void {
    hashElement(tag, order, a, b, c, text, bytes);
    for (let i = 0; i < 4; i++) this.#sum[i] = this.#sum[i]! - element[i]! | 0;
  }

  /** The hash of some bytes by themselves, as a binary string of 16. */
  fingerprint(tag: number, bytes: Uint8Array): string {
    hashElement(tag, 0, 0, 0, 0, "", bytes);
    let text = "";
    for (const lane of element) {
      text += String.fromCharCode(
        lane >>> 24,
        lane >>> 16 & 0xff,
        lane >>> 8 & 0xff,
        lane & 0xff,
      );
    }
    return text;
  }

  /** A copy with its own sum. */
  clone(): MultisetHash {
    const copy = new MultisetHash();
    copy.#sum.set(this.#sum);
    return copy;
  }

  /** The sum as 32 hex digits. */
  toHex(): string {
    return hexOf(this.#sum);
  }
}

/** Leaves the hash of an element in `element`. */
function hashElement(
  tag: number,
  order: number,
  a: number,
  b: number,
  c: number,
  text: string,
  bytes: Uint8Array,
): void {
  const textWords = wholeBlocks(text.length);
  const count = HEADER_WORDS + textWords + wholeBlocks(bytes.length);
  if (count > words.length) words = new Int32Array(2 * count);
  // The lengths stand in front, so that no two elements give the same padded message.
  words[0] = tag | order << 8;
  words[1] = text.length;
  words[2] = bytes.length;
  words[3] = c / 2 ** 32;
  words[4] = a;
  words[5] = a / 2 ** 32 | (b / 2 ** 32) << 16;
  words[6] = b;
  words[7] = c;
  putText(words, HEADER_WORDS, text);
  putBytes(words, HEADER_WORDS + textWords, bytes);
  murmur128(words, count, element);
}

/** The words that `size` bytes take when padded to whole blocks. */
function wholeBlocks(size: number): number {
  return (size + 15 >>> 4) * BLOCK_WORDS;
}

function putText(words: Int32Array, start: number, text: string): void {
  const size = text.length;
  let at = start;
  let i = 0;
  for (; i + 4 <= size; i += 4) {
    words[at++] = text.charCodeAt(i) | text.charCodeAt(i + 1) << 8 |
      text.charCodeAt(i + 2) << 16 | text.charCodeAt(i + 3) << 24;
  }
  if (i < size) {
    let word = 0;
    for (let shift = 0; i < size; i++, shift += 8) word |= text.charCodeAt(i) << shift;
    words[at++] = word;
  }
  for (const end = start + wholeBlocks(size); at < end; at++) words[at] = 0;
}

function putBytes(words: Int32Array, start: number, bytes: Uint8Array): void {
  const size = bytes.length;
  let at = start;
  let i = 0;
  for (; i + 4 <= size; i += 4) {
    words[at++] = bytes[i]! | bytes[i + 1]! << 8 | bytes[i + 2]! << 16 | bytes[i + 3]! << 24;
  }
  if (i < size) {
    let word = 0;
    for (let shift = 0; i < size; i++, shift += 8) word |= bytes[i]! << shift;
    words[at++] = word;
  }
  for (const end = start + wholeBlocks(size); at < end; at++) words[at] = 0;
}

/** MurmurHash3_x86_128, seed 0, of the first `count` words (whole blocks), little-endian. */
function murmur128(words: Int32Array, count: number, out: Lanes): void {
  let h1 = 0;
  let h2 = 0;
  let h3 = 0;
  let h4 = 0;
  for (let at = 0; at < count; at += BLOCK_WORDS) {
    let k = Math.imul(words[at]!, C1);
    h1 ^= Math.imul(k << 15 | k >>> 17, C2);
    h1 = Math.imul((h1 << 19 | h1 >>> 13) + h2 | 0, 5) + 0x561ccd1b | 0;
    k = Math.imul(words[at + 1]!, C2);
    h2 ^= Math.imul(k << 16 | k >>> 16, C3);
    h2 = Math.imul((h2 << 17 | h2 >>> 15) + h3 | 0, 5) + 0x0bcaa747 | 0;
    k = Math.imul(words[at + 2]!, C3);
    h3 ^= Math.imul(k << 17 | k >>> 15, C4);
    h3 = Math.imul((h3 << 15 | h3 >>> 17) + h4 | 0, 5) + 0x96cd1c35 | 0;
    k = Math.imul(words[at + 3]!, C4);
    h4 ^= Math.imul(k << 18 | k >>> 14, C1);
    h4 = Math.imul((h4 << 13 | h4 >>> 19) + h1 | 0, 5) + 0x32ac3b17 | 0;
  }
  const size = count * 4;
  h1 ^= size;
  h2 ^= size;
  h3 ^= size;
  h4 ^= size;
  h1 = h1 + h2 + h3 + h4 | 0;
  h2 = avalanche(h2 + h1 | 0);
  h3 = avalanche(h3 + h1 | 0);
  h4 = avalanche(h4 + h1 | 0);
  h1 = avalanche(h1);
  h1 = h1 + h2 + h3 + h4 | 0;
  out[0] = h1;
  out[1] = h2 + h1;
  out[2] = h3 + h1;
  out[3] = h4 + h1;
}

function avalanche(lane: number): number {
  lane = Math.imul(lane ^ lane >>> 16, 0x85ebca6b);
  lane = Math.imul(lane ^ lane >>> 13, 0xc2b2ae35);
  return lane ^ lane >>> 16;
}

/** Adds what a command came to, as remembered under two numbers and a text, to the hash. */
export function addResult(
  hash: MultisetHash,
  tag: number,
  a: number,
  b: number,
  result: ApplyResult,
  text: string = "",
): void {
  if (result.status === "applied") {
    const { index, order } = result.versionstamp;
    hash.add(tag, order, a, b, index, text);
  } else {
    hash.add(tag + RESULT_OTHER, 0, a, b, 0, text + otherResult(result));
  }
}

/** Takes out what {@linkcode addResult} added. */
export function removeResult(
  hash: MultisetHash,
  tag: number,
  a: number,
  b: number,
  result: ApplyResult,
  text: string = "",
): void {
  if (result.status === "applied") {
    const { index, order } = result.versionstamp;
    hash.remove(tag, order, a, b, index, text);
  } else {
    hash.remove(tag + RESULT_OTHER, 0, a, b, 0, text + otherResult(result));
  }
}

/** Added to the tag of a result that is not "applied". */
const RESULT_OTHER = 0x80;

/** A result that is not "applied" as text. The message of a refusal is for people and may change. */
function otherResult(result: ApplyResult): string {
  switch (result.status) {
    case "check-failed":
      return `\0${result.status}:${result.failedChecks}`;
    case "refused":
      return `\0${result.status}:${result.code}`;
    default:
      return `\0${result.status}`;
  }
}

/** By byte: its two digits. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function hexOf(lanes: Lanes): string {
  let hex = "";
  for (const lane of lanes) {
    hex += HEX[lane >>> 24]! + HEX[lane >>> 16 & 0xff]! + HEX[lane >>> 8 & 0xff]! +
      HEX[lane & 0xff]!;
  }
  return hex;
}
