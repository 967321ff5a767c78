/**
 * The marks that events of a node raise.
 *
 * @module
 */
import type { Mark } from "./marks.ts";
import type { NodeEvent } from "../../actors/node.ts";

/** The mark of an event; null if it has none. */
export function nodeEventMark(event: NodeEvent): Mark | null {
  switch (event.type) {
    case "opened":
      return event.damage === null ? null : "damage-found";
    case "repaired":
      return "damage-repaired";
    case "snapshot-taken":
      return "snapshot-taken";
    case "snapshot-refused":
      return "snapshot-refused";
    case "quarantined":
    case "snapshot-corrupt":
      return "snapshot-read-corrupt";
    case "disk":
      return event.full ? "disk-full" : "disk-has-room";
    case "transport":
      if (event.event.type !== "refused") return null;
      // Who keeps what it has acknowledged to itself is heard by nobody: it alone is told.
      if (event.event.reason === "older-data") return "older-data-refused";
      if (event.event.direction !== "incoming") return null;
      switch (event.event.reason) {
        case "old-boot":
          return "old-boot-refused";
        case "other-data":
          return "other-data-refused";
        case "unknown-sender":
          return "removed-refused";
        default:
          return null;
      }
    default:
      return null;
  }
}
