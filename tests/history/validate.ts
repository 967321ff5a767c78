/**
 * Holds one operation against the shape that types.ts describes, whoever brings it: a file, a simulator.
 *
 * @module
 */

/** @returns what is wrong with it, or null. Accepts anything; what it accepts is an `Operation`. */
export function faultOf(it: unknown): string | null {
  if (!isObject(it)) return "it is no object";
  if (typeof it.client !== "string") return `client is no text: ${show(it.client)}`;
  if (!isTime(it.invokedAt)) return `invokedAt is no time: ${show(it.invokedAt)}`;
  if (it.completedAt === null) {
    if (it.outcome !== "unknown") {
      return `completedAt is null, but the outcome is ${show(it.outcome)}`;
    }
  } else {
    if (!isTime(it.completedAt)) return `completedAt is no time: ${show(it.completedAt)}`;
    if (it.completedAt < it.invokedAt) {
      return `it completed at ${it.completedAt}, before it was invoked at ${it.invokedAt}`;
    }
  }
  if (it.op === "read") return faultOfRead(it);
  if (it.op === "write") return faultOfWrite(it);
  return `op is neither "read" nor "write": ${show(it.op)}`;
}

const spanFields = ["client", "invokedAt", "completedAt", "op", "outcome"];

function faultOfRead(it: Record<string, unknown>): string | null {
  const { keys, outcome } = it;
  if (!Array.isArray(keys) || keys.length === 0 || !keys.every((key) => typeof key === "string")) {
    return `keys is no list of texts: ${show(keys)}`;
  }
  if (new Set(keys).size < keys.length) return `a key is read twice: ${show(keys)}`;
  if (outcome === "failed" || outcome === "unknown") return strangerIn(it, [...spanFields, "keys"]);
  if (outcome !== "ok") return `outcome of a read is none: ${show(outcome)}`;
  const { entries } = it;
  if (!Array.isArray(entries) || entries.length !== keys.length) {
    return `entries is no list of ${keys.length}, one a key: ${show(entries)}`;
  }
  for (const entry of entries) {
    if (entry === null) continue;
    if (!isObject(entry) || !isValue(entry.value)) return `no entry: ${show(entry)}`;
    if (entry.versionstamp !== undefined && !isStamp(entry.versionstamp)) {
      return `no versionstamp: ${show(entry.versionstamp)}`;
    }
    const fault = strangerIn(entry, ["value", "versionstamp"]);
    if (fault !== null) return fault;
  }
  return strangerIn(it, [...spanFields, "keys", "entries"]);
}

function faultOfWrite(it: Record<string, unknown>): string | null {
  const { checks, mutations, outcome } = it;
  if (!Array.isArray(checks)) return `checks is no list: ${show(checks)}`;
  if (!Array.isArray(mutations)) return `mutations is no list: ${show(mutations)}`;
  for (const check of checks) {
    const fault = faultOfCheck(check);
    if (fault !== null) return fault;
  }
  for (const mutation of mutations) {
    const fault = faultOfMutation(mutation);
    if (fault !== null) return fault;
  }
  const fields = [...spanFields, "checks", "mutations"];
  if (outcome === "failed" || outcome === "unknown") return strangerIn(it, fields);
  if (outcome === "ok") {
    if (it.versionstamp !== undefined && !isStamp(it.versionstamp)) {
      return `no versionstamp: ${show(it.versionstamp)}`;
    }
    return strangerIn(it, [...fields, "versionstamp"]);
  }
  if (outcome !== "check-failed") return `outcome of a write is none: ${show(outcome)}`;
  if (checks.length === 0) return "a check failed, but there is none";
  const { failedChecks } = it;
  if (failedChecks !== undefined) {
    const isPosition = (at: unknown) => Number.isInteger(at) && (at as number) in checks;
    if (
      !Array.isArray(failedChecks) || failedChecks.length === 0 || !failedChecks.every(isPosition)
    ) {
      return `failedChecks is no list of positions in checks: ${show(failedChecks)}`;
    }
  }
  return strangerIn(it, [...fields, "failedChecks"]);
}

function faultOfCheck(check: unknown): string | null {
  if (!isObject(check) || typeof check.key !== "string") return `no check: ${show(check)}`;
  const { value, versionstamp } = check;
  if ((value === undefined) === (versionstamp === undefined)) {
    return `a check has either a value or a versionstamp: ${show(check)}`;
  }
  if (value !== undefined && value !== null && !isValue(value)) return `no value: ${show(value)}`;
  if (versionstamp !== undefined && versionstamp !== null && !isStamp(versionstamp)) {
    return `no versionstamp: ${show(versionstamp)}`;
  }
  return strangerIn(check, ["key", "value", "versionstamp"]);
}

function faultOfMutation(mutation: unknown): string | null {
  if (!isObject(mutation) || typeof mutation.key !== "string") {
    return `no mutation: ${show(mutation)}`;
  }
  const { type, value } = mutation;
  if (type === "delete") return strangerIn(mutation, ["type", "key"]);
  if (type !== "set" && type !== "sum" && type !== "min" && type !== "max") {
    return `type of a mutation is none: ${show(type)}`;
  }
  if (type === "set" ? !isValue(value) : !Number.isSafeInteger(value)) {
    return `cannot ${type} this value: ${show(value)}`;
  }
  return strangerIn(mutation, ["type", "key", "value"]);
}

/** A field that nobody reads is a mistake of who wrote it. */
function strangerIn(it: Record<string, unknown>, fields: readonly string[]): string | null {
  const stranger = Object.keys(it).find((field) => !fields.includes(field));
  return stranger === undefined ? null : `unknown field ${show(stranger)}`;
}

function isObject(it: unknown): it is Record<string, unknown> {
  return typeof it === "object" && it !== null && !Array.isArray(it);
}

function isTime(it: unknown): it is number {
  return typeof it === "number" && Number.isFinite(it);
}

function isValue(it: unknown): boolean {
  return typeof it === "string" || Number.isSafeInteger(it);
}

function isStamp(it: unknown): boolean {
  return typeof it === "string" && it !== "";
}

function show(it: unknown): string {
  return it === undefined ? "nothing" : JSON.stringify(it);
}
