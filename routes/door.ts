/**
 * What every door holds: the services behind it and how it answers; and the little that doors share.
 *
 * @module
 */
import type { ClusterService, KvService, WriteResult } from "../actors/service.ts";
import type { AtomicWrite } from "../kv/types.ts";
import { checkAtomicWrite, InvalidWrite, LimitExceeded } from "../kv/validate.ts";
import type { Bodies } from "./bodies.ts";
import { HttpProblem, problemOfRefusal } from "./problem.ts";
import type { Replies } from "./reply.ts";

export interface Door {
  readonly service: KvService;
  readonly cluster: ClusterService;
  readonly replies: Replies;
  readonly bodies: Bodies;
  /** The answer to a request that failed; a defect also leaves a line in the log. */
  failed(error: unknown, request: Request): Response;
}

/**
 * The write, held against the limits of the data model.
 *
 * @throws {HttpProblem} for a write beyond them.
 */
export function limited(write: AtomicWrite): AtomicWrite {
  checkLimits(write);
  return write;
}

/**
 * What became of a write: its versionstamp, or the checks that failed.
 *
 * @throws {HttpProblem} for a write that the state machine refused.
 */
export function accepted(result: WriteResult): Exclude<WriteResult, { status: "refused" }> {
  if (result.status === "refused") throw problemOfRefusal(result.code, result.message);
  return result;
}

function checkLimits(write: AtomicWrite): void {
  try {
    checkAtomicWrite(write);
  } catch (error) {
    if (error instanceof LimitExceeded) {
      const code = error.code === "key-too-large" ? "bad-key" : "too-large";
      throw new HttpProblem(code, `${error.field}: ${error.message}.`);
    }
    if (error instanceof InvalidWrite) {
      throw new HttpProblem("bad-request", `${error.field}: ${error.message}.`);
    }
    throw error;
  }
}
