/**
 * Runs a test against an app over `testService()`, and says what the tests of the doors say often.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Hono } from "hono";
import type { KvService } from "../../actors/service.ts";
import { createApp } from "../../routes/app.ts";
import { type ProblemCode, PROBLEMS } from "../../routes/problem.ts";
import { testService } from "./service.ts";

/** A test with an app of its own over an empty store. Fails on any line that the app logs. */
export function appTest(name: string, run: (app: Hono) => Promise<void>): void {
  Deno.test(name, async () => {
    const { service, close } = await testService();
    try {
      await run(quietApp(service));
    } finally {
      await close();
    }
  });
}

export function quietApp(service: KvService): Hono {
  return createApp({
    service,
    log: (text) => {
      throw new Error(`the app logged: ${text}`);
    },
  });
}

/** A request whose URL is exactly what came over the wire: `new Request` would normalise it. */
export function rawRequest(target: string, init: RequestInit = {}): Request {
  const request = new Request("http://localhost/", init);
  Object.defineProperty(request, "url", { value: `http://localhost${target}` });
  return request;
}

/** Puts a value and gives its versionstamp. */
export async function put(
  app: Hono,
  path: string,
  body: BodyInit,
  headers: Record<string, string> = {},
): Promise<string> {
  const response = await app.request(rawRequest(path, { method: "PUT", body, headers }));
  const answer = await response.json();
  assertEquals(response.status, 200, JSON.stringify(answer));
  return answer.versionstamp;
}

export function putJson(app: Hono, path: string, value: unknown): Promise<string> {
  return put(app, path, JSON.stringify(value), { "content-type": "application/json" });
}

export function postAtomic(
  app: Hono,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return Promise.resolve(app.request("/v1/atomic", {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  }));
}

/** Asserts that the answer is a whole problem document of this code, and gives its detail. */
export async function assertProblem(response: Response, code: ProblemCode): Promise<string> {
  const text = await response.text();
  assertEquals(response.headers.get("content-type"), "application/problem+json", text);
  const problem = JSON.parse(text);
  const { status, title } = PROBLEMS[code];
  const requestId = response.headers.get("x-request-id");
  assert(requestId !== null && requestId !== "");
  assertEquals(problem, {
    type: `urn:kvorum:problem:${code}`,
    title,
    status,
    detail: problem.detail,
    code,
    requestId,
  }, text);
  assertEquals(response.status, status);
  assert(typeof problem.detail === "string" && problem.detail !== "", text);
  return problem.detail;
}

/** The status, after the body has been dropped. */
export async function statusOf(response: Response | Promise<Response>): Promise<number> {
  const { body, status } = await response;
  await body?.cancel();
  return status;
}
