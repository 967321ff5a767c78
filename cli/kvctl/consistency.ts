/**
 * What a read must see, and what it may cost: the flags of `get` and `list`, and what the nodes say was
 * done.
 *
 * @module
 */
import { UsageError, wholeNumber } from "../args.ts";
import type { Context } from "./command.ts";
import { STALENESS_MAX_MS } from "./limits.ts";

export const consistencyFlags = ["consistency", "min", "max-staleness-ms"] as const;

export const consistencyHelp =
  `  --consistency C        linearizable (the default: every write acknowledged before is seen), lease (the
                         same, cheaper, by the leader's clock), session, or eventual (this node's state)
  --min VS               session: a state that has the versionstamp VS; one that put printed, or readAt of
                         an earlier read (--json prints it)
  --max-staleness-ms N   eventual: a state that is at most N ms old`;

const modes = ["linearizable", "lease", "session", "eventual"];

/**
 * Adds to `query` what the flags ask for.
 *
 * @throws {UsageError}
 */
export function addConsistency({ args }: Context, query: URLSearchParams): void {
  const mode = args.values.get("consistency");
  const min = args.values.get("min");
  const staleness = args.values.get("max-staleness-ms");
  const problems: string[] = [];
  if (mode !== undefined && !modes.includes(mode)) {
    problems.push(`--consistency takes ${modes.join(", ")}, not ${mode}`);
  }
  if (min !== undefined && mode !== "session") {
    problems.push("--min goes with --consistency session only");
  }
  if (min !== undefined && !/^[0-9a-f]{20}$/.test(min)) {
    problems.push(`--min takes a versionstamp, 20 hex digits, not ${min}`);
  }
  if (staleness !== undefined && mode !== "eventual") {
    problems.push("--max-staleness-ms goes with --consistency eventual only");
  }
  if (staleness !== undefined && wholeNumber(staleness, 0, STALENESS_MAX_MS) === null) {
    problems.push(`--max-staleness-ms takes a whole number, not ${staleness}`);
  }
  if (problems.length > 0) throw new UsageError(problems);
  if (mode !== undefined) query.set("consistency", mode);
  if (min !== undefined) query.set("min", min);
  if (staleness !== undefined) query.set("maxStalenessMs", staleness);
}

/** What an answer says of the state that was read; nothing for a linearizable read that asked for no more. */
export interface Served {
  readonly consistency?: string;
  /** What a later `--min` takes, so as not to go back behind this read. */
  readonly readAt?: string;
  readonly stalenessMs?: number;
}

export function servedOf(headers: Headers): Served {
  const consistency = headers.get("x-kvorum-consistency");
  const readAt = headers.get("x-kvorum-versionstamp");
  const stalenessMs = headers.get("x-kvorum-staleness-ms");
  return {
    ...(consistency === null ? {} : { consistency }),
    ...(readAt === null ? {} : { readAt }),
    ...(stalenessMs === null ? {} : { stalenessMs: Number(stalenessMs) }),
  };
}
