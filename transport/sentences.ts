/**
 * What a transport tells, in sentences for an operator's log.
 *
 * Not here: how often the same is said, and where (main.ts).
 *
 * @module
 */
import type { TransportEvent } from "./events.ts";

export interface Sentence {
  readonly level: "info" | "warn" | "error";
  readonly text: string;
}

/** The sentence for an event; null for one that an operator need not know of. */
export function sentenceOf(event: TransportEvent): Sentence | null {
  switch (event.type) {
    case "refused":
      return refused(event);
    case "malformed":
      return {
        level: "warn",
        text: `closed the connection of ${event.peer}: ${describe(event.error)}`,
      };
    case "handler-failed":
    case "accept-failed":
      return { level: "error", text: `${event.type}: ${describe(event.error)}` };
    case "connected":
      return outgoing(event.direction, `connected to ${event.peer}`);
    case "disconnected":
      return outgoing(event.direction, `lost ${event.peer}: ${event.reason}`);
    case "unreachable": {
      const why = describe(event.error);
      const text = `cannot reach ${event.peer}: ${why}; is it up, and on the same --transport?`;
      return { level: "warn", text };
    }
    case "dropped":
      return null;
  }
}

function outgoing(direction: "outgoing" | "incoming", text: string): Sentence | null {
  return direction === "outgoing" ? { level: "info", text } : null;
}

function refused(event: Extract<TransportEvent, { type: "refused" }>): Sentence {
  const who = event.peer ?? event.remote;
  const text = event.byPeer ? `${who} refused this node` : `refused a connection of ${who}`;
  const whole = `${text}: ${event.reason}`;
  switch (event.reason) {
    case "other-data": {
      const whose = event.byPeer ? "this node's" : `${who}'s`;
      return {
        level: "error",
        text: `${whole}: ${whose} directory was lost or replaced; remove it from the cluster and ` +
          "let it join on an empty directory (docs/operations.md)",
      };
    }
    case "older-data": {
      const whose = event.byPeer ? "this node's" : `${who}'s`;
      return {
        level: "error",
        text:
          `${whole}: ${whose} directory is an older copy and lacks what was acknowledged; remove ` +
          "it from the cluster and let it join on an empty directory (docs/operations.md)",
      };
    }
    case "wrong-transport":
      return {
        level: "error",
        text:
          `${whole}: one of the two was started with --transport http and the other without; all ` +
          "nodes of a cluster need the same",
      };
    default:
      return { level: "warn", text: whole };
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
