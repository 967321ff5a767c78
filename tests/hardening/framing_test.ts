/**
 * How long a request is, must not be a matter of opinion: a proxy in front that sees it otherwise would let
 * one client's body pass for another one's request (RFC 9112, section 11.2).
 */
import { assert, assertEquals, assertFalse, assertMatch } from "@std/assert";
import { VALUE_BYTES_MAX } from "../../kv/limits.ts";
import { exchange, RawClient, statusOf } from "./raw_client.ts";
import { servedTest } from "./served.ts";

const PUT = "PUT /v1/kv/framed HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
/** What would show that a body was taken for a request. */
const SMUGGLED = "PUT /v1/kv/smuggled HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
const CHUNKED = `0\r\n\r\n${SMUGGLED}`;

/** Requests whose length is doubtful: their headers, and what follows. All are 400. */
const DOUBTFUL: readonly (readonly [string, string, string])[] = [
  ["two lengths that differ", "Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"],
  ["one length twice", "Content-Length: 3\r\nContent-Length: 3\r\n", "abc"],
  ["a list of one length", "Content-Length: 3, 3\r\n", "abc"],
  ["a list of lengths", "Content-Length: 3, 4\r\n", "abcd"],
  ["a length with a sign", "Content-Length: +3\r\n", "abc"],
  ["a negative length", "Content-Length: -3\r\n", "abc"],
  ["a length in hex", "Content-Length: 0x3\r\n", "abc"],
  ["a length beyond 64 bits", `Content-Length: ${"9".repeat(30)}\r\n`, "abc"],
  ["a length of nothing", "Content-Length: \r\n", SMUGGLED],
  ["a length with a space before its colon", "Content-Length : 3\r\n", "abc"],
  ["a length folded over two lines", "Content-Length:\r\n 3\r\n", "abc"],
  ["a length, then chunks", "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", CHUNKED],
  ["chunks, then a length", "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", CHUNKED],
  ["chunks not last", "Transfer-Encoding: chunked, gzip\r\n", CHUNKED],
  ["chunks of another name", "Transfer-Encoding: xchunked\r\n", CHUNKED],
  ["chunks behind a control character", "Transfer-Encoding: \x0bchunked\r\n", CHUNKED],
  [
    "chunks and then none",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    CHUNKED,
  ],
  ["chunks twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", CHUNKED],
  ["no coding at all", "Transfer-Encoding: identity\r\n", SMUGGLED],
  ["two hosts", "Host: b\r\nContent-Length: 0\r\n", ""],
  ["a NUL in a header", "X-A: a\0b\r\nContent-Length: 0\r\n", ""],
];

for (const [what, headers, rest] of DOUBTFUL) {
  servedTest(`a request with ${what} is 400, and nothing is done`, async ({ port }) => {
    const answer = await exchange(port, `${PUT}${headers}\r\n${rest}`);
    assertEquals(statusOf(answer), 400, answer);
    assertEquals(answer.match(/HTTP\/1\.1 /g)?.length, 1, answer);
    assertEquals(await keys(port), []);
  });
}

servedTest("chunks under HTTP/1.0 are refused, and nothing is done", async ({ port }) => {
  const head = "PUT /v1/kv/framed HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  assertEquals(statusOf(await exchange(port, `${head}${CHUNKED}`)), 400);
  assertEquals(await keys(port), []);
});

const BROKEN_CHUNKS: readonly (readonly [string, string])[] = [
  ["a size that is no number", "zz\r\nabc\r\n0\r\n\r\n"],
  ["a size beyond 64 bits", "fffffffffffffffff\r\nabc\r\n0\r\n\r\n"],
  ["a negative size", "-3\r\nabc\r\n0\r\n\r\n"],
  ["more bytes than they say", `3\r\nabcXX0\r\n\r\n${SMUGGLED}`],
  ["an extension without end", `3;${"x".repeat(200_000)}\r\nabc\r\n0\r\n\r\n`],
];

