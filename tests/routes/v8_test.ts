/** The codec of V8's format, against V8 itself, against Deno KV's files, and against damaged bytes. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { DatabaseSync } from "node:sqlite";
import v8 from "node:v8";
import { VALUE_BYTES_MAX } from "../../kv/limits.ts";
import type { JsValue } from "../../routes/js_value.ts";
import { VALUE_DEPTH_MAX } from "../../routes/limits.ts";
import { HttpProblem } from "../../routes/problem.ts";
import { readV8 } from "../../routes/v8_read.ts";
import { writeV8 } from "../../routes/v8_write.ts";

/** V8's own format, without node's extension for typed arrays. */
function engineWrites(value: unknown): Uint8Array {
  const serializer = new v8.Serializer();
  serializer.writeHeader();
  serializer.writeValue(value);
  return new Uint8Array(serializer.releaseBuffer());
}

function nested(levels: number): JsValue {
  let value: JsValue = 1;
  for (let i = 0; i < levels; i += 1) value = [value];
  return value;
}

const VALUES: readonly JsValue[] = [
  null,
  undefined,
  true,
  false,
  0,
  -0,
  1,
  -1,
  63,
  64,
  -64,
  -65,
  2 ** 30,
  -(2 ** 30) - 1,
  2 ** 31 - 1,
  -(2 ** 31),
  2 ** 31,
  2 ** 53,
  1.5,
  NaN,
  Infinity,
  -Infinity,
  5e-324,
  0n,
  1n,
  -1n,
  2n ** 63n,
  2n ** 64n,
  -(2n ** 200n),
  "",
  "a",
  "é",
  "漢字",
  "a漢",
  "\ud800",
  "\0",
  "x".repeat(300),
  "漢".repeat(300),
  [],
  [1, "two", null, [true]],
  {},
  { a: 1, "é": 2, "漢": 3, "": 4 },
  { 0: "index", 10: "index", "01": "name", 4294967294: "large", 2147483647: "edge" },
  JSON.parse('{"__proto__":{"polluted":true},"constructor":1}'),
  new Date(0),
  new Date(NaN),
  new Uint8Array([1, 2, 3]),
  new Uint8Array(0),
  new Map<JsValue, JsValue>([["a", 1], [{ k: 1 }, new Set([1n])]]),
  new Set<JsValue>([1, "1", new Map()]),
  { two: "漢", bytes: new Uint8Array([255]), after: "漢" },
];

const values: fc.Arbitrary<JsValue> = fc.letrec<{ value: JsValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthIdentifier: "value" },
    fc.constantFrom(null, undefined, true, false),
    fc.double(),
    fc.integer(),
    fc.bigInt(),
    fc.string({ unit: "binary" }),
    fc.date({ noInvalidDate: false }),
    fc.uint8Array({ maxLength: 20 }),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie("value"), { maxKeys: 4, noNullPrototype: true }),
    fc.array(tie("value"), { maxLength: 4 }).map((items) => new Set(items)),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 4 }).map((pairs) => new Map(pairs)),
  ),
})).value;

Deno.test("writeV8() writes what V8 reads as the same value", () => {
  for (const value of VALUES) assertEquals(v8.deserialize(writeV8(value)), value);
});

Deno.test("writeV8() writes the bytes that V8 itself writes under format version 15", () => {
  for (const value of VALUES) {
    const theirs = engineWrites(value);
    if (theirs[1] !== 15) continue;
    assertEquals(writeV8(value), theirs, Deno.inspect(value));
  }
});

Deno.test("writeV8() and readV8() agree with V8 on any value (property)", () => {
  fc.assert(
    fc.property(values, (value) => {
      const bytes = writeV8(value);
      assertEquals(v8.deserialize(bytes), value);
      assertEquals(readV8(bytes), { value });
      assertEquals(readV8(engineWrites(value)), { value });
    }),
    { numRuns: 500 },
  );
});

Deno.test("writeV8() writes what Deno.openKv() reads back", async () => {
  const path = await Deno.makeTempFile({ suffix: ".sqlite" });
  try {
    const before = await Deno.openKv(path);
    for (let i = 0; i < VALUES.length; i += 1) await before.set(["value", i], "to be replaced");
    before.close();
    const database = new DatabaseSync(path);
    const rows = database.prepare("select k from kv order by k").all();
    assertEquals(rows.length, VALUES.length);
    const update = database.prepare("update kv set v = ? where k = ?");
    rows.forEach(({ k }, i) => update.run(writeV8(VALUES[i]), k));
    database.close();
    const kv = await Deno.openKv(path);
    for (let i = 0; i < VALUES.length; i += 1) {
      assertEquals((await kv.get(["value", i])).value, VALUES[i] as unknown, `value ${i}`);
    }
    kv.close();
  } finally {
    for (const suffix of ["", "-wal", "-shm"]) {
      await Deno.remove(path + suffix).catch(() => {});
    }
  }
});

Deno.test("readV8() reads what Deno.openKv() writes", async () => {
  const path = await Deno.makeTempFile({ suffix: ".sqlite" });
  try {
    const kv = await Deno.openKv(path);
    for (let i = 0; i < VALUES.length; i += 1) await kv.set([i], { in: VALUES[i] });
    kv.close();
    const database = new DatabaseSync(path);
    const rows = database.prepare("select v from kv order by k").all();
    database.close();
    assertEquals(rows.length, VALUES.length);
    rows.forEach(({ v }, i) => {
      assertEquals(readV8(v as Uint8Array), { value: { in: VALUES[i] } });
    });
  } finally {
    for (const suffix of ["", "-wal", "-shm"]) {
      await Deno.remove(path + suffix).catch(() => {});
    }
  }
});

