/**
 * All doors of a node in one Hono app, and what they share: unknown addresses, wrong methods, errors.
 *
 * There is no middleware, so that a request runs through one handler and nothing else; requests for single
 * keys do not even meet the router (kv.ts).
 *
 * @module
 */
import { type Context, Hono } from "hono";
import type { ClusterService, KvService } from "../actors/service.ts";
import { routedPath } from "./address.ts";
import { atomicRoutes } from "./atomic.ts";
import { Bodies } from "./bodies.ts";
import { BACKUP_PATH, clusterRoutes } from "./cluster.ts";
import type { Door } from "./door.ts";
import { healthRoutes } from "./health.ts";
import { keyLane, kvRoutes } from "./kv.ts";
import { listRoutes } from "./list.ts";
import { HttpProblem, methodNotAllowed, problemOf } from "./problem.ts";
import { Replies } from "./reply.ts";
import { WATCH_PATH, watchRoutes } from "./watch.ts";

export interface AppOptions {
  readonly service: KvService;
  readonly cluster: ClusterService;
  /** Takes a line for each request that failed for a reason that is no outcome: a defect. */
  readonly log: (text: string) => void;
  /** Swept by whoever has the connections; without that no body is ever given up. */
  readonly bodies?: Bodies;
}

const METHODS = ["GET", "PUT", "POST", "DELETE"];

/**
 * Makes the HTTP face of a node; `app.fetch` is what `Deno.serve` takes, `app.request` what tests do.
 *
 * @example
 * ```ts
 * const { service } = node;
 * Deno.serve({ port: 8001 }, createApp({ service, cluster: service, log: console.error }).fetch);
 * ```
 */
export function createApp({ service, cluster, log, bodies = new Bodies() }: AppOptions): Hono {
  // Ids of two nodes, or of two runs of one, must not meet in a log.
  const run = crypto.randomUUID().slice(0, 8);
  const replies = new Replies(`${service.status().node}-${run}-`);
  const failed = (error: unknown, request: Request): Response => {
    const id = replies.idOf(request);
    const problem = problemOf(error);
    if (problem !== null) return replies.problem(id, problem);
    const what = error instanceof Error ? error.stack ?? error.message : String(error);
    log(`request ${id} (${request.method}) failed: ${what}`);
    const internal = new HttpProblem("internal", `The node's log says more under ${id}.`);
    return replies.problem(id, internal);
  };
  const door: Door = { service, cluster, replies, bodies, failed };
  const app = new Hono({ getPath: routedPath });
  app.route("/", kvRoutes(door));
  app.route("/", listRoutes(door));
  app.route("/", atomicRoutes(door));
  app.route("/", watchRoutes(door));
  app.route("/", clusterRoutes(door));
  app.route("/", healthRoutes(door));
  app.notFound((c) => replies.problem(replies.idOf(c.req.raw), noRoute(app, c)));
  app.onError((error, c) => failed(error, c.req.raw));
  const lane = keyLane(door);
  const route = app.fetch;
  app.fetch = (request, ...rest) => lane(request) ?? route(request, ...rest);
  return app;
}

/** Tells an unknown address from a known one that does not take the method. */
function noRoute(app: Hono, c: Context): HttpProblem {
  const allowed = METHODS.filter((method) => app.router.match(method, c.req.path)[0].length > 0);
  if (allowed.length === 0) {
    return new HttpProblem("no-such-route", "Keys are at /v1/kv/{part}/{part}…");
  }
  const isStream = c.req.path === BACKUP_PATH || c.req.path === WATCH_PATH;
  if (allowed.includes("GET") && !isStream) allowed.push("HEAD");
  return methodNotAllowed(allowed);
}
