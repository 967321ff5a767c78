/**
 * Reading commands back (see command.ts for the format). The bytes may be anything: every length is
 * bounded by what remains, nothing is allocated for a count that is only claimed, and whatever is not
 * a command ends in {@linkcode MalformedCommand}.
 *
 * Values are copied out, small ones side by side, unless they make up most of the buffer that they came
 * in: a command may be a view into a network frame of a megabyte, and a stored value must not keep that
 * alive.
 *
 * @module
 */
import { binaryString } from "./binary_string.ts";
import { ByteReader } from "./byte_codec.ts";
import { type ByteSlab, NO_SLABS } from "./byte_slab.ts";
import {
  COMMAND_HEADER_BYTES,
  COMMAND_VERSION,
  commandHashCheck,
  CommandKind,
  commandLowWater,
  commandSequence,
  commandSession,
  ExpiryCode,
  HASH_CHECK_BODY_BYTES,
  MutationCode,
  SumFlag,
} from "./command.ts";
import {
  type AtomicWrite,
  type Check,
  type EncodedKey,
  type Expiry,
  type Mutation,
  type StateHash,
  type Value,
  ValueEncoding,
} from "./types.ts";
import { LE64_BYTES } from "./value_codec.ts";

/** The bytes are not a command that this version understands. */
export class MalformedCommand extends Error {
  override readonly name = "MalformedCommand";
}

/** A command, decoded. */
export type Command =
  | { readonly kind: "clock" }
  | { readonly kind: "open-session"; readonly session: number }
  | {
    readonly kind: "write";
    readonly session: number;
    readonly sequence: number;
    readonly lowWater: number;
    readonly write: AtomicWrite;
  }
  | { readonly kind: "hash-mark" }
  | { readonly kind: "hash-check"; readonly of: StateHash };

/**
 * Decodes a command.
 *
 * @param values where small values go, for who decodes many.
 * @throws {MalformedCommand}
 */
export function decodeCommand(
  bytes: Uint8Array,
  values: ByteSlab = NO_SLABS,
): Command {
  switch (checkHeader(bytes)) {
    case CommandKind.Clock:
      return { kind: "clock" };
    case CommandKind.OpenSession:
      return { kind: "open-session", session: commandSession(bytes) };
    case CommandKind.AtomicWrite:
      return {
        kind: "write",
        session: commandSession(bytes),
        sequence: commandSequence(bytes),
        lowWater: commandLowWater(bytes),
        write: decodeWrite(bytes, values),
      };
    case CommandKind.HashMark:
      return { kind: "hash-mark" };
    case CommandKind.HashCheck:
      return { kind: "hash-check", of: commandHashCheck(bytes)! };
  }
}

/**
 * Looks at the header only.
 *
 * @throws {MalformedCommand} if it is not one, or if a body that has only one length has another.
 */
export function checkHeader(bytes: Uint8Array): CommandKind {
  if (bytes.length < COMMAND_HEADER_BYTES) throw malformed("the header is cut short", bytes.length);
  if (bytes[0] !== COMMAND_VERSION) throw malformed(`unknown version ${bytes[0]}`, 0);
  const kind = bytes[1]!;
  if (kind > CommandKind.HashCheck) throw malformed(`unknown kind ${kind}`, 1);
  if (kind !== CommandKind.AtomicWrite) {
    const bodyBytes = kind === CommandKind.HashCheck ? HASH_CHECK_BODY_BYTES : 0;
    const left = bytes.length - COMMAND_HEADER_BYTES - bodyBytes;
    if (left < 0) throw malformed("it is cut short", bytes.length);
    if (left > 0) throw malformed("bytes are left after its end", bytes.length - left);
  }
  if (kind === CommandKind.OpenSession && commandSession(bytes) === 0) {
    throw malformed("a session must not be 0", 2);
  }
  return kind as CommandKind;
}

/**
 * Decodes the body of an atomic write whose header has been checked.
 *
 * @param values where small values go.
 * @throws {MalformedCommand}
 */
export function decodeWrite(
  bytes: Uint8Array,
  values: ByteSlab = NO_SLABS,
): AtomicWrite {
  return new BodyReader(bytes, values).write();
}

const NEVER: Expiry = { type: "never" };
const NO_CHECKS: readonly Check[] = [];

class BodyReader extends ByteReader {
  readonly #values: ByteSlab;