for (const [what, chunks] of BROKEN_CHUNKS) {
  servedTest(`a body with ${what} in its chunks changes nothing`, async ({ port }) => {
    const answer = await exchange(port, `${PUT}Transfer-Encoding: chunked\r\n\r\n${chunks}`);
    // The server may end the connection without a word: it no longer knows where in it it is.
    assert(answer === "" || statusOf(answer) === 400, answer);
    assertEquals(await keys(port), []);
  });
}

servedTest("a compressed body is 415, however it says so", async ({ port }) => {
  const codings = ["Content-Encoding: gzip", "content-encoding: br", "Content-Encoding: identity"];
  for (const coding of [...codings, "Transfer-Encoding: gzip, chunked"]) {
    const length = coding.startsWith("Transfer") ? "" : "Content-Length: 3\r\n";
    const body = length === "" ? "3\r\nabc\r\n0\r\n\r\n" : "abc";
    for (const target of ["PUT /v1/kv/framed", "POST /v1/atomic", "POST /v1/cluster/transfer"]) {
      const answer = await exchange(
        port,
        `${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n` +
          `${length}${coding}\r\n\r\n${body}`,
      );
      assertEquals(statusOf(answer), 415, `${target} ${coding}: ${answer}`);
      assertMatch(answer, /"code":"unsupported-media-type"/);
    }
  }
  assertEquals(await keys(port), []);
});

servedTest("a body that a door does not read is not taken for a request", async ({ port }) => {
  for (const method of ["GET", "DELETE"]) {
    const answer = await exchange(
      port,
      `${method} /v1/kv/framed HTTP/1.1\r\nHost: a\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n` +
        `${SMUGGLED}GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    );
    assertEquals(answer.match(/HTTP\/1\.1 /g)?.length, 2, answer);
    assertMatch(answer, /\r\n\r\nok\n$/);
  }
  assertEquals(await keys(port), []);
});

servedTest("headers have a maximum in bytes and in number", async ({ port }) => {
  const head = "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
  const many = Array.from({ length: 1000 }, (_, i) => `X-${i}: y\r\n`).join("");
  const large = `X: ${"y".repeat(500_000)}\r\n`;
  const target = head.replace("/livez", `/${"y".repeat(500_000)}`);
  for (const request of [head + many, head + large, target]) {
    using client = await RawClient.connect(port);
    await client.send(`${request}\r\n`);
    // The rest of what it sends may reset the connection before the answer is read.
    assertFalse((await client.rest()).includes(" 200 "));
  }
  const fine = Array.from({ length: 60 }, (_, i) => `X-${i}: ${"y".repeat(500)}\r\n`).join("");
  assertEquals(statusOf(await exchange(port, `${head}${fine}\r\n`)), 200);
});

servedTest(
  "a header without end is cut off after so many bytes, and holds no more",
  async ({ port }) => {
    using client = await RawClient.connect(port);
    await client.send("GET /livez HTTP/1.1\r\nHost: a\r\nX: ");
    const bytes = new TextEncoder().encode("y".repeat(65_536));
    // It ends, though the header never does: after 64 MiB at the latest, and the server has closed long before.
    for (let i = 0; i < 1024; i++) await client.send(bytes);
    assertFalse((await client.rest()).includes(" 200 "));
  },
);

servedTest(
  "a body that is too large is 413 also where chunks hide its length",
  async ({ port }) => {
    const chunk = `8000\r\n${"x".repeat(0x8000)}\r\n`;
    const head = "PUT /v1/kv/framed HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    using client = await RawClient.connect(port);
    await client.send(head + chunk.repeat(VALUE_BYTES_MAX / 0x8000) + "1\r\n");
    await client.send("x\r\n");
    assertEquals(statusOf(await client.until(/\}$/)), 413);
    assertEquals(await keys(port), []);
  },
);

/** The keys that the store holds. */
async function keys(port: number): Promise<unknown[]> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/kv`);
  const { entries } = await response.json();
  return entries.map(({ key }: { key: unknown }) => key);
}
