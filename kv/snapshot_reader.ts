/**
 * From the chunks of a snapshot back to a store that goes on exactly as the captured one would
 * (snapshot_format.ts has the form).
 *
 * The bytes may be anything. Nothing is allocated for a length or a count that is only claimed, at most
 * one element is held beside the chunk at hand, everything has to stand in its order, and in the end the
 * state has to have the hash that it is said to have.
 *
 * @module
 */
import { binaryString } from "./binary_string.ts";
import { ByteReader, uint32At } from "./byte_codec.ts";
import { KEY_BYTES_MAX, SESSION_RESULTS_MAX, SESSIONS_MAX, VALUE_BYTES_MAX } from "./limits.ts";
import {
  ELEMENT_BYTES_MAX,
  ELEMENT_HEADER_BYTES,
  ElementKind,
  HASH_BYTES,
  REFUSAL_CODES,
  ResultCode,
  SNAPSHOT_MAGIC,
  SNAPSHOT_PREFIX_BYTES,
  SNAPSHOT_VERSION,
} from "./snapshot_format.ts";
import { emptyParts, Store, type StoreOptions, type StoreParts } from "./store.ts";
import { type ApplyResult, type EncodedKey, ValueEncoding, type Versionstamp } from "./types.ts";
import { LE64_BYTES } from "./value_codec.ts";
import { ByteSlab, VALUE_SLABS } from "./byte_slab.ts";

/** The bytes are not a snapshot that this version understands, or not a whole one. */
export class MalformedSnapshot extends Error {
  override readonly name = "MalformedSnapshot";
}

/**
 * Restores a store: `push` every chunk in order, then `finish`. After an exception it is of no use any
 * more.
 */
export class SnapshotReader {
  readonly #options: StoreOptions;
  readonly #parts: StoreParts;
  readonly #elements: ElementReader;
  /** The beginning of an element whose rest is in chunks to come. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** Bytes to have before it is worth looking again. */
  #neededBytes = SNAPSHOT_PREFIX_BYTES;
  #prefixRead = false;
  #failed = false;

  /** @param options as for the store itself; an engine must be empty. */
  constructor(options: StoreOptions = {}) {
    this.#options = options;
    this.#parts = emptyParts(options);
    this.#elements = new ElementReader(this.#parts);
  }

  /**
   * Takes the next chunk, of any size. Keeps none of its bytes.
   *
   * @throws {MalformedSnapshot}
   */
  push(chunk: Uint8Array): void {
    if (this.#failed) throw malformed("an earlier chunk was malformed", 0);
    if (this.#heldBytes + chunk.length < this.#neededBytes) {
      this.#hold(chunk);
      return;
    }
    const bytes = this.#heldBytes === 0 ? chunk : this.#joined(chunk);
    this.#held = [];
    this.#heldBytes = 0;
    this.#failed = true;
    const rest = this.#take(bytes);
    this.#failed = false;
    if (rest.length > 0) this.#hold(rest);
  }

  /**
   * The restored store, once all chunks have been pushed.
   *
   * @throws {MalformedSnapshot} if it is not whole, or its state has not the hash that it should have.
   */
  finish(): Store {
    const { declaredHash } = this.#elements;
    if (this.#failed || declaredHash === null) throw malformed("it has no end", 0);
    this.#failed = true;
    const store = new Store(this.#options, this.#parts);
    const { hash } = store.hash();
    if (hash !== declaredHash) {
      throw malformed(`its state has the hash ${hash}, not ${declaredHash}`, 0);
    }
    return store;
  }

  #hold(bytes: Uint8Array): void {
    this.#held.push(bytes.slice());
    this.#heldBytes += bytes.length;
  }

  #joined(chunk: Uint8Array): Uint8Array {
    const joined = new Uint8Array(this.#heldBytes + chunk.length);
    let at = 0;
    for (const piece of this.#held) {
      joined.set(piece, at);
      at += piece.length;
    }
    joined.set(chunk, at);
    return joined;
  }

  /** Reads all whole elements, and gives what is left. */
  #take(bytes: Uint8Array): Uint8Array {
    let at = 0;
    if (!this.#prefixRead) {
      checkPrefix(bytes);
      this.#prefixRead = true;
      at = SNAPSHOT_PREFIX_BYTES;
    }
    this.#neededBytes = ELEMENT_HEADER_BYTES;
    const elements = this.#elements;
    while (elements.declaredHash === null && bytes.length - at >= ELEMENT_HEADER_BYTES) {
      const size = uint32At(bytes, at + 1);
      if (size > ELEMENT_BYTES_MAX) throw malformed(`an element of ${size} bytes`, at);
      const start = at + ELEMENT_HEADER_BYTES;
      if (bytes.length - start < size) {
        this.#neededBytes = ELEMENT_HEADER_BYTES + size;
        break;
      }
      elements.read(bytes[at]!, bytes, start, start + size);
      at = start + size;
    }
    if (elements.declaredHash !== null) {
      if (at < bytes.length) throw malformed("bytes are left after its end", at);
      this.#neededBytes = 1;
    }
    return bytes.subarray(at);
  }
}

function checkPrefix(bytes: Uint8Array): void {
  if (SNAPSHOT_MAGIC.some((byte, i) => bytes[i] !== byte)) throw malformed("no magic", 0);
  const version = bytes[4]! << 8 | bytes[5]!;
  if (version !== SNAPSHOT_VERSION) throw malformed(`unknown version ${version}`, 4);
}

function malformed(why: string, at: number): MalformedSnapshot {
  return new MalformedSnapshot(`Cannot read snapshot: ${why} (byte ${at} of a piece)`);
}

/** Reads one element after the other into the parts of a store. */
class ElementReader extends ByteReader {
  readonly #parts: StoreParts;
  readonly #values = new ByteSlab(VALUE_SLABS);
  /** The kind of the last element; 0 before the first. */
  #kind = 0;
  readonly #counts = { sessions: 0, results: 0, remembered: 0, records: 0 };
  #session = { id: 0, lowWater: 0, activeMs: 0, results: 0, lastSequence: -1 };
  #lastAppliedMs = 0;
  #lastKey = "";
  /** What the end says that the state hash is; null until the end was read. */
  declaredHash: string | null = null;

