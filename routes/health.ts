/**
 * `GET /livez`: the process answers at all; restart it if it does not. `GET /readyz`: requests sent here
 * now will be served; send them elsewhere if not.
 *
 * @module
 */
import { Hono } from "hono";
import { routedPath } from "./address.ts";
import type { Door } from "./door.ts";
import { HttpProblem } from "./problem.ts";

/** The door for load balancers and supervisors. They add parameters of their own, so any query is fine. */
export function healthRoutes(door: Door): Hono {
  const app = new Hono({ getPath: routedPath });
  app.get("/livez", (c) => door.replies.text(c.req.raw, "ok\n"));
  app.get("/readyz", (c) => {
    const why = door.service.notReady();
    if (why !== null) throw new HttpProblem("not-serving", why);
    return door.replies.text(c.req.raw, "ok\n");
  });
  return app;
}
