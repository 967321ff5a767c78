/**
 * Lost and doubled writes: holds the final state of a store against what its clients were told. Much weaker
 * than linearizability, and independent of it: it shares no code with the checker, costs one pass, and
 * catches what nobody read while it mattered.
 *
 * - A **counter** (a key that only sums touch) is what was acknowledged, and of the unknown sums each once or
 *   not at all.
 * - A **ledger** (a key that keeps every write; under which nothing is ever overwritten) holds every
 *   acknowledged value once, every unknown one at most once, and nothing else.
 * - A **register** (any other key) holds what some write left there that no acknowledged write has overwritten
 *   since.
 *
 * @module
 */
import { SUBSET_SUMS_MAX } from "./limits.ts";
import {
  compareVersionstamps,
  type Operation,
  type Value,
  type Versionstamp,
  type WriteOperation,
} from "./types.ts";

/** Something that the store holds in the end. A ledger has one for each of its values. */
export interface FinalEntry {
  readonly key: string;
  readonly value: Value;
  readonly versionstamp?: Versionstamp;
}

/** What is wrong with the final state. */
export interface Discrepancy {
  readonly kind: "lost" | "doubled" | "invented";
  readonly key: string;
  /** For people. */
  readonly message: string;
}

/** How keys are to be taken. */
export interface AccountingOptions {
  readonly isLedger?: (key: string) => boolean;
}

/** Holds a final state against a history. @returns what is wrong; nothing, if nothing is. */
export function account(
  history: readonly Operation[],
  final: readonly FinalEntry[],
  { isLedger = () => false }: AccountingOptions = {},
): readonly Discrepancy[] {
  const writes = writesByKey(history);
  const held = new Map<string, FinalEntry[]>();
  for (const entry of final) {
    const entries = held.get(entry.key);
    if (entries === undefined) held.set(entry.key, [entry]);
    else entries.push(entry);
  }
  const found: Discrepancy[] = [];
  for (const key of new Set([...writes.keys(), ...held.keys()])) {
    const entries = held.get(key) ?? [];
    const own = writes.get(key) ?? [];
    if (isLedger(key)) found.push(...accountLedger(key, own, entries));
    else if (entries.length > 1) {
      found.push({ kind: "doubled", key, message: `${key} is there ${entries.length} times` });
    } else if (own.length > 0 && own.every(isSum)) {
      found.push(...accountCounter(key, own, entries[0]));
    } else found.push(...accountRegister(key, own, entries[0]));
  }
  return found;
}

/** What one operation did to one key, or may have done. */
interface Write {
  readonly operation: WriteOperation;
  readonly certain: boolean;
  readonly mutations: WriteOperation["mutations"];
}

function writesByKey(history: readonly Operation[]): Map<string, Write[]> {
  const writes = new Map<string, Write[]>();
  for (const operation of history) {
    if (operation.op !== "write") continue;
    if (operation.outcome !== "ok" && operation.outcome !== "unknown") continue;
    for (const key of new Set(operation.mutations.map((it) => it.key))) {
      const mutations = operation.mutations.filter((it) => it.key === key);
      const write = { operation, certain: operation.outcome === "ok", mutations };
      const known = writes.get(key);
      if (known === undefined) writes.set(key, [write]);
      else known.push(write);
    }
  }
  return writes;
}

function isSum({ mutations }: Write): boolean {
  return mutations.every(({ type }) => type === "sum");
}

function amountOf({ mutations }: Write): number {
  return mutations.reduce((sum, it) => sum + (it.type === "sum" ? it.value : 0), 0);
}

function accountCounter(
  key: string,
  writes: readonly Write[],
  entry: FinalEntry | undefined,
): Discrepancy[] {
  const certain = writes.filter((it) => it.certain);
  const acknowledged = certain.reduce((sum, it) => sum + amountOf(it), 0);
  const unknown = writes.filter((it) => !it.certain).map(amountOf);
  if (entry !== undefined && typeof entry.value !== "number") {
    return [{
      kind: "invented",
      key,
      message: `${key} is counted, but holds ${show(entry.value)}`,
    }];
  }
  if (entry === undefined && certain.length > 0) {
    return [{ kind: "lost", key, message: `${key} is absent; acknowledged was ${acknowledged}` }];
  }
  const total = entry === undefined ? 0 : entry.value as number;
  const least = acknowledged + unknown.reduce((sum, it) => sum + Math.min(it, 0), 0);
  const most = acknowledged + unknown.reduce((sum, it) => sum + Math.max(it, 0), 0);
  const message = `${key} is ${total}; acknowledged was ${acknowledged}, ` +
    `with ${unknown.length} unknown it can be ${least} to ${most}`;
  if (total < least) return [{ kind: "lost", key, message }];
  if (total > most) return [{ kind: "doubled", key, message }];
  if (isSubsetSum(unknown, total - acknowledged)) return [];
  return [{ kind: "invented", key, message: `${message}, but no choice of these adds up to it` }];
}