  constructor(parts: StoreParts) {
    super(new Uint8Array(0));
    this.#parts = parts;
  }

  /** Reads the element of this kind that stands in `bytes` from `at` to `end`. */
  read(kind: number, bytes: Uint8Array, at: number, end: number): void {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.#expectOrder(kind);
    this.#kind = kind;
    switch (kind) {
      case ElementKind.Begin:
        this.#parts.index = this.uint48();
        this.#parts.timeMs = this.uint48();
        break;
      case ElementKind.Session:
        this.#readSession();
        break;
      case ElementKind.SessionResult:
        this.#readSessionResult();
        break;
      case ElementKind.Remembered:
        this.#readRemembered();
        break;
      case ElementKind.Record:
        this.#readRecord();
        break;
      case ElementKind.End:
        this.#readEnd();
    }
    this.expectEnd();
  }

  #expectOrder(kind: number): void {
    const last = this.#kind;
    const fits = last === 0
      ? kind === ElementKind.Begin
      : kind > ElementKind.Begin && kind <= ElementKind.End &&
        sectionOf(kind) >= sectionOf(last) &&
        !(kind === ElementKind.SessionResult && last === ElementKind.Begin);
    if (!fits) throw malformed(`an element of kind ${kind} after one of ${last}`, this.at);
  }

  #readSession(): void {
    const id = this.uint48();
    const lowWater = this.uint48();
    const activeMs = this.#time();
    const last = this.#session;
    if (activeMs < last.activeMs || activeMs === last.activeMs && id <= last.id) {
      throw malformed("sessions are out of order", this.at);
    }
    if (id === 0 || !this.#parts.sessions.restore(id, lowWater, activeMs)) {
      throw malformed(`session ${id} is there twice, or 0`, this.at);
    }
    if (++this.#counts.sessions > SESSIONS_MAX) throw malformed("too many sessions", this.at);
    this.#session = { id, lowWater, activeMs, results: 0, lastSequence: lowWater - 1 };
  }

