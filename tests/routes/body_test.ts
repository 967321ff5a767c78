/** Reading bodies under a cap, and JSON strictly. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Bodies } from "../../routes/bodies.ts";
import { parseJson } from "../../routes/body.ts";
import { HttpProblem } from "../../routes/problem.ts";

/** A request without a Content-Length, whose body comes in chunks as they are asked for. */
function chunked(chunks: readonly number[], headers: Record<string, string> = {}) {
  const seen = { pulled: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (seen.pulled === chunks.length) return controller.close();
      controller.enqueue(new Uint8Array(chunks[seen.pulled]).fill(seen.pulled + 1));
      seen.pulled += 1;
    },
    cancel() {
      seen.cancelled = true;
    },
  }, { highWaterMark: 0 });
  return { request: new Request("http://localhost/", { method: "PUT", body, headers }), seen };
}

/** Reads as the doors do. */
async function readBody(request: Request, bytesMax: number): Promise<Uint8Array> {
  return await new Bodies().read(request, bytesMax);
}

async function refusal(request: Request, bytesMax: number): Promise<string> {
  const error = await assertRejects(async () => await readBody(request, bytesMax), HttpProblem);
  return error.code;
}

Deno.test("readBody() reads a body of unannounced length up to the cap", async () => {
  assertEquals(await readBody(chunked([]).request, 0), new Uint8Array(0));
  assertEquals(await readBody(chunked([2]).request, 2), new Uint8Array([1, 1]));
  assertEquals(await readBody(chunked([1, 2]).request, 3), new Uint8Array([1, 2, 2]));
  const none = new Request("http://localhost/", { method: "PUT" });
  assertEquals(await readBody(none, 0), new Uint8Array(0));
});

Deno.test("readBody() stops a body of unannounced length as soon as it passes the cap", async () => {
  const { request, seen } = chunked([4, 4, 4, 4, 4, 4]);
  assertEquals(await refusal(request, 11), "too-large");
  assertEquals(seen, { pulled: 3, cancelled: true });
});

Deno.test("readBody() refuses by the announced length before it reads", async () => {
  const { request, seen } = chunked([4], { "content-length": "12" });
  assertEquals(await refusal(request, 11), "too-large");
  assertEquals(seen.pulled, 0);
  const huge = chunked([4], { "content-length": "9".repeat(400) });
  assertEquals(await refusal(huge.request, 11), "too-large");
  assertEquals(huge.seen.pulled, 0);
});

Deno.test("readBody() does not believe an announced length that is too small", async () => {
  const { request } = chunked([12], { "content-length": "1" });
  assertEquals(await refusal(request, 11), "too-large");
});

Deno.test("readBody() refuses an announced length that is no number", async () => {
  for (const length of ["-1", "1e1", "0x1", "1, 1", ""]) {
    const { request, seen } = chunked([1], { "content-length": length });
    assertEquals(await refusal(request, 11), "bad-header", length);
    assertEquals(seen.pulled, 0);
  }
});

Deno.test("readBody() says that a body ended early", async () => {
  for (const headers of [[], [["content-length", "4"]]] satisfies HeadersInit[]) {
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error("reset")) });
    const request = new Request("http://localhost/", { method: "PUT", body, headers });
    assertEquals(await refusal(request, 11), "bad-request");
  }
});

Deno.test("parseJson() takes a byte order mark, and no number beyond a double", () => {
  const parse = (text: string) => parseJson(new TextEncoder().encode(text), 2);
  assertEquals(parse("\ufeff[1]"), [1]);
  assertEquals(parse("[[1e308, -1e308, 1e-999]]"), [[1e308, -1e308, 0]]);
  for (const text of ["1e309", "[-1e309]", '{"a":[1e400]}', "[[[]]]", '{"a":{"b":{}}}']) {
    assertEquals(assertThrows(() => parse(text), HttpProblem).code, "bad-json");
  }
});

Deno.test("parseJson() gives a member __proto__ like any other", () => {
  const value = parseJson(new TextEncoder().encode('{"__proto__":{"x":1}}'), 2);
  assert(Object.hasOwn(value as object, "__proto__"));
  assertEquals(Object.getPrototypeOf(value), Object.prototype);
});
