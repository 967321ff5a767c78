/**
 * The cluster as this node sees it: `GET /v1/cluster`. Answers without asking any other node, so that
 * it says something even when nobody leads.
 *
 * @module
 */
import { Hono } from "hono";
import { queryOf, routedPath } from "./address.ts";
import type { Door } from "./door.ts";

/** The door for operators. */
export function clusterRoutes(door: Door): Hono {
  const app = new Hono({ getPath: routedPath });
  app.get("/v1/cluster", (c) => {
    queryOf(c.req.raw, []);
    return door.replies.json(c.req.raw, 200, JSON.stringify(door.service.status()));
  });
  return app;
}
