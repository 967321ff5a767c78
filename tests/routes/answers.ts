/**
 * Apps to ask, and what the tests of the doors say often of their answers.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Hono } from "hono";
import type { ClusterService, KvService } from "../../actors/service.ts";
import { createApp } from "../../routes/app.ts";
import type { Bodies } from "../../routes/bodies.ts";
import { type ProblemCode, PROBLEMS } from "../../routes/problem.ts";
import { scriptedCluster } from "./scripted.ts";

/** An app that fails its test with any line that it logs. */
export function quietApp(service: KvService, cluster?: ClusterService, bodies?: Bodies): Hono {
  return createApp({
    service,
    cluster: cluster ?? scriptedCluster({}),
    bodies,
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
