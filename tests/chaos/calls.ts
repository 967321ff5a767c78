/**
 * The operations of a history as requests of Kvorum's HTTP interface, and its answers as their outcomes
 * (docs/http.md).
 *
 * Strings are stored as JSON strings, numbers as 64-bit integers.
 *
 * @module
 */
import type {
  Check,
  Entry,
  Mutation,
  ReadAction,
  ReadOutcome,
  Value,
  WriteAction,
  WriteOutcome,
} from "../history/mod.ts";
import type { Answer, CallRequest } from "./http_client.ts";

/** What an answer says of the operation that it answers. */
export type Said<O> =
  | { readonly type: "outcome"; readonly outcome: O; readonly headers: ReadonlyMap<string, string> }
  /** Certainly not done; may be asked again. */
  | { readonly type: "refused"; readonly why: string }
  /** May have been done. */
  | { readonly type: "unknown"; readonly why: string }
  /** No answer that this request may have: a defect. */
  | { readonly type: "wrong"; readonly why: string };

/** What a read asks for beside its keys, as a query without its mark; empty for a linearizable one. */
export type Freshness = string;

/** A key of several parts is written with slashes, as in a path. */
const partsOf = (key: string) => key.split("/");

/** A read of one key; or of several of one prefix, as one page of a list. */
export function readCall({ keys }: ReadAction, freshness: Freshness): CallRequest {
  if (keys.length === 1) {
    const query = freshness === "" ? "" : `?${freshness}`;
    return { method: "GET", path: `/v1/kv/${keys[0]}${query}` };
  }
  const prefix = prefixOf(keys);
  const query = freshness === "" ? "" : `&${freshness}`;
  return { method: "GET", path: `/v1/kv?prefix=${prefix}${query}` };
}

/** All but the last part, which all keys share. */
function prefixOf(keys: readonly string[]): string {
  const prefixes = new Set(keys.map((key) => key.slice(0, key.lastIndexOf("/"))));
  if (prefixes.size !== 1) throw new Error(`Cannot read ${keys} at once: they share no prefix`);
  return [...prefixes][0];
}

export function readAnswer({ keys }: ReadAction, answer: Answer): Said<ReadOutcome> {
  const unanswered = failureOf(answer);
  if (unanswered !== null) return unanswered;
  const { status, headers, body } = answer as Extract<Answer, { type: "answered" }>;
  const said = (entries: (Entry | null)[]): Said<ReadOutcome> => {
    return { type: "outcome", outcome: { outcome: "ok", entries }, headers };
  };
  if (keys.length > 1 && status === 200) return said(listed(keys, body));
  if (keys.length === 1 && status === 404) return said([null]);
  if (keys.length === 1 && status === 200) {
    const value = valueOf(JSON.parse(body), headers.get("x-kvorum-encoding"));
    return said([{ value, versionstamp: unquoted(headers.get("etag")) }]);
  }
  return wrong(status, body);
}

function listed(keys: readonly string[], body: string): (Entry | null)[] {
  const { entries } = readPage(body);
  const found = new Map(entries.map(({ key, ...entry }) => [key, entry]));
  return keys.map((key) => found.get(key) ?? null);
}

/** A page of a list, as it was answered; `cursor` is "" behind the last one. */
export function readPage(
  body: string,
): { readonly entries: (Required<Entry> & { readonly key: string })[]; readonly cursor: string } {
  const { entries, cursor } = JSON.parse(body) as {
    entries: { key: string[]; value: unknown; encoding: string; versionstamp: string }[];
    cursor: string;
  };
  return {
    entries: entries.map(({ key, value, encoding, versionstamp }) => {
      return { key: key.join("/"), value: valueOf(value, encoding), versionstamp };
    }),
    cursor,
  };
}

function valueOf(json: unknown, encoding: string | undefined): Value {
  if (typeof json !== "string") throw new Error(`Cannot read value: ${JSON.stringify(json)}`);
  return encoding === "le64" ? Number(json) : json;
}

/** How a write is asked for: as an atomic write, or through the door of single keys where that can say it. */
export type Door = "atomic" | "key";

