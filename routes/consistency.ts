/**
 * How a read says what it must see, and how its answer says what was done for it: the parameters
 * `consistency`, `min` and `maxStalenessMs`, and the headers `x-kvorum-consistency`,
 * `x-kvorum-versionstamp` and `x-kvorum-staleness-ms`.
 *
 * A read in the default mode neither carries nor gets any of them, and pays nothing for them.
 *
 * @module
 */
import { type Consistency, LINEARIZABLE, type ServedRead } from "../actors/service.ts";
import { formatVersionstamp, InvalidVersionstamp, parseVersionstamp } from "../kv/versionstamp.ts";
import { integerParameter, type Query } from "./address.ts";
import { STALENESS_MS_MAX } from "./limits.ts";
import { HttpProblem } from "./problem.ts";

/** The parameters of every read. */
export const CONSISTENCY_PARAMETERS: readonly string[] = ["consistency", "min", "maxStalenessMs"];

const LEASE: Consistency = { mode: "lease" };
/** Behind every versionstamp of its index: whoever has seen the state has seen all of that entry. */
const ORDER_LAST = 0xffff;

/**
 * What a read asks for; `linearizable` unless told.
 *
 * @throws {HttpProblem} `bad-query` for an unknown mode, or a parameter of another mode than the one named.
 */
export function consistencyOf(query: Query): Consistency {
  if (query.size === 0) return LINEARIZABLE;
  const mode = query.get("consistency") ?? "linearizable";
  refuseParameter(query, "min", "session", mode);
  refuseParameter(query, "maxStalenessMs", "eventual", mode);
  switch (mode) {
    case "linearizable":
      return LINEARIZABLE;
    case "lease":
      return LEASE;
    case "session":
      return { mode, minIndex: minIndexOf(query.get("min")) };
    case "eventual": {
      const maxStalenessMs = integerParameter(query, "maxStalenessMs", 0, STALENESS_MS_MAX);
      return { mode, maxStalenessMs };
    }
    default:
      throw new HttpProblem(
        "bad-query",
        "consistency is linearizable, which is the default, lease, session or eventual.",
      );
  }
}

/** Further headers of an answer; null for none. */
export type ServedHeaders = Readonly<Record<string, string>> | null;

/** What the answer to a read says of it: nothing in the default mode. */
export function servedHeaders(consistency: Consistency, read: ServedRead): ServedHeaders {
  if (consistency.mode === "linearizable") return null;
  const headers: Record<string, string> = {
    "x-kvorum-consistency": read.served,
    "x-kvorum-versionstamp": formatVersionstamp({ index: read.index, order: ORDER_LAST }),
  };
  if (read.stalenessMs !== null) {
    // Rounded up: it is a bound.
    headers["x-kvorum-staleness-ms"] = String(Math.ceil(read.stalenessMs));
  }
  return headers;
}

/** Adds the headers to an answer. */
export function served(response: Response, headers: ServedHeaders): Response {
  if (headers === null) return response;
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

function refuseParameter(query: Query, name: string, ofMode: string, mode: string): void {
  if (mode === ofMode || !query.has(name)) return;
  throw new HttpProblem("bad-query", `${name} is taken with consistency=${ofMode} only.`);
}

/** The log index of a versionstamp; 0, which every replica has applied, without one. */
function minIndexOf(min: string | undefined): number {
  if (min === undefined) return 0;
  try {
    return parseVersionstamp(min).index;
  } catch (error) {
    if (!(error instanceof InvalidVersionstamp)) throw error;
    throw new HttpProblem("bad-query", "min is a versionstamp: 20 lowercase hex digits.");
  }
}
