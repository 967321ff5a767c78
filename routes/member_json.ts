/**
 * Reads what operators send as JSON, strictly: a member to be added, the target of a transfer.
 *
 * @module
 */
import type { MemberRequest } from "../actors/service.ts";
import { fieldsOf } from "./fields.ts";
import { ORIGIN_CHARS_MAX, PORT_MAX } from "./limits.ts";
import { HttpProblem } from "./problem.ts";

const NAME = /^[A-Za-z0-9._-]{1,64}$/;
/** What `URL` would repair, such as a missing slash, is refused. */
const ORIGIN = /^https?:\/\/[^\s/?#@\\]+\/?$/i;
/** The host of `host:port`; IPv6 stands in brackets. */
const PEER = /^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):(\d{1,5})$/;

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const MEMBER_FIELDS = ["id", "url", "peer", "role", "replaces", "clusterId"];

/**
 * The member that a request's body describes.
 *
 * @throws {HttpProblem} `bad-request`.
 */
export function takeMember(json: unknown): MemberRequest {
  const fields = fieldsOf(json, "the body", MEMBER_FIELDS);
  const id = takeName("id", fields.id);
  const role = fields.role ?? "voter";
  if (role !== "voter" && role !== "learner") {
    throw new HttpProblem("bad-request", "role is voter or learner; voter unless told.");
  }
  const replaces = takeNullable("replaces", fields.replaces);
  if (replaces !== null && role === "learner") {
    throw new HttpProblem("bad-request", "A learner replaces nobody: replaces is for a voter.");
  }
  if (replaces === id) {
    throw new HttpProblem("bad-request", "A member cannot replace itself: give it another id.");
  }
  return {
    id,
    url: takeOrigin(fields.url),
    peer: takePeer(fields.peer),
    role,
    replaces,
    clusterId: takeClusterId(fields.clusterId),
  };
}

/**
 * Whom the body names as the next leader; null for the voter best prepared.
 *
 * @throws {HttpProblem} `bad-request`.
 */
export function takeTarget(json: unknown): string | null {
  return takeNullable("to", fieldsOf(json, "the body", ["to"]).to);
}

/** Whether this may be the id of a node. */
export function isNodeId(text: string): boolean {
  return NAME.test(text);
}

function takeName(what: string, json: unknown): string {
  if (typeof json === "string" && NAME.test(json)) return json;
  throw new HttpProblem(
    "bad-request",
    `${what} is a string of 1 to 64 letters, digits, dots, dashes and underscores.`,
  );
}

function takeNullable(what: string, json: unknown): string | null {
  return json === undefined || json === null ? null : takeName(what, json);
}

/** Gives the UUID in lowercase, as nodes have it: case does not tell UUIDs apart (RFC 9562, 4). */
function takeClusterId(json: unknown): string | null {
  if (json === undefined || json === null) return null;
  if (typeof json === "string" && UUID.test(json)) return json.toLowerCase();
  throw new HttpProblem(
    "bad-request",
    "clusterId is a UUID, as GET /v1/cluster tells it, or null.",
  );
}

/** Gives the origin as `URL` writes it, so that one address is written in one way. */
function takeOrigin(json: unknown): string {
  if (
    typeof json === "string" && json.length <= ORIGIN_CHARS_MAX && ORIGIN.test(json) &&
    URL.canParse(json)
  ) return new URL(json).origin;
  throw new HttpProblem(
    "bad-request",
    "url is where clients reach the node: http:// or https://, a host and a port, and nothing behind " +
      "them, such as http://10.0.0.4:8001.",
  );
}

function takePeer(json: unknown): string {
  const port = typeof json === "string" ? PEER.exec(json)?.[1] : undefined;
  if (port !== undefined && Number(port) >= 1 && Number(port) <= PORT_MAX) return json as string;
  throw new HttpProblem(
    "bad-request",
    "peer is where the other nodes reach the node: host:port, such as 10.0.0.4:9001 or [fd00::4]:9001.",
  );
}
