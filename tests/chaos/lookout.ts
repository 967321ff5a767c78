/**
 * A reader of a chaos run that asks one node again and again, and waits for no answer long. So whenever a
 * node comes back that was stopped or cut off, somebody has asked it a moment ago, when others have long
 * gone on: a leader that does not know yet that it is none any more has somebody to mislead. (A client
 * that waits since before the pause may be told what was true before it.)
 *
 * @module
 */
import type { ReadAction } from "../history/mod.ts";
import { readAnswer, readCall } from "./calls.ts";
import type { ClientOptions } from "./client.ts";
import { Connection } from "./http_client.ts";
import { LOOKOUT_THINK_MS, LOOKOUT_WAIT_MAX_MS, LOOKOUT_WAIT_MIN_MS } from "./limits.ts";
import type { ChaosNode } from "./node.ts";
import { keyInUse } from "./workload.ts";

/** Reads until it may not go on. */
export async function lookOut(options: ClientOptions): Promise<void> {
  const { home, random, nodes, goesOn } = options;
  let connection: Connection | null = null;
  let connected: ChaosNode | null = null;
  try {
    while (goesOn()) {
      const all = nodes();
      const node = all[home % all.length];
      if (connection === null || node !== connected) {
        connection?.close();
        connection = new Connection(node.config.host, node.config.port);
        connected = node;
      }
      await look(options, connection);
      await new Promise((resolve) => setTimeout(resolve, random.fraction() * LOOKOUT_THINK_MS));
    }
  } finally {
    connection?.close();
  }
}

async function look(
  { name, random, record }: ClientOptions,
  connection: Connection,
): Promise<void> {
  const isLease = random.chance(0.5);
  const action: ReadAction = { op: "read", keys: [keyInUse(performance.now(), random)] };
  const ticket = record.invoke(name, action);
  const waitMs = random.between(LOOKOUT_WAIT_MIN_MS, LOOKOUT_WAIT_MAX_MS);
  const request = readCall(action, isLease ? "consistency=lease" : "");
  const said = readAnswer(action, await connection.call(request, waitMs));
  if (said.type === "wrong") {
    record.violation(`${name}: GET ${request.path} was answered with ${said.why}`);
  }
  const kind = isLease ? "lease read" : "read";
  record.read(kind, ticket, said.type === "outcome" ? said.outcome : { outcome: "unknown" });
}