  #readSessionResult(): void {
    const session = this.#session;
    const sequence = this.uint48();
    if (sequence <= session.lastSequence) throw malformed("results are out of order", this.at);
    if (++session.results > SESSION_RESULTS_MAX) throw malformed("too many results", this.at);
    session.lastSequence = sequence;
    this.#parts.sessions.restoreResult(session.id, sequence, this.#result());
    this.#counts.results++;
  }

  #readRemembered(): void {
    const { idempotency } = this.#parts;
    const keyBytes = this.uint16();
    const appliedMs = this.#time();
    const fingerprint = this.#text(HASH_BYTES);
    const key = this.#text(keyBytes);
    const result = this.#result();
    if (appliedMs < this.#lastAppliedMs) throw malformed("remembered out of order", this.at);
    this.#lastAppliedMs = appliedMs;
    const isNew = key !== "" && !idempotency.full &&
      idempotency.restore({ key, fingerprint, result, appliedMs });
    if (!isNew) throw malformed("an idempotency key is empty, there twice or too many", this.at);
    this.#counts.remembered++;
  }

  #readRecord(): void {
    const encoding = this.uint8();
    const order = this.uint16();
    const index = this.#index();
    const expiresMs = this.uint48();
    const keyBytes = this.uint16();
    if (keyBytes > KEY_BYTES_MAX) throw malformed(`a key of ${keyBytes} bytes`, this.at);
    const key = this.#text(keyBytes) as EncodedKey;
    // The empty key is not behind the empty one either.
    if (key <= this.#lastKey) throw malformed("records are out of order", this.at);
    this.#lastKey = key;
    const dataBytes = this.end - this.at;
    if (
      encoding < ValueEncoding.V8 || encoding > ValueEncoding.Bytes ||
      dataBytes > VALUE_BYTES_MAX ||
      encoding === ValueEncoding.LE64 && dataBytes !== LE64_BYTES
    ) throw malformed(`a value of encoding ${encoding} with ${dataBytes} bytes`, this.at);
    const start = this.skip(dataBytes);
    const data = this.#values.copy(this.bytes, start, this.end);
    this.#parts.records.append({
      key,
      value: { encoding: encoding as ValueEncoding, data },
      versionstamp: { index, order },
      expiresMs,
    });
    this.#counts.records++;
  }

  #readEnd(): void {
    // The one thing that the state hash does not cover.
    const index = this.uint48();
    if (index !== this.#parts.index) throw malformed(`index ${index} at its end`, this.at);
    for (const [what, count] of Object.entries(this.#counts)) {
      const declared = this.uint48();
      if (declared !== count) throw malformed(`${count} ${what}, not ${declared}`, this.at);
    }
    this.declaredHash = this.view(HASH_BYTES).toHex();
  }

  #result(): ApplyResult {
    const code = this.uint8();
    switch (code) {
      case ResultCode.Applied:
        return { status: "applied", versionstamp: this.#versionstamp() };
      case ResultCode.CheckFailed:
        return { status: "check-failed", failedChecks: this.#failedChecks() };
      case ResultCode.Refused: {
        const refusal = REFUSAL_CODES[this.uint8()];
        const message = this.utf8(this.end - this.at);
        if (refusal === undefined || message === undefined) {
          throw malformed("an unknown refusal", this.at);
        }
        return { status: "refused", code: refusal, message };
      }
      case ResultCode.SessionUnknown:
        return { status: "session-unknown" };
      case ResultCode.Stale:
        return { status: "stale" };
      default:
        throw malformed(`an unknown result ${code}`, this.at);
    }
  }

  #failedChecks(): number[] {
    const checks: number[] = [];
    while (this.at < this.end) {
      const check = this.uint16();
      if (check <= (checks.at(-1) ?? -1)) throw malformed("checks are out of order", this.at);
      checks.push(check);
    }
    if (checks.length === 0) throw malformed("no check failed", this.at);
    return checks;
  }

  #versionstamp(): Versionstamp {
    return { index: this.#index(), order: this.uint16() };
  }

  /** A position that the state can know of. */
  #index(): number {
    const index = this.uint48();
    if (index === 0 || index > this.#parts.index) throw malformed(`index ${index}`, this.at);
    return index;
  }

  /** A time that has been. */
  #time(): number {
    const timeMs = this.uint48();
    if (timeMs > this.#parts.timeMs) throw malformed(`time ${timeMs} is to come`, this.at);
    return timeMs;
  }

  #text(length: number): string {
    const start = this.skip(length);
    return binaryString(this.bytes, start, start + length);
  }

  protected override malformed(why: string, at: number): MalformedSnapshot {
    return malformed(why, at);
  }
}

/** Sessions and their results alternate. */
function sectionOf(kind: number): number {
  return kind === ElementKind.SessionResult ? ElementKind.Session : kind;
}
