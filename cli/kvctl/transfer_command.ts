/**
 * `kvctl transfer`: hands leadership to another voter.
 *
 * @module
 */
import { UsageError } from "../args.ts";
import { EXIT_OK } from "../exit_codes.ts";
import { isNodeId } from "../peers.ts";
import { answerJson, CallFailed, jsonCall } from "./client.ts";
import type { Command, Context } from "./command.ts";

export const transferCommand: Command = {
  name: "transfer",
  summary: "hands leadership to another voter",
  usage: "transfer [--to ID] [flags]",
  help:
    `Prints who leads then. A target that is dead, far behind or no voter is refused, and nothing happens.

  --to ID  the voter to lead; without it, the one best prepared`,
  flags: { values: ["to"] },
  positionalsMin: 0,
  positionalsMax: 0,
  run: transfer,
};

async function transfer({ args, client, io, json }: Context): Promise<number> {
  const to = args.values.get("to");
  if (to !== undefined && !isNodeId(to)) {
    throw new UsageError([`--to takes a node's id, not ${JSON.stringify(to)}`]);
  }
  const request = to === undefined ? {} : { to };
  const call = jsonCall("POST", "/v1/cluster/transfer", request, "kvctl status");
  const { leader } = (answerJson(await client.call(call)) ?? {}) as Record<string, unknown>;
  if (typeof leader !== "string") {
    throw new CallFailed("unexpected", null, "the answer does not say who leads");
  }
  await io.write(json ? `${JSON.stringify({ leader })}\n` : `leader: ${leader}\n`);
  return EXIT_OK;
}
