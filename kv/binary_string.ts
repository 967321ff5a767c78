/**
 * Bytes as strings with one character (U+0000 to U+00FF) a byte, the form in which the store keeps keys.
 *
 * `TextDecoder` has no such decoding ("latin1" is windows-1252 there), and for keys of a few dozen
 * bytes calling out of JavaScript costs more than the work itself.
 *
 * @module
 */

const char = String.fromCharCode;

/** The bytes from `start` to `end` (exclusive) as a binary string. */
export function binaryString(
  bytes: Uint8Array,
  start: number = 0,
  end: number = bytes.length,
): string {
  let text = "";
  let at = start;
  // Eight at a time: four times as fast as one by one, and no limit on the number of arguments.
  for (; at + 8 <= end; at += 8) {
    text += char(
      bytes[at]!,
      bytes[at + 1]!,
      bytes[at + 2]!,
      bytes[at + 3]!,
      bytes[at + 4]!,
      bytes[at + 5]!,
      bytes[at + 6]!,
      bytes[at + 7]!,
    );
  }
  for (; at < end; at++) text += char(bytes[at]!);
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
