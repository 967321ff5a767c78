/**
 * Administration between nodes: JSON in UTF-8 inside the peer messages `admin-request` and
 * `admin-reply`. It is rare, and read by people who debug; nothing is gained by a binary form.
 *
 * The transport vouches for who sent it. The form is checked all the same: what does not fit is
 * dropped, and its sender asks again, or gives up.
 *
 * @module
 */
import {
  type AdminCommand,
  type AdminOutcome,
  type AdminRefusalOfCore,
  REFUSALS,
} from "./admin_types.ts";
import { ADMIN_BODY_BYTES_MAX, ADMIN_TEXT_CHARS_MAX } from "./limits_replica.ts";
import type { MemberStatus } from "./service.ts";
import { isNodeId, type NodeId } from "../raft/types.ts";

/** What a node asks of the leader's node. */
export interface AdminQuestion {
  readonly command: AdminCommand;
  /** How long the asker will wait, in ms. */
  readonly timeoutMs: number;
}

const ROLES: readonly unknown[] = ["voter", "learner", "joining", "leaving"];

export function encodeAdmin(body: AdminQuestion | AdminOutcome): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(body));
}

/** Null for anything that is no question of this version. */
export function decodeQuestion(bytes: Uint8Array): AdminQuestion | null {
  const body = parse(bytes);
  if (!isRecord(body) || !isRecord(body.command)) return null;
  const { timeoutMs } = body;
  if (typeof timeoutMs !== "number" || !(timeoutMs > 0)) return null;
  const command = commandOf(body.command);
  return command === null ? null : { command, timeoutMs };
}

/** Null for anything that is no outcome of this version. */
export function decodeOutcome(bytes: Uint8Array): AdminOutcome | null {
  const body = parse(bytes);
  if (!isRecord(body)) return null;
  switch (body.status) {
    case "changed": {
      const { members } = body;
      if (!Array.isArray(members) || !members.every(isMemberStatus)) return null;
      return { status: "changed", members };
    }
    case "moved":
      return isId(body.leader) ? { status: "moved", leader: body.leader } : null;
    case "refused": {
      const { reason } = body;
      if (typeof reason !== "string" || !Object.hasOwn(REFUSALS, reason)) return null;
      return { status: "refused", reason: reason as AdminRefusalOfCore };
    }
    case "not-now":
    case "lost":
      return { status: body.status };
    default:
      return null;
  }
}

function commandOf(command: Record<string, unknown>): AdminCommand | null {
  if (command.op === "transfer") {
    const { to } = command;
    return to === null || isId(to) ? { op: "transfer", to } : null;
  }
  const { change, retried } = command;
  if (command.op !== "change" || typeof retried !== "boolean" || !isRecord(change)) return null;
  if (change.type === "remove" && isId(change.id)) {
    return { op: "change", change: { type: "remove", id: change.id }, retried };
  }
  const { type, member, voter, replaces } = change;
  if (type !== "add" || !isRecord(member) || typeof voter !== "boolean") return null;
  if (replaces !== null && !isId(replaces)) return null;
  const { id, url, peer } = member;
  if (!isId(id) || !isText(url) || !isText(peer)) return null;
  return { op: "change", change: { type, member: { id, url, peer }, voter, replaces }, retried };
}

function parse(bytes: Uint8Array): unknown {
  if (bytes.length > ADMIN_BODY_BYTES_MAX) return null;
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return null;
  }
}

function isMemberStatus(value: unknown): value is MemberStatus {
  return isRecord(value) && isId(value.id) && isText(value.url) && isText(value.peer) &&
    ROLES.includes(value.role);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isId(value: unknown): value is NodeId {
  return typeof value === "string" && isNodeId(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length <= ADMIN_TEXT_CHARS_MAX;
}