Deno.test("writeV8() takes 65,536 bytes and refuses one more", () => {
  const overhead = writeV8("x".repeat(60_000)).length - 60_000;
  assertEquals(writeV8("x".repeat(VALUE_BYTES_MAX - overhead)).length, VALUE_BYTES_MAX);
  for (
    const value of [
      "x".repeat(VALUE_BYTES_MAX - overhead + 1),
      "漢".repeat(VALUE_BYTES_MAX / 2),
      2n ** (8n * 65_536n),
      new Uint8Array(VALUE_BYTES_MAX),
      new Array(VALUE_BYTES_MAX).fill(null),
    ]
  ) {
    assertEquals(assertThrows(() => writeV8(value), HttpProblem).code, "too-large");
  }
});

Deno.test("writeV8() takes values 32 levels deep and refuses one more", () => {
  assertEquals(readV8(writeV8(nested(VALUE_DEPTH_MAX))), { value: nested(VALUE_DEPTH_MAX) });
  const problem = assertThrows(() => writeV8(nested(VALUE_DEPTH_MAX + 1)), HttpProblem);
  assertEquals(problem.code, "bad-value");
});

Deno.test("writeV8() writes the same after a value that it refused", () => {
  const before = writeV8({ a: [1, "漢"] });
  assertThrows(() => writeV8("x".repeat(VALUE_BYTES_MAX)), HttpProblem);
  assertEquals(writeV8({ a: [1, "漢"] }), before);
});

Deno.test("readV8() gives null for what JSON and tags have no place for", () => {
  const cycle: unknown[] = [];
  cycle.push(cycle);
  const shared = [1];
  const bytes = new Uint8Array([1]);
  const named = Object.assign([1], { name: 1 });
  const cases: readonly (readonly [string, unknown])[] = [
    ["a cycle", cycle],
    ["a shared container", [shared, shared]],
    ["shared bytes", [bytes, bytes]],
    ["a hole", [, 1]],
    ["a sparse array of 2^32 - 1", new Array(2 ** 32 - 1)],
    ["an array with named properties", named],
    ["a regular expression", /x/g],
    ["an error", new Error("x")],
    ["a buffer", new ArrayBuffer(2)],
    ["other typed arrays", new Uint16Array(2)],
    ["a boxed number", Object(1)],
    ["33 levels", nested(VALUE_DEPTH_MAX + 1)],
  ];
  for (const [what, value] of cases) assertEquals(readV8(engineWrites(value)), null, what);
});

Deno.test("readV8() reads an array that could have holes and has none", () => {
  for (const value of [[undefined], new Array(3).fill("x"), new Array(0)]) {
    assertEquals(readV8(engineWrites(value)), { value });
  }
});

Deno.test("readV8() reads a member __proto__ where that is an accessor, too", () => {
  const text = '{"__proto__":{"polluted":true}}';
  const bytes = writeV8(JSON.parse(text));
  let assigned = false;
  // As --unstable-unsafe-proto has it.
  Object.defineProperty(Object.prototype, "__proto__", {
    configurable: true,
    set: () => {
      assigned = true;
    },
  });
  try {
    assertEquals(JSON.stringify(readV8(bytes)?.value), text);
  } finally {
    delete (Object.prototype as { __proto__?: unknown }).__proto__;
  }
  assert(!assigned);
});

Deno.test("readV8() repeats a date that is shared", () => {
  const date = new Date(86_400_000);
  const value = { created: date, bytes: new Uint8Array([1]), list: [{}, date] };
  assertEquals(readV8(engineWrites(value)), { value });
});

Deno.test("readV8() gives null for damaged bytes", () => {
  const whole = engineWrites({ a: [1, "x", 漢], b: new Uint8Array(3), m: new Map([[1, 2]]) });
  for (let end = 0; end < whole.length; end += 1) {
    assertEquals(readV8(whole.subarray(0, end)), null, `cut at ${end}`);
  }
  const cases: readonly (readonly [string, readonly number[]])[] = [
    ["no header", [0x54]],
    ["an older version", [0xff, 12, 0x54]],
    ["a newer version", [0xff, 17, 0x54]],
    ["bytes behind the value", [0xff, 15, 0x54, 0x54]],
    ["an array longer than the input", [0xff, 15, 0x41, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ["a string longer than the input", [0xff, 15, 0x22, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x61]],
    ["a varint without end", [0xff, 15, 0x49, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80]],
    ["an odd two-byte string", [0xff, 15, 0x63, 3, 0x61, 0, 0x61]],
    ["UTF-8 that is none", [0xff, 15, 0x53, 1, 0xff]],
    ["a wrong count of members", [0xff, 15, 0x6f, 0x49, 2, 0x49, 2, 0x7b, 2]],
    ["a wrong count of items", [0xff, 15, 0x27, 0x49, 2, 0x2c, 9]],
    ["a reference to nothing", [0xff, 15, 0x5e, 0]],
    ["a view beyond its buffer", [0xff, 15, 0x42, 1, 0, 0x56, 0x42, 1, 1, 0]],
  ];
  for (const [what, bytes] of cases) assertEquals(readV8(Uint8Array.from(bytes)), null, what);
});

Deno.test("readV8() survives any bytes (property)", () => {
  const seeds = VALUES.map((value) => writeV8(value));
  fc.assert(
    fc.property(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      (seed, edits) => {
        const bytes = seed.slice();
        for (const [at, byte] of edits) bytes[2 + at % Math.max(1, bytes.length - 2)] = byte;
        const read = readV8(bytes);
        // What it does read is a value of its type, so it can be written again.
        if (read !== null) assert(writeV8(read.value).length <= VALUE_BYTES_MAX);
      },
    ),
    { numRuns: 5000 },
  );
});

const 漢 = "漢";
