import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  BACKUP_CHUNK_BYTES_MAX,
  BACKUP_TEXT_BYTES_MAX,
  type BackupHeader,
  BackupReader,
  encodeBackup,
  MalformedBackup,
  UnsupportedBackup,
} from "../../kv/backup_file.ts";
import { crc32c } from "../../kv/crc32c.ts";
import { encodeSnapshot } from "../../kv/snapshot_encoder.ts";
import { SnapshotReader } from "../../kv/snapshot_reader.ts";
import { Fed, hashFromScratch, key, set } from "./support.ts";

const HEADER: BackupHeader = {
  clusterId: "a cluster",
  index: 2 ** 40 + 5,
  term: 7,
  timeMs: 1_800_000_000_000,
  stateHash: "00112233445566778899aabbccddeeff",
  createdBy: "kvorum é",
};
const CHUNKS = [Uint8Array.of(1, 2, 3), new Uint8Array(40).fill(9), Uint8Array.of(4)];

function fileOf(header: BackupHeader, chunks: Iterable<Uint8Array>): Uint8Array {
  return Uint8Array.from([...encodeBackup(header, chunks)].flatMap((frame) => [...frame]));
}

function read(pieces: Iterable<Uint8Array>) {
  const reader = new BackupReader();
  const chunks = [...pieces].flatMap((piece) => reader.push(piece));
  return { chunks, total: reader.finish(), header: reader.header };
}

function* inPieces(file: Uint8Array, pieceBytes: number): Generator<Uint8Array> {
  for (let at = 0; at < file.length; at += pieceBytes) yield file.subarray(at, at + pieceBytes);
}

/** Any of the outcomes of a file that is not as it was written. */
function assertRefused(file: Uint8Array, what: string): void {
  try {
    read([file]);
  } catch (error) {
    if (error instanceof MalformedBackup || error instanceof UnsupportedBackup) return;
    throw error;
  }
  throw new Error(`${what} was accepted`);
}

/** A frame as the module documents it; `before` is all of the file in front of it. */
function frame(before: string, kind: string, payload: string): string {
  const size = (payload.length / 2).toString(16).padStart(8, "0");
  const crc = crc32c(Uint8Array.fromHex(withoutCrcs(before) + kind + size + payload));
  return before + kind + size + crc.toString(16).padStart(8, "0") + payload;
}

function withoutCrcs(file: string): string {
  let bare = file.slice(0, 12);
  for (let at = 12; at < file.length;) {
    const end = at + 18 + 2 * parseInt(file.slice(at + 2, at + 10), 16);
    bare += file.slice(at, at + 10) + file.slice(at + 18, end);
    at = end;
  }
  return bare;
}

const PREFIX = "4b56424b" + "0001";
const HEADER_HEX = "0009" + "6120636c7573746572" + "0009" + "6b766f72756d20c3a9" +
  "010000000005" + "000000000007" + "01a3185c5000" + HEADER.stateHash;
const u48 = (n: number) => n.toString(16).padStart(12, "0");

Deno.test("a backup has these bytes", () => {
  const headed = frame(PREFIX, "01", HEADER_HEX);
  const chunked = frame(headed, "02", "010203");
  assertEquals(
    fileOf(HEADER, [CHUNKS[0]!]).toHex(),
    frame(chunked, "03", u48(1) + u48(3)),
  );
});

Deno.test("BackupReader gives header and chunks back, from pieces of any size", () => {
  const file = fileOf(HEADER, CHUNKS);
  for (const pieceBytes of [1, 2, 9, 50, file.length]) {
    const { header, chunks, total } = read(inPieces(file, pieceBytes));
    assertEquals(header, HEADER);
    assertEquals(chunks, CHUNKS);
    assertEquals(total, { chunks: 3, bytes: 44 });
  }
});

Deno.test("BackupReader gives every chunk as soon as it is whole", () => {
  const frames = [...encodeBackup(HEADER, CHUNKS)];
  const reader = new BackupReader();
  assertEquals(reader.header, null);
  assertEquals(frames.map((it) => reader.push(it).length), [0, 0, 1, 1, 1, 0]);
  assertEquals(reader.header, HEADER);
});

Deno.test("a store goes through a backup and comes back as it was", () => {
  const fed = new Fed();
  for (let i = 0; i < 200; i++) fed.write([set(key("k", i), `${i}`)], [], `once-${i}`);
  const { store } = fed;
  const file = fileOf(
    { ...HEADER, stateHash: store.hash().hash },
    encodeSnapshot(store.capture(), 1000),
  );
  const { chunks, header } = read(inPieces(file, 777));
  const snapshot = new SnapshotReader();
  for (const chunk of chunks) snapshot.push(chunk);
  const copy = snapshot.finish();
  assertEquals(copy.hash(), store.hash());
  assertEquals(hashFromScratch(copy), header!.stateHash);
});

