/**
 * Reads V8's serialization format, as far as its values can be shown in JSON.
 *
 * The bytes may come from any client. V8's own reader never crashes on hostile ones, but lets them ask
 * for large allocations and expand shared objects exponentially; this one makes nothing that is larger
 * than a small multiple of its input, knows no cycles, and gives up (null) on all that it does not know.
 *
 * @module
 */
import { binaryString } from "../kv/binary_string.ts";
import { type JsValue, setMember, Tag } from "./js_value.ts";
import { VALUE_DEPTH_MAX } from "./limits.ts";

/** Since 13, `undefined` and holes have tags of their own; 16 is what Deno 2.9 writes. */
const FORMAT_VERSION_MIN = 13;
const FORMAT_VERSION_MAX = 16;
/** Before 14, a view of a buffer had no flags. */
const FORMAT_VERSION_WITH_FLAGS = 14;

/** Thrown inside, never out of `readV8`. */
class Unknown extends Error {}

/** What was read; undefined is a value, so it comes in an object. */
export interface Read {
  readonly value: JsValue;
}

/**
 * Reads a value, or gives null when the bytes are damaged or hold what `JsValue` has no place for:
 * cycles, shared containers, holes, regular expressions, errors, buffers other than `Uint8Array`, boxed
 * primitives, more than `VALUE_DEPTH_MAX` levels.
 */