  constructor(bytes: Uint8Array, values: ByteSlab) {
    super(bytes, COMMAND_HEADER_BYTES);
    this.#values = values;
  }

  write(): AtomicWrite {
    const idempotencyKey = this.#text();
    const checkCount = this.uint16();
    const checks = checkCount === 0 ? NO_CHECKS : this.#checks(checkCount);
    const mutations: Mutation[] = [];
    for (let left = this.uint16(); left > 0; left--) mutations.push(this.#mutation());
    this.expectEnd();
    return { checks, mutations, idempotencyKey };
  }

  #checks(count: number): Check[] {
    const checks: Check[] = [];
    for (let left = count; left > 0; left--) {
      const key = this.#key();
      switch (this.uint8()) {
        case 0:
          checks.push({ key, versionstamp: null });
          break;
        case 1:
          checks.push({ key, versionstamp: { index: this.uint48(), order: this.uint16() } });
          break;
        default:
          throw malformed("a check is neither on absence nor on a versionstamp", this.at - 1);
      }
    }
    return checks;
  }

  #mutation(): Mutation {
    const code = this.uint8();
    const key = this.#key();
    switch (code) {
      case MutationCode.Set:
        return { type: "set", key, value: this.#value(), expiry: this.#expiry() };
      case MutationCode.Delete:
        return { type: "delete", key };
      case MutationCode.Sum:
        return this.#sum(key);
      case MutationCode.Max:
        return { type: "max", key, value: this.#value() };
      case MutationCode.Min:
        return { type: "min", key, value: this.#value() };
      case MutationCode.SetSuffixVersionstamp:
        return {
          type: "set-suffix-versionstamp",
          key,
          value: this.#value(),
          expiry: this.#expiry(),
        };
      default:
        throw malformed(`unknown mutation ${code}`, this.at);
    }
  }

  #sum(key: EncodedKey): Mutation {
    const value = this.#value();
    const flags = this.uint8();
    if (flags > (SumFlag.Clamp | SumFlag.Min | SumFlag.Max)) {
      throw malformed(`unknown flags ${flags}`, this.at - 1);
    }
    const min = (flags & SumFlag.Min) === 0 ? null : this.#data(this.uint32());
    const max = (flags & SumFlag.Max) === 0 ? null : this.#data(this.uint32());
    return { type: "sum", key, value, min, max, clamp: (flags & SumFlag.Clamp) !== 0 };
  }

  #value(): Value {
    const encoding = this.uint8();
    if (encoding < ValueEncoding.V8 || encoding > ValueEncoding.Bytes) {
      throw malformed(`unknown encoding ${encoding}`, this.at - 1);
    }
    const length = this.uint32();
    if (encoding === ValueEncoding.LE64 && length !== LE64_BYTES) {
      throw malformed(`an LE64 value of ${length} bytes`, this.at);
    }
    return { encoding: encoding as ValueEncoding, data: this.#data(length) };
  }

  #expiry(): Expiry {
    const code = this.uint8();
    switch (code) {
      case ExpiryCode.Never:
        return NEVER;
      case ExpiryCode.At:
        return { type: "at", timeMs: this.uint48() };
      case ExpiryCode.In:
        return { type: "in", ms: this.uint48() };
      default:
        throw malformed(`unknown expiry ${code}`, this.at - 1);
    }
  }

  #key(): EncodedKey {
    const length = this.uint16();
    const start = this.skip(length);
    if (length === 0) throw malformed("a key is empty", start);
    return binaryString(this.bytes, start, start + length) as EncodedKey;
  }

  #text(): string | null {
    const length = this.uint16();
    if (length === 0) return null;
    const start = this.at;
    const text = this.utf8(length);
    if (text === undefined) throw malformed("the idempotency key is not UTF-8", start);
    return text;
  }

  #data(length: number): Uint8Array {
    const start = this.skip(length);
    const bytes = this.bytes;
    return length * 2 >= bytes.buffer.byteLength
      ? bytes.subarray(start, start + length)
      : this.#values.copy(bytes, start, start + length);
  }

  protected override malformed(why: string, at: number): MalformedCommand {
    return malformed(why, at);
  }
}

function malformed(why: string, at: number): MalformedCommand {
  return new MalformedCommand(`Cannot decode command: ${why} (byte ${at})`);
}
