/**
 * CRC-32C (Castagnoli), the checksum of iSCSI, ext4 and most storage systems: it finds every burst of
 * up to 32 flipped bits and any error of up to 5 bits in a block of this store's size.
 *
 * Not a defence against anybody who means it: it has no key.
 * Source: RFC 3720 appendix B.4 (polynomial, reflected form, test vectors); the way of taking sixteen
 * bytes a step is "slicing" (Kounavis and Berry, "A Systematic Approach to Building High Performance
 * Software-Based CRC Generators", 2005).
 *
 * @module
 */

/** The Castagnoli polynomial with its bits reversed. */
const POLYNOMIAL = 0x82f63b78;
/** Bytes taken in one step, and so the number of tables. */
const SLICE_BYTES = 16;

const T = makeTables();
const [T0, T1, T2, T3, T4, T5, T6, T7, T8, T9, T10, T11, T12, T13, T14, T15] = T;

/**
 * The CRC-32C of `bytes`, an unsigned 32-bit number. `before` is the CRC of what stands in front of
 * them, so that data in pieces needs no joining: `crc32c(b, crc32c(a))` is the CRC of a and b.
 */
export function crc32c(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  let at = 0;
  for (const end = bytes.length - SLICE_BYTES; at <= end; at += SLICE_BYTES) {
    crc = T15[bytes[at] ^ (crc & 0xff)] ^
      T14[bytes[at + 1] ^ ((crc >>> 8) & 0xff)] ^
      T13[bytes[at + 2] ^ ((crc >>> 16) & 0xff)] ^
      T12[bytes[at + 3] ^ (crc >>> 24)] ^
      T11[bytes[at + 4]] ^
      T10[bytes[at + 5]] ^
      T9[bytes[at + 6]] ^
      T8[bytes[at + 7]] ^
      T7[bytes[at + 8]] ^
      T6[bytes[at + 9]] ^
      T5[bytes[at + 10]] ^
      T4[bytes[at + 11]] ^
      T3[bytes[at + 12]] ^
      T2[bytes[at + 13]] ^
      T1[bytes[at + 14]] ^
      T0[bytes[at + 15]];
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ T0[(crc ^ bytes[at]) & 0xff];
  return ~crc >>> 0;
}

/** Table n says what a byte does to the CRC when n more bytes follow it in the step. */
function makeTables(): Int32Array[] {
  const tables = Array.from({ length: SLICE_BYTES }, () => new Int32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[0][byte] = crc;
  }
  for (let byte = 0; byte < 256; byte++) {
    for (let n = 1; n < SLICE_BYTES; n++) {
      const crc = tables[n - 1][byte];
      tables[n][byte] = (crc >>> 8) ^ tables[0][crc & 0xff];
    }
  }
  return tables;
}