export function readV8(bytes: Uint8Array): Read | null {
  try {
    return { value: new Reader(bytes).read() };
  } catch (error) {
    if (error instanceof Unknown) return null;
    throw error;
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #version = 0;
  /** By id, in order of appearance. Undefined for what is not shown when it is shared. */
  readonly #objects: (Date | undefined)[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  read(): JsValue {
    if (this.#byte() !== Tag.Version) throw new Unknown();
    this.#version = this.#varint();
    if (this.#version < FORMAT_VERSION_MIN || this.#version > FORMAT_VERSION_MAX) {
      throw new Unknown();
    }
    const value = this.#value(VALUE_DEPTH_MAX);
    if (this.#at !== this.#bytes.length) throw new Unknown();
    return value;
  }

  #value(depthLeft: number): JsValue {
    const tag = this.#tag();
    switch (tag) {
      case Tag.Undefined:
        return undefined;
      case Tag.Null:
        return null;
      case Tag.True:
        return true;
      case Tag.False:
        return false;
      case Tag.Int32: {
        const zigzag = this.#varint();
        return (zigzag >>> 1) ^ -(zigzag & 1);
      }
      case Tag.Uint32:
        return this.#varint();
      case Tag.Double:
        return this.#double();
      case Tag.BigInt:
        return this.#bigint();
      case Tag.OneByteString:
      case Tag.TwoByteString:
      case Tag.Utf8String:
        return this.#string(tag);
      case Tag.Date: {
        const date = new Date(this.#double());
        this.#objects.push(date);
        return date;
      }
      case Tag.ArrayBuffer:
        return this.#uint8Array();
      case Tag.Reference:
        return this.#reference();
    }
    if (depthLeft === 0) throw new Unknown();
    this.#objects.push(undefined);
    switch (tag) {
      case Tag.BeginObject:
        return this.#object(depthLeft - 1);
      case Tag.BeginDenseArray:
        return this.#array(depthLeft - 1);
      case Tag.BeginSparseArray:
        return this.#sparseArray(depthLeft - 1);
      case Tag.BeginMap:
        return this.#map(depthLeft - 1);
      case Tag.BeginSet:
        return this.#set(depthLeft - 1);
      default:
        throw new Unknown();
    }
  }

  #object(depthLeft: number): JsValue {
    const object: { [name: string]: JsValue } = {};
    let count = 0;
    while (!this.#ends(Tag.EndObject)) {
      const name = this.#value(0);
      if (typeof name !== "string" && typeof name !== "number") throw new Unknown();
      setMember(object, String(name), this.#value(depthLeft));
      count += 1;
    }
    if (this.#varint() !== count) throw new Unknown();
    return object;
  }

  #array(depthLeft: number): JsValue {
    const count = this.#varint();
    const items: JsValue[] = [];
    // Each item takes a byte at least, so a length beyond the input ends with the input.
    for (let i = 0; i < count; i += 1) items.push(this.#value(depthLeft));
    if (!this.#ends(Tag.EndDenseArray)) throw new Unknown();
    if (this.#varint() !== 0 || this.#varint() !== count) throw new Unknown();
    return items;
  }

  /** V8 writes so what may have holes, such as `new Array(3).fill(0)`; here it must have none. */
  #sparseArray(depthLeft: number): JsValue {
    const count = this.#varint();
    const items: JsValue[] = [];
    while (!this.#ends(Tag.EndSparseArray)) {
      if (this.#value(0) !== items.length) throw new Unknown();
      items.push(this.#value(depthLeft));
    }
    if (this.#varint() !== items.length || this.#varint() !== items.length) throw new Unknown();
    if (items.length !== count) throw new Unknown();
    return items;
  }

  #map(depthLeft: number): JsValue {
    const map = new Map<JsValue, JsValue>();
    let count = 0;
    while (!this.#ends(Tag.EndMap)) {
      const key = this.#value(depthLeft);
      map.set(key, this.#value(depthLeft));
      count += 2;
    }
    if (this.#varint() !== count) throw new Unknown();
    return map;
  }

  #set(depthLeft: number): JsValue {
    const set = new Set<JsValue>();
    let count = 0;
    while (!this.#ends(Tag.EndSet)) {
      set.add(this.#value(depthLeft));
      count += 1;
    }
    if (this.#varint() !== count) throw new Unknown();
    return set;
  }

  /** A buffer and, required here, the `Uint8Array` over it. Each has an id. */
  #uint8Array(): JsValue {
    const buffer = this.#take(this.#varint());
    if (this.#byte() !== Tag.ArrayBufferView || this.#byte() !== Tag.Uint8Array) {
      throw new Unknown();
    }
    const offset = this.#varint();
    const length = this.#varint();
    const flags = this.#version >= FORMAT_VERSION_WITH_FLAGS ? this.#varint() : 0;
    if (offset + length > buffer.length || flags !== 0) throw new Unknown();
    const bytes = buffer.subarray(offset, offset + length);
    this.#objects.push(undefined, undefined);
    return bytes;
  }

  /**
   * JSON repeats what is shared, so only what stays small when repeated may be. A shared container can
   * grow exponentially, or contain itself.
   */
  #reference(): JsValue {
    const date = this.#objects[this.#varint()];
    if (date === undefined) throw new Unknown();
    return date;
  }

  #bigint(): bigint {
    const field = this.#varint();
    const digits = this.#take((field >>> 1) & 0x3fffffff);
    if (digits.length === 0) return 0n;
    const magnitude = BigInt(`0x${digits.slice().reverse().toHex()}`);
    return field & 1 ? -magnitude : magnitude;
  }

  #string(tag: number): string {
    const bytes = this.#take(this.#varint());
    if (tag === Tag.Utf8String) {
      try {
        return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
      } catch {
        throw new Unknown();
      }
    }
    if (tag === Tag.OneByteString) return binaryString(bytes);
    if (bytes.length % 2 !== 0) throw new Unknown();
    let text = "";
    for (let i = 0; i < bytes.length; i += 2) {
      text += String.fromCharCode(bytes[i] | (bytes[i + 1] << 8));
    }
    return text;
  }

  /** The next tag, behind padding. */
  #tag(): number {
    let tag = this.#byte();
    while (tag === Tag.Padding) tag = this.#byte();
    return tag;
  }

  /** Takes the end tag if it is next. */
  #ends(end: number): boolean {
    while (this.#bytes[this.#at] === Tag.Padding) this.#at += 1;
    if (this.#at >= this.#bytes.length) throw new Unknown();
    if (this.#bytes[this.#at] !== end) return false;
    this.#at += 1;
    return true;
  }

  #byte(): number {
    if (this.#at >= this.#bytes.length) throw new Unknown();
    this.#at += 1;
    return this.#bytes[this.#at - 1];
  }

  #take(count: number): Uint8Array {
    if (count > this.#bytes.length - this.#at) throw new Unknown();
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  /** From 0 to 2^32 - 1. */
  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const next = this.#byte();
      value |= (next & 0x7f) << shift;
      if (next < 0x80) return value >>> 0;
    }
    throw new Unknown();
  }

  #double(): number {
    const at = this.#at;
    this.#take(8);
    return this.#view.getFloat64(at, true);
  }
}
