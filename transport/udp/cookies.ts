/**
 * Cookies: what a node sends to whom it does not know, so that a session costs it memory only once the
 * other side has shown that it receives at the address that it sends from (the idea of RFC 9000 section
 * 8.1.2 and of TCP's SYN cookies). Nothing is kept of a cookie but the key that all are made with.
 *
 * @module
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { getUint48, setUint48 } from "../../raft/entry_codec.ts";
import { COOKIE_BYTES, type SessionId } from "./packet.ts";

const TIME_BYTES = 6;

export class Cookies {
  readonly #key: Uint8Array;
  readonly #lifeMs: number;

  /** @param key 32 random bytes of this process. */
  constructor(key: Uint8Array, lifeMs: number) {
    this.#key = key;
    this.#lifeMs = lifeMs;
  }

  make(remote: string, from: SessionId, nowMs: number): Uint8Array {
    return this.#at(remote, from, Math.floor(nowMs));
  }

  /** Whether this process made it, for this address and session, and not long ago. */
  isValid(cookie: Uint8Array, remote: string, from: SessionId, nowMs: number): boolean {
    if (cookie.length !== COOKIE_BYTES) return false;
    const madeMs = getUint48(new DataView(cookie.buffer, cookie.byteOffset, COOKIE_BYTES), 0);
    if (madeMs > nowMs || madeMs + this.#lifeMs < nowMs) return false;
    return timingSafeEqual(cookie, this.#at(remote, from, madeMs));
  }

  #at(remote: string, from: SessionId, madeMs: number): Uint8Array {
    const cookie = new Uint8Array(COOKIE_BYTES);
    setUint48(new DataView(cookie.buffer), 0, madeMs);
    const code = createHmac("sha256", this.#key).update(`${madeMs} ${from} ${remote}`).digest();
    cookie.set(code.subarray(0, COOKIE_BYTES - TIME_BYTES), TIME_BYTES);
    return cookie;
  }
}
