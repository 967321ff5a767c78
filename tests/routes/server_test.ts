/**
 * The doors behind `Deno.serve`: what only a socket can show, since `Request` normalises its URL and
 * the server reads bodies in a way of its own.
 */
import { assert, assertEquals } from "@std/assert";
import { VALUE_BYTES_MAX } from "../../kv/limits.ts";
import { BODY_BYTES_MAX } from "../../routes/limits.ts";
import { quietApp } from "./harness.ts";
import { testService } from "./service.ts";

const DEADLINE_MS = 5000;

function serverTest(
  name: string,
  run: (port: number) => Promise<void>,
  options: { readonly automaticCompression?: boolean } = {},
): void {
  Deno.test(name, async () => {
    const { service, close } = await testService();
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {}, ...options },
      quietApp(service, service).fetch,
    );
    try {
      await run(server.addr.port);
    } finally {
      await server.shutdown();
      await close();
    }
  });
}

/** Sends bytes as they are and gives the answer, whole, or up to `enough`. */
async function exchange(
  port: number,
  request: string | Uint8Array,
  enough?: (answer: string) => boolean,
): Promise<string> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const timer = setTimeout(() => connection.close(), DEADLINE_MS);
  try {
    const bytes = typeof request === "string" ? new TextEncoder().encode(request) : request;
    await connection.write(bytes);
    const buffer = new Uint8Array(65_536);
    let answer = "";
    while (!enough?.(answer)) {
      const read = await connection.read(buffer).catch(() => null);
      if (read === null) break;
      answer += new TextDecoder().decode(buffer.subarray(0, read));
    }
    return answer;
  } finally {
    clearTimeout(timer);
    try {
      connection.close();
    } catch {
      // The timer has closed it.
    }
  }
}

function call(port: number, method: string, target: string, headers = ""): Promise<string> {
  return exchange(
    port,
    `${method} ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`,
  );
}

const statusOf = (answer: string) => Number(answer.split(" ")[1]);
const codeOf = (answer: string) => JSON.parse(answer.slice(answer.indexOf("{"))).code;

serverTest("Deno.serve hands paths to the doors as they came", async (port) => {
  const targets: readonly (readonly [string, readonly string[]])[] = [
    ["/v1/kv/a/../b", ["a", "..", "b"]],
    ["/v1/kv/a/%2e%2E/b", ["a", "..", "b"]],
    ["/v1/kv/./.", [".", "."]],
    ["/v1/kv/a%2Fb", ["a/b"]],
    ["/v1/kv/%00", ["\0"]],
    ["/v1/kv/a\\b", ["a\\b"]],
    ['/v1/kv/a|b"<>`{}^[]', ['a|b"<>`{}^[]']],
    ["http://elsewhere:1/v1/kv/absolute", ["absolute"]],
  ];
  for (const [target, key] of targets) {
    assertEquals(statusOf(await call(port, "PUT", target)), 200, target);
    const response = await fetch(`http://127.0.0.1:${port}/v1/kv`);
    const { entries } = await response.json();
    assertEquals(entries.map((entry: { key: unknown }) => entry.key), [key], target);
    assertEquals(statusOf(await call(port, "DELETE", target)), 200, target);
  }
  for (const target of ["/v1/kv//a", "/v1/kv/a/", "/v1/kv/%zz", "/v1/kv/%ff", "/v1/kv/a#b"]) {
    assertEquals(codeOf(await call(port, "PUT", target)), "bad-key", target);
  }
  assertEquals(codeOf(await call(port, "GET", "//v1/kv/a")), "no-such-route");
});

serverTest("PUT answers 413 to an announced length before the body comes", async (port) => {
  const json = "Content-Type: application/json\r\n";
  for (const [headers, max] of [["", VALUE_BYTES_MAX], [json, BODY_BYTES_MAX]] as const) {
    // Nothing of the body is ever sent, so an answer at all shows that nobody waited for it.
    const answer = await exchange(
      port,
      `PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\n${headers}Content-Length: ${max + 1}\r\n\r\n`,
      (answer) => answer.includes('"too-large"'),
    );
    assertEquals(statusOf(answer), 413);
  }
});