export function writeCall(
  action: WriteAction,
  door: Door,
  idempotencyKey: string | null,
  expireInMs: number | null = null,
): CallRequest {
  const keyed: Record<string, string> = idempotencyKey === null
    ? {}
    : { "idempotency-key": idempotencyKey };
  const { checks, mutations } = action;
  const headers = { ...keyed, "content-type": "application/json" };
  if (door === "atomic") {
    const body = JSON.stringify({
      checks: checks.map(checkJson),
      mutations: mutations.map((mutation) => mutationJson(mutation, expireInMs)),
    });
    return { method: "POST", path: "/v1/atomic", headers, body };
  }
  const [mutation] = mutations;
  if (mutations.length !== 1 || checks.length > 1) throw new Error("Cannot ask for that by key");
  const path = `/v1/kv/${mutation.key}`;
  const conditions = checks.length === 0 ? {} : conditionOf(checks[0], mutation);
  if (mutation.type === "delete") {
    return { method: "DELETE", path, headers: { ...keyed, ...conditions } };
  }
  if (mutation.type !== "set") throw new Error(`Cannot ask for ${mutation.type} by key`);
  const body = JSON.stringify(mutation.value);
  const query = expireInMs === null ? "" : `?expireIn=${expireInMs}`;
  return { method: "PUT", path: `${path}${query}`, headers: { ...headers, ...conditions }, body };
}

function conditionOf(check: Check, mutation: Mutation): Record<string, string> {
  if (!("versionstamp" in check) || check.key !== mutation.key) {
    throw new Error("Cannot ask for that condition by key");
  }
  if (check.versionstamp !== null) return { "if-match": `"${check.versionstamp}"` };
  if (mutation.type === "delete") throw new Error("Cannot ask for that condition of a delete");
  return { "if-none-match": "*" };
}

function checkJson(check: Check) {
  if (!("versionstamp" in check)) throw new Error("Cannot check a value: only versions");
  return { key: partsOf(check.key), versionstamp: check.versionstamp };
}

function mutationJson(mutation: Mutation, expireInMs: number | null) {
  const { type } = mutation;
  const key = partsOf(mutation.key);
  if (type === "delete") return { type, key };
  if (type !== "set") return { type, key, value: String(mutation.value) };
  const expiry = expireInMs === null ? {} : { expireIn: expireInMs };
  if (typeof mutation.value === "string") return { type, key, value: mutation.value, ...expiry };
  return { type, key, value: String(mutation.value), encoding: "le64", ...expiry };
}

export function writeAnswer(answer: Answer): Said<WriteOutcome> {
  const unanswered = failureOf(answer);
  if (unanswered !== null) return unanswered;
  const { status, headers, body } = answer as Extract<Answer, { type: "answered" }>;
  const said = (outcome: WriteOutcome): Said<WriteOutcome> => ({
    type: "outcome",
    outcome,
    headers,
  });
  if (status === 200) {
    return said({ outcome: "ok", versionstamp: JSON.parse(body).versionstamp });
  }
  if (status === 412) return said({ outcome: "check-failed", failedChecks: [0] });
  if (status === 409) {
    const { failedChecks } = JSON.parse(body) as { failedChecks?: number[] };
    if (failedChecks !== undefined) return said({ outcome: "check-failed", failedChecks });
  }
  return wrong(status, body);
}

/** What an answer says that is none; null if it is one. */
function failureOf(answer: Answer): Said<never> | null {
  if (answer.type === "refused") return { type: "refused", why: "nobody listens" };
  if (answer.type === "broken") return { type: "unknown", why: answer.why };
  if (answer.status === 503) return { type: "refused", why: codeOf(answer.body) };
  if (answer.status === 504) return { type: "unknown", why: codeOf(answer.body) };
  return null;
}

function codeOf(body: string): string {
  return /"code":"([^"]*)"/.exec(body)?.[1] ?? body.slice(0, 200);
}

function wrong(status: number, body: string): Said<never> {
  return { type: "wrong", why: `${status} ${body.slice(0, 500)}` };
}

function unquoted(etag: string | undefined): string | undefined {
  return etag === undefined ? undefined : etag.replace(/^"|"$/g, "");
}
