/**
 * Reads that name the version of the state that they show (session and eventual ones), held against what was
 * written: an answer that says it is of version V must be what the writes up to V have left behind.
 *
 * Without that, their bounds would be judged by what the answer says of itself.
 *
 * @module
 */
import {
  compareVersionstamps,
  type Entry,
  type Operation,
  type Versionstamp,
  type WriteOperation,
} from "../history/mod.ts";
import type { Finding } from "./verdict.ts";

/** What such a read has shown. */
export interface Look {
  readonly client: string;
  readonly kind: string;
  readonly key: string;
  /** Null: absent. */
  readonly entry: Entry | null;
  /** The version that the whole state is said to be of. */
  readonly versionstamp: Versionstamp;
}

/** The writes of one key. */
interface Writes {
  /** By version. */
  readonly acknowledged: WriteOperation[];
  /** May have happened at any version. */
  readonly unknown: WriteOperation[];
}

const NO_WRITES: Writes = { acknowledged: [], unknown: [] };

/** Holds every look against the history. */
export function judgeLooks(looks: readonly Look[], operations: readonly Operation[]): Finding {
  const writes = writesByKey(operations);
  const wrong = looks.flatMap((look) => {
    const why = faultOf(look, writes.get(look.key) ?? NO_WRITES);
    if (why === null) return [];
    const { client, kind, key, entry, versionstamp } = look;
    const shown = entry === null ? "nothing" : `${entry.value} @${entry.versionstamp}`;
    return [`${client}: a ${kind} at ${versionstamp} shows ${key} = ${shown}: ${why}`];
  });
  return {
    what: "session and eventual reads show the state that they say",
    isGood: wrong.length === 0,
    detail: [`${looks.length} of them, ${wrong.length} wrong`, ...wrong.slice(0, 10)].join("\n  "),
  };
}

function writesByKey(operations: readonly Operation[]): Map<string, Writes> {
  const writes = new Map<string, Writes>();
  for (const operation of operations) {
    if (operation.op !== "write") continue;
    if (operation.outcome !== "ok" && operation.outcome !== "unknown") continue;
    for (const key of new Set(operation.mutations.map((mutation) => mutation.key))) {
      const known = writes.get(key) ?? { acknowledged: [], unknown: [] };
      writes.set(key, known);
      known[operation.outcome === "ok" ? "acknowledged" : "unknown"].push(operation);
    }
  }
  for (const { acknowledged } of writes.values()) {
    acknowledged.sort((a, b) => compareVersionstamps(stampOf(a), stampOf(b)));
  }
  return writes;
}

/** Why a look cannot be; null if it can. */
function faultOf({ key, entry, versionstamp }: Look, writes: Writes): string | null {
  const { acknowledged, unknown } = writes;
  const last = acknowledged.findLast((it) => compareVersionstamps(stampOf(it), versionstamp) <= 0);
  if (entry === null) {
    if (last === undefined || mayLeave(last, key, null)) return null;
    if (unknown.some((it) => mayLeave(it, key, null))) return null;
    return `${stampOf(last)} was acknowledged, and nothing has deleted it`;
  }
  const stamp = entry.versionstamp!;
  if (compareVersionstamps(stamp, versionstamp) > 0) return "it is later than that";
  if (last !== undefined && compareVersionstamps(stampOf(last), stamp) > 0) {
    return `${stampOf(last)} was acknowledged, and is later`;
  }
  const author = acknowledged.find((it) => stampOf(it) === stamp);
  const authors = author === undefined ? unknown : [author];
  return authors.some((it) => mayLeave(it, key, entry)) ? null : "nobody wrote that";
}

/** Whether a write may leave the key so. What arithmetic comes to depends on what was there. */
function mayLeave({ mutations }: WriteOperation, key: string, entry: Entry | null): boolean {
  const mutation = mutations.findLast((it) => it.key === key)!;
  if (entry === null || mutation.type === "delete") {
    return entry === null === (mutation.type === "delete");
  }
  return mutation.type === "set" ? mutation.value === entry.value : typeof entry.value === "number";
}

/** Kvorum tells the version of every write that it acknowledges. */
function stampOf(write: WriteOperation): Versionstamp {
  return write.outcome === "ok" ? write.versionstamp! : "";
}