Deno.test("BackupReader refuses what is cut short at any byte", () => {
  const file = fileOf(HEADER, CHUNKS);
  for (let size = 0; size < file.length; size++) {
    const cut = file.subarray(0, size);
    assertThrows(() => read([cut]), MalformedBackup, "cut short", `${size} bytes`);
    assertThrows(() => read(inPieces(cut, 1)), MalformedBackup, "cut short", `${size} bytes`);
  }
});

Deno.test("BackupReader refuses a flip of any bit", () => {
  const file = fileOf(HEADER, CHUNKS);
  for (let bit = 0; bit < 8 * file.length; bit++) {
    const bytes = file.slice();
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assertRefused(bytes, `a flip of bit ${bit & 7} of byte ${bit >> 3}`);
  }
});

Deno.test("BackupReader refuses frames that were lost, doubled, swapped or taken from another file", () => {
  const frames = [...encodeBackup(HEADER, CHUNKS)];
  const other = [...encodeBackup({ ...HEADER, timeMs: 1 }, CHUNKS)];
  const [prefix, header, a, b, c, end] = frames as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const files = {
    lost: [prefix, header, a, c, end],
    "the first lost": [prefix, header, b, c, end],
    doubled: [prefix, header, a, b, b, c, end],
    swapped: [prefix, header, b, a, c, end],
    "of another file": [prefix, header, a, other[3]!, c, end],
    "no header": [prefix, a, b, c, end],
    "two headers": [prefix, header, header, a, b, c, end],
    "behind the end": [...frames, end],
  };
  for (const [what, pieces] of Object.entries(files)) {
    assertThrows(() => read(pieces), MalformedBackup, undefined, what);
  }
});

Deno.test("BackupReader refuses random bytes with nothing but its own errors", () => {
  const file = fileOf(HEADER, CHUNKS);
  fc.assert(
    fc.property(
      fc.nat(file.length),
      fc.uint8Array({ minLength: 1, maxLength: 60 }),
      (keep, then) => {
        const bytes = Uint8Array.from([...file.subarray(0, keep), ...then]);
        if (bytes.toHex() !== file.toHex()) assertRefused(bytes, bytes.toHex());
      },
    ),
    { numRuns: 2_000 },
  );
});

Deno.test("BackupReader tells another version of the form from a broken file", () => {
  const file = fileOf(HEADER, CHUNKS);
  file[5] = 2;
  assertThrows(() => read([file]), UnsupportedBackup, "version 2");
});

const headed = frame(PREFIX, "01", HEADER_HEX);
const chunked = frame(headed, "02", "00");
const malformed: [string, string, RegExp][] = [
  ["another magic", "4b56424c0001", /begin/],
  ["no chunk at all", frame(headed, "03", u48(0) + u48(0)), /kind 3/],
  ["an unknown frame", frame(headed, "04", ""), /kind 4/],
  ["a frame of 4 GB", headed + "02ffffffff00000000", /4294967295 bytes/],
  ["a header with bytes left", frame(PREFIX, "01", HEADER_HEX + "00"), /left/],
  ["a header cut short", frame(PREFIX, "01", HEADER_HEX.slice(2)), /cut short|left|bytes/],
  ["a header with a text of 1025 bytes", frame(PREFIX, "01", "0401" + "61".repeat(1025)), /1025/],
  ["a header that is not UTF-8", frame(PREFIX, "01", "0001ff" + HEADER_HEX.slice(22)), /UTF-8/],
  ["another count of chunks", frame(chunked, "03", u48(2) + u48(1)), /1 chunks of 1 bytes, not 2/],
  ["another count of bytes", frame(chunked, "03", u48(1) + u48(2)), /not 1 of 2/],
  ["an end with bytes left", frame(chunked, "03", u48(1) + u48(1) + "00"), /left/],
];

for (const [what, hex, message] of malformed) {
  Deno.test(`BackupReader refuses ${what}, its checksum being right`, () => {
    const error = assertThrows(() => read([Uint8Array.fromHex(hex)]), MalformedBackup);
    assert(message.test(error.message), error.message);
  });
}

Deno.test("BackupReader is of no use after an exception", () => {
  const reader = new BackupReader();
  assertThrows(() => reader.push(new Uint8Array(6)), MalformedBackup);
  assertThrows(() => reader.push(fileOf(HEADER, CHUNKS)), MalformedBackup);
  assertThrows(() => reader.finish(), MalformedBackup);
});

Deno.test("encodeBackup() writes nothing that its reader would refuse", () => {
  const largest = new Uint8Array(BACKUP_CHUNK_BYTES_MAX);
  const texts = { ...HEADER, createdBy: "x".repeat(BACKUP_TEXT_BYTES_MAX) };
  assertEquals(read(encodeBackup(texts, [largest])).header, texts);
  const tooLarge = new Uint8Array(BACKUP_CHUNK_BYTES_MAX + 1);
  assertThrows(() => [...encodeBackup(HEADER, [tooLarge])], RangeError);
  const tooLong = { ...HEADER, clusterId: "é".repeat(BACKUP_TEXT_BYTES_MAX / 2) + "x" };
  assertThrows(() => [...encodeBackup(tooLong, [largest])], RangeError);
});
