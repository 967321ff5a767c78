/**
 * Many changes at once: `POST /v1/atomic`. All of it happens, or nothing.
 *
 * @module
 */
import { Hono } from "hono";
import { formatVersionstamp } from "../kv/versionstamp.ts";
import { queryOf, routedPath } from "./address.ts";
import { takeAtomicWrite } from "./atomic_json.ts";
import { isJsonBody, parseJson } from "./body.ts";
import { idempotencyKey, refuseHeader } from "./conditions.ts";
import { accepted, type Door, limited } from "./door.ts";
import { ATOMIC_DEPTH_MAX, BODY_BYTES_MAX } from "./limits.ts";
import { HttpProblem } from "./problem.ts";

/** The door to atomic writes. */
export function atomicRoutes(door: Door): Hono {
  const app = new Hono({ getPath: routedPath });
  app.post("/v1/atomic", (c) => atomic(door, c.req.raw));
  return app;
}

async function atomic(door: Door, request: Request): Promise<Response> {
  queryOf(request, []);
  refuseHeader(request.headers, "if-match");
  refuseHeader(request.headers, "if-none-match");
  if (!isJsonBody(request.headers)) {
    throw new HttpProblem("unsupported-media-type", "The body's Content-Type is application/json.");
  }
  const json = parseJson(await door.bodies.read(request, BODY_BYTES_MAX), ATOMIC_DEPTH_MAX);
  const write = limited(takeAtomicWrite(json, idempotencyKey(request.headers)));
  const result = accepted(await door.service.write(write));
  if (result.status === "applied") {
    const versionstamp = formatVersionstamp(result.versionstamp);
    return door.replies.json(request, 200, `{"ok":true,"versionstamp":"${versionstamp}"}`);
  }
  return door.replies.json(
    request,
    409,
    `{"ok":false,"failedChecks":${JSON.stringify(result.failedChecks)}}`,
  );
}
