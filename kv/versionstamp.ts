/**
 * Versionstamps as text (20 lowercase hex digits) and as bytes (10, big-endian).
 *
 * @module
 */
import type { Versionstamp } from "./types.ts";

/** The order of what the store does of itself in an entry, before the command: removing expired keys. */
export const HOUSEKEEPING_ORDER = 0;
/** The order of an entry's command. */
export const COMMAND_ORDER = 1;

/**
 * Later than any that a store can give. Bytes and text can name stamps beyond the range of an index;
 * they all read as this one, so that a check on such a stamp fails instead of being an error.
 */
export const VERSIONSTAMP_MAX: Versionstamp = { index: 2 ** 48 - 1, order: 0xffff };

/** Bytes of a versionstamp. */
export const VERSIONSTAMP_BYTES = 10;

/** The text or bytes are not a versionstamp. */
export class InvalidVersionstamp extends Error {
  override readonly name = "InvalidVersionstamp";
}

const hexDigits = /^[0-9a-f]{20}$/;

/** A versionstamp as 20 lowercase hex digits. */
export function formatVersionstamp(stamp: Versionstamp): string {
  return stamp.index.toString(16).padStart(16, "0") + stamp.order.toString(16).padStart(4, "0");
}

/**
 * Reads 20 lowercase hex digits.
 *
 * @throws {InvalidVersionstamp} if the text is not that.
 */
export function parseVersionstamp(text: string): Versionstamp {
  if (!hexDigits.test(text)) {
    throw new InvalidVersionstamp("Cannot read versionstamp: expected 20 lowercase hex digits");
  }
  if (!text.startsWith("0000")) return VERSIONSTAMP_MAX;
  return { index: parseInt(text.slice(4, 16), 16), order: parseInt(text.slice(16), 16) };
}

/** A versionstamp as 10 bytes. */
export function versionstampToBytes(stamp: Versionstamp): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(VERSIONSTAMP_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(2, Math.floor(stamp.index / 2 ** 32));
  view.setUint32(4, stamp.index >>> 0);
  view.setUint16(8, stamp.order);
  return bytes;
}

/**
 * Reads 10 bytes.
 *
 * @throws {InvalidVersionstamp} if there are not exactly 10.
 */
export function versionstampFromBytes(bytes: Uint8Array): Versionstamp {
  if (bytes.length !== VERSIONSTAMP_BYTES) {
    throw new InvalidVersionstamp(
      `Cannot read versionstamp: expected ${VERSIONSTAMP_BYTES} bytes, got ${bytes.length}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint16(0) !== 0) return VERSIONSTAMP_MAX;
  return {
    index: view.getUint16(2) * 2 ** 32 + view.getUint32(4),
    order: view.getUint16(8),
  };
}

/** Negative, zero or positive, as `a` is earlier than, equal to or later than `b`. */
export function compareVersionstamps(a: Versionstamp, b: Versionstamp): number {
  return a.index - b.index || a.order - b.order;
}
