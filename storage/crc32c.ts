/**
 * The checksum of what is on disk; it stands in kv/crc32c.ts, since backup files have it, too.
 *
 * @module
 */
export { crc32c } from "../kv/crc32c.ts";
