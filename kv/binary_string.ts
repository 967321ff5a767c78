/**
 * Bytes as strings with one character (U+0000 to U+00FF) a byte, the form in which the store keeps keys.
 *
 * `TextDecoder` has no such decoding ("latin1" is windows-1252 there), and for keys of a few dozen
 * bytes calling out of JavaScript costs more than the work itself.
 *
 * @module
 */

const char = String.fromCharCode;

/**
 * Characters made in one call. The string is then flat at once, while one that is put together from
 * pieces is flattened when it is first looked up: a third of the time of reading a key and finding it.
 */
const PIECE_CHARS = 64;
/** The arguments of such a call, one array for each number of them. */
const pieces = Array.from(
  { length: PIECE_CHARS + 1 },
  (_, size) => new Array<number>(size).fill(0),
);

/** The bytes from `start` to `end` (exclusive) as a binary string. */
export function binaryString(
  bytes: Uint8Array,
  start: number = 0,
  end: number = bytes.length,
): string {
  let text = "";
  for (let at = start; at < end; at += PIECE_CHARS) {
    const size = Math.min(PIECE_CHARS, end - at);
    const codes = pieces[size]!;
    for (let i = 0; i < size; i++) codes[i] = bytes[at + i]!;
    const piece = char.apply(null, codes);
    text = at === start ? piece : text + piece;
  }
  return text;
}

/** Writes the bytes of a binary string into `bytes` from `at`; returns the position after the last. */
export function writeBinaryString(bytes: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
  return at + text.length;
}

/** The bytes of a binary string. */
export function bytesOfBinaryString(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  writeBinaryString(bytes, 0, text);
  return bytes;
}

/** The bytes of an integer from 0, big-endian, as few as it takes (none for 0), as a binary string. */
export function binaryStringOfBigInt(value: bigint): string {
  if (value === 0n) return "";
  const hex = value.toString(16);
  return binaryString(Uint8Array.fromHex(hex.length % 2 === 0 ? hex : "0" + hex));
}

/** Reads the bytes of a binary string as an integer from 0, big-endian. */
export function bigIntOfBinaryString(text: string): bigint {
  return text === "" ? 0n : BigInt("0x" + bytesOfBinaryString(text).toHex());
}