serverTest("PUT answers 413 to a body without end once it passes the cap", async (port) => {
  const chunk = new TextEncoder().encode(`8000\r\n${"x".repeat(0x8000)}\r\n`);
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const timer = setTimeout(() => connection.close(), DEADLINE_MS);
  const head = "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  await connection.write(new TextEncoder().encode(head));
  let answered = false;
  const answer = (async () => {
    const buffer = new Uint8Array(4096);
    const read = await connection.read(buffer);
    answered = true;
    return new TextDecoder().decode(buffer.subarray(0, read ?? 0));
  })();
  // It sends for as long as nobody answers; the server may close the connection under it.
  let sent = 0;
  try {
    while (!answered) sent += await connection.write(chunk);
  } catch {
    // Closed: the answer has been sent before.
  }
  assertEquals(statusOf(await answer), 413);
  assert(sent > VALUE_BYTES_MAX, String(sent));
  clearTimeout(timer);
  connection.close();
});

serverTest("PUT takes a body in chunks up to the cap", async (port) => {
  const answer = await exchange(
    port,
    "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" +
      `8000\r\n${"x".repeat(0x8000)}\r\n8000\r\n${"y".repeat(0x8000)}\r\n0\r\n\r\n`,
  );
  assertEquals(statusOf(answer), 200);
  const read = await (await fetch(`http://127.0.0.1:${port}/v1/kv/a`)).text();
  assertEquals(read.length, VALUE_BYTES_MAX);
});

serverTest("PUT stores nothing of a body that ended early", async (port) => {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const head = "PUT /v1/kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf";
  await connection.write(new TextEncoder().encode(head));
  await connection.closeWrite();
  const buffer = new Uint8Array(4096);
  // Whatever the server says, it says so before it is asked for the key.
  while (await connection.read(buffer).catch(() => null) !== null);
  connection.close();
  const response = await fetch(`http://127.0.0.1:${port}/v1/kv/a`);
  await response.body?.cancel();
  assertEquals(response.status, 404);
});

serverTest("GET keeps a strong ETag where answers are compressed", async (port) => {
  const url = `http://127.0.0.1:${port}/v1/kv/long`;
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify("x".repeat(5000));
  const written = await fetch(url, { method: "PUT", body, headers });
  await written.body?.cancel();
  const read = await fetch(url, { headers: { "accept-encoding": "gzip, br" } });
  assertEquals(await read.text(), body);
  const etag = read.headers.get("etag") ?? "";
  assertEquals(etag, written.headers.get("etag"));
  const again = await fetch(url, { method: "PUT", body: "2", headers: { "if-match": etag } });
  await again.body?.cancel();
  assertEquals(again.status, 200);
}, { automaticCompression: true });

serverTest("HEAD answers without a body and leaves the connection in order", async (port) => {
  const url = `http://127.0.0.1:${port}/v1/kv/head`;
  await (await fetch(url, { method: "PUT", body: "value" })).body?.cancel();
  const answer = await exchange(
    port,
    "HEAD /v1/kv/head HTTP/1.1\r\nHost: x\r\n\r\n" +
      "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
  );
  const [head, live] = answer.split("HTTP/1.1 200 OK\r\n").slice(1);
  assert(/etag: "[0-9a-f]{20}"/.test(head), head);
  assert(!head.includes("value"), head);
  assert(live.endsWith("ok\n"), live);
});

serverTest("HEAD answers with the length that the body of a GET has, and no body", async (port) => {
  const ask = (line: string, body = "") =>
    exchange(
      port,
      `${line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  await ask("PUT /v1/kv/head", "hello");
  for (const path of ["/v1/kv/head", "/v1/kv/absent", "/v1/cluster", "/livez"]) {
    const [getHead, getBody] = (await ask(`GET ${path}`)).split("\r\n\r\n");
    const [head, body] = (await ask(`HEAD ${path}`)).split("\r\n\r\n");
    const length = /^content-length: (\d+)$/m;
    assertEquals(length.exec(head)?.[1], length.exec(getHead)?.[1], path);
    assert(getBody.length > 0);
    assertEquals(body, "");
  }
});
