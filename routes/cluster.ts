/**
 * For operators: the cluster as this node sees it, its members, its leader, its snapshots and backups,
 * under `/v1/cluster`.
 *
 * What only the leader can do this node passes on to it. `GET /v1/cluster` answers without asking any
 * other node, so that it says something even when nobody leads.
 *
 * @module
 */
import { Hono } from "hono";
import { OutcomeUnknown } from "../actors/outcomes.ts";
import type { MemberStatus } from "../actors/service.ts";
import { lastPartOfPath, queryOf, routedPath } from "./address.ts";
import { isJsonBody, parseJson } from "./body.ts";
import { refuseHeader } from "./conditions.ts";
import type { Door } from "./door.ts";
import { fieldsOf } from "./fields.ts";
import { ADMIN_BODY_BYTES_MAX, ADMIN_DEPTH_MAX } from "./limits.ts";
import { isNodeId, takeMember, takeTarget } from "./member_json.ts";
import { HttpProblem, methodNotAllowed } from "./problem.ts";

/** Takes GET and not HEAD. */
export const BACKUP_PATH = "/v1/cluster/backup";

/** The door for operators. */
export function clusterRoutes(door: Door): Hono {
  const app = new Hono({ getPath: routedPath });
  app.get("/v1/cluster", (c) => status(door, c.req.raw));
  app.post("/v1/cluster/members", (c) => addMember(door, c.req.raw));
  app.delete("/v1/cluster/members/:id", (c) => removeMember(door, c.req.raw));
  app.post("/v1/cluster/transfer", (c) => transfer(door, c.req.raw));
  app.post("/v1/cluster/snapshot", (c) => snapshot(door, c.req.raw));
  app.get(BACKUP_PATH, (c) => backup(door, c.req.raw));
  return app;
}

function status(door: Door, request: Request): Response {
  queryOf(request, []);
  return door.replies.json(request, 200, JSON.stringify(door.service.status()));
}

async function addMember(door: Door, request: Request): Promise<Response> {
  const member = takeMember(await takeJson(door, request));
  return members(door, request, await decided(door.cluster.addMember(member)));
}

async function removeMember(door: Door, request: Request): Promise<Response> {
  fieldsOf(await takeJson(door, request, {}), "the body", []);
  const id = lastPartOfPath(request);
  if (id === null || !isNodeId(id)) {
    throw new HttpProblem("unknown-member", "No member can have this id.");
  }
  return members(door, request, await decided(door.cluster.removeMember(id)));
}

function members(door: Door, request: Request, list: readonly MemberStatus[]): Response {
  return door.replies.json(request, 200, JSON.stringify({ members: list }));
}

async function transfer(door: Door, request: Request): Promise<Response> {
  const to = takeTarget(await takeJson(door, request, {}));
  const leader = await decided(door.cluster.transferLeadership(to));
  return door.replies.json(request, 200, JSON.stringify({ leader }));
}

async function snapshot(door: Door, request: Request): Promise<Response> {
  fieldsOf(await takeJson(door, request, {}), "the body", []);
  const snapshotIndex = await door.cluster.takeSnapshot();
  return door.replies.json(request, 200, JSON.stringify({ snapshotIndex }));
}

async function backup(door: Door, request: Request): Promise<Response> {
  queryOf(request, []);
  // Its headers would have to say what only a copy of the whole state can tell, its length included.
  if (request.method === "HEAD") throw methodNotAllowed(["GET"]);
  return door.replies.backup(request, await door.cluster.backup());
}

/** A change that may have happened is told as that, and how to find out. */
async function decided<T>(change: Promise<T>): Promise<T> {
  try {
    return await change;
  } catch (error) {
    if (!(error instanceof OutcomeUnknown)) throw error;
    throw new HttpProblem(
      "outcome-unknown",
      "The request was taken up, and the deadline passed before its end was known. It may have " +
        "happened, or still happen: GET /v1/cluster shows who is a member and who leads.",
    );
  }
}

/** Refuses what is a condition elsewhere, and would be dropped in silence here. */
function checkUnconditional(request: Request): void {
  queryOf(request, []);
  for (const name of ["if-match", "if-none-match", "idempotency-key"]) {
    refuseHeader(request.headers, name);
  }
}

/**
 * The body as JSON. Without `absent` there must be one.
 *
 * @throws {HttpProblem} as `Bodies.read` and `parseJson`.
 */
async function takeJson(door: Door, request: Request, absent?: unknown): Promise<unknown> {
  checkUnconditional(request);
  const body = await door.bodies.read(request, ADMIN_BODY_BYTES_MAX);
  if (body.length === 0 && absent !== undefined) return absent;
  if (!isJsonBody(request.headers)) {
    throw new HttpProblem("unsupported-media-type", "The body's Content-Type is application/json.");
  }
  return parseJson(body, ADMIN_DEPTH_MAX);
}
