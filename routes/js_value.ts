/**
 * The JavaScript values that the HTTP doors can read and write, as one type.
 *
 * @module
 */

/** A value as V8 serializes it, without identity: no cycles, no holes, no named properties of arrays. */
export type JsValue =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Date
  | Uint8Array
  | JsValue[]
  | Map<JsValue, JsValue>
  | Set<JsValue>
  | { [name: string]: JsValue };

/** The tags of V8's serialization format (v8/src/objects/value-serializer.cc), as far as used here. */
export const Tag = {
  Version: 0xff,
  Padding: 0x00,
  Undefined: 0x5f, // _
  Null: 0x30, // 0
  True: 0x54, // T
  False: 0x46, // F
  Int32: 0x49, // I
  Uint32: 0x55, // U
  Double: 0x4e, // N
  BigInt: 0x5a, // Z
  OneByteString: 0x22, // "
  TwoByteString: 0x63, // c
  Utf8String: 0x53, // S
  Reference: 0x5e, // ^
  BeginObject: 0x6f, // o
  EndObject: 0x7b, // {
  BeginDenseArray: 0x41, // A
  EndDenseArray: 0x24, // $
  BeginSparseArray: 0x61, // a
  EndSparseArray: 0x40, // @
  BeginMap: 0x3b, // ;
  EndMap: 0x3a, // :
  BeginSet: 0x27, // '
  EndSet: 0x2c, // ,
  Date: 0x44, // D
  ArrayBuffer: 0x42, // B
  ArrayBufferView: 0x56, // V
  Uint8Array: 0x42, // B, behind ArrayBufferView
} as const;

/**
 * Sets an own member, also one of the name `__proto__`. Deno has no accessor of that name unless it is
 * run with `--unstable-unsafe-proto`; an assignment would then set the prototype.
 */
export function setMember(object: { [name: string]: JsValue }, name: string, value: JsValue): void {
  if (name === "__proto__") {
    Object.defineProperty(object, name, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  } else {
    object[name] = value;
  }
}
