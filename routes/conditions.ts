/**
 * The request headers that put a condition on a write or a read: `If-Match` and `If-None-Match` (RFC
 * 9110 section 13), and `Idempotency-Key`. An entity tag is a key's versionstamp in quotes.
 *
 * @module
 */
import { IDEMPOTENCY_KEY_CHARS_MAX } from "../kv/limits.ts";
import type { Check, EncodedKey } from "../kv/types.ts";
import { parseVersionstamp } from "../kv/versionstamp.ts";
import { HttpProblem } from "./problem.ts";

const STRONG_TAG = /^"([0-9a-f]{20})"$/;
/** A list of entity tags, weak or strong (RFC 9110 section 8.8.3). */
const TAG_LIST = /^(?:W\/)?"[^"]*"(?:[ \t]*,[ \t]*(?:W\/)?"[^"]*")*$/;
const PRINTABLE = /^[\x20-\x7e]+$/;

const NO_CHECKS: readonly Check[] = [];

/**
 * What must hold for a write of `key`, as checks of the atomic write that carries it.
 *
 * @throws {HttpProblem} `bad-header` for a condition that one check cannot say.
 */
export function writeChecks(headers: Headers, key: EncodedKey): readonly Check[] {
  const match = headers.get("if-match");
  const noneMatch = headers.get("if-none-match");
  if (match === null && noneMatch === null) return NO_CHECKS;
  if (match !== null && noneMatch !== null) {
    throw new HttpProblem("bad-header", "If-Match and If-None-Match exclude each other here.");
  }
  if (noneMatch !== null) {
    if (noneMatch === "*") return [{ key, versionstamp: null }];
    throw new HttpProblem("bad-header", "On a write If-None-Match takes * and nothing else.");
  }
  const tag = match === null ? null : STRONG_TAG.exec(match);
  if (tag === null) {
    throw new HttpProblem(
      "bad-header",
      'On a write If-Match takes one strong ETag, a versionstamp in quotes: "00000000000000070001".',
    );
  }
  return [{ key, versionstamp: parseVersionstamp(tag[1]) }];
}

/**
 * Refuses a condition where it means nothing: dropping it could lose an update.
 *
 * @throws {HttpProblem} `bad-header`.
 */
export function refuseHeader(headers: Headers, name: string): void {
  if (headers.has(name)) throw new HttpProblem("bad-header", `${name} is not taken here.`);
}

/**
 * Whether a read may answer 304: the client holds the very version (weak comparison).
 *
 * @throws {HttpProblem} `bad-header`.
 */
export function isUnmodified(headers: Headers, versionstamp: string): boolean {
  const list = headers.get("if-none-match");
  if (list === null) return false;
  if (list === "*") return true;
  if (!TAG_LIST.test(list)) {
    throw new HttpProblem("bad-header", "If-None-Match takes * or a list of ETags.");
  }
  return list.includes(`"${versionstamp}"`);
}

/**
 * The write's `Idempotency-Key`, as it stands there, or null.
 *
 * @throws {HttpProblem} `bad-header`.
 */
export function idempotencyKey(headers: Headers): string | null {
  const key = headers.get("idempotency-key");
  if (key === null) return null;
  if (key.length > IDEMPOTENCY_KEY_CHARS_MAX || !PRINTABLE.test(key)) {
    throw new HttpProblem(
      "bad-header",
      `Idempotency-Key takes 1 to ${IDEMPOTENCY_KEY_CHARS_MAX} printable ASCII characters.`,
    );
  }
  return key;
}
