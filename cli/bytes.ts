/**
 * Bytes that came in pieces.
 *
 * @module
 */

/** Puts `parts`, of `bytes` bytes together, behind one another into a buffer of their own. */
export function concat(parts: readonly Uint8Array[], bytes: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