/** Whether some of the amounts add up. When they make too many totals to follow, the answer is yes. */
function isSubsetSum(amounts: readonly number[], total: number): boolean {
  let totals = new Set([0]);
  for (const amount of amounts) {
    const more = new Set(totals);
    for (const it of totals) more.add(it + amount);
    if (more.size > SUBSET_SUMS_MAX) return true;
    totals = more;
  }
  return totals.has(total);
}

function accountLedger(
  key: string,
  writes: readonly Write[],
  entries: readonly FinalEntry[],
): Discrepancy[] {
  const found: Discrepancy[] = [];
  const allowed = new Map<Value, { certain: number; possible: number }>();
  for (const { certain, mutations } of writes) {
    for (const mutation of mutations) {
      if (mutation.type !== "set") continue;
      const count = allowed.get(mutation.value) ?? { certain: 0, possible: 0 };
      count.possible++;
      if (certain) count.certain++;
      allowed.set(mutation.value, count);
    }
  }
  const held = new Map<Value, number>();
  for (const { value } of entries) held.set(value, (held.get(value) ?? 0) + 1);
  for (const [value, { certain, possible }] of allowed) {
    const times = held.get(value) ?? 0;
    const message = `${key} holds ${show(value)} ${times} times; ` +
      `it was written ${certain} times for certain, ${possible} at most`;
    if (times < certain) found.push({ kind: "lost", key, message });
    if (times > possible) found.push({ kind: "doubled", key, message });
  }
  for (const value of held.keys()) {
    if (allowed.has(value)) continue;
    found.push({
      kind: "invented",
      key,
      message: `${key} holds ${show(value)}, which nobody wrote`,
    });
  }
  return found;
}

function accountRegister(
  key: string,
  writes: readonly Write[],
  entry: FinalEntry | undefined,
): Discrepancy[] {
  const last = writes.filter((write) => !isOverwritten(write, writes));
  // Absent is also what a key is that nobody has written for certain.
  const mayBeAbsent = !last.some((it) => it.certain) || last.some((it) => mayLeave(it, undefined));
  const possible = entry === undefined ? mayBeAbsent : last.some((it) => mayLeave(it, entry));
  if (possible) return [];
  const now = entry === undefined ? "absent" : show(entry.value) + stampText(entry.versionstamp);
  const wasWritten = entry === undefined || writes.some((it) => mayLeave(it, entry));
  if (!wasWritten) {
    return [{ kind: "invented", key, message: `${key} is ${now}, which no write left there` }];
  }
  const over = last.find((it) => it.certain)?.operation;
  const by = over === undefined ? "" : ` by ${over.client} at ${over.completedAt}`;
  return [{ kind: "lost", key, message: `${key} is ${now}, but was overwritten${by}` }];
}

/** Whether an acknowledged write certainly came later: by their versions, or in time. */
function isOverwritten(write: Write, writes: readonly Write[]): boolean {
  const { outcome, completedAt } = write.operation;
  const stamp = stampOf(write);
  return writes.some((other) => {
    if (other === write || !other.certain) return false;
    const otherStamp = stampOf(other);
    if (stamp !== undefined && otherStamp !== undefined) {
      return compareVersionstamps(stamp, otherStamp) < 0;
    }
    return outcome === "ok" && completedAt! < other.operation.invokedAt;
  });
}

/** Whether the key may look so after a write, if nothing came later. */
function mayLeave(write: Write, entry: FinalEntry | undefined): boolean {
  const mutation = write.mutations.at(-1)!;
  if (entry === undefined) return mutation.type === "delete";
  if (mutation.type === "delete") return false;
  const stamp = stampOf(write);
  if (stamp !== undefined && entry.versionstamp !== undefined && stamp !== entry.versionstamp) {
    return false;
  }
  // What arithmetic leaves depends on what was there.
  return mutation.type === "set" ? mutation.value === entry.value : typeof entry.value === "number";
}

function stampOf({ operation }: Write): Versionstamp | undefined {
  return operation.outcome === "ok" ? operation.versionstamp : undefined;
}

function stampText(versionstamp: Versionstamp | undefined): string {
  return versionstamp === undefined ? "" : ` @${versionstamp}`;
}

function show(value: Value): string {
  return JSON.stringify(value);
}
