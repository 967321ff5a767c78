/**
 * Runs a test against an app over `testService()`, and says what the tests of the doors say often.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { Hono } from "hono";
import { quietApp, rawRequest } from "./answers.ts";
import { testService } from "./service.ts";

export { assertProblem, quietApp, rawRequest, statusOf } from "./answers.ts";

/** A test with an app of its own over an empty store. Fails on any line that the app logs. */
export function appTest(name: string, run: (app: Hono) => Promise<void>): void {
  Deno.test(name, async () => {
    const { service, close } = await testService();
    try {
      await run(quietApp(service, service));
    } finally {
      await close();
    }
  });
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
