/**
 * Which messages the core lets in at all. What fails here is ignored: it is noise or an attack, never a
 * reason to stop.
 *
 * Not here: authenticity. The transport vouches for the sender.
 *
 * @module
 */
import type { Message } from "./message.ts";
import { type Entry, NUMBER_MAX } from "./types.ts";

/** Whether all numbers are in range and all entries in order. */
export function isWellFormed(message: Message): boolean {
  if (!isNumber(message.term)) return false;
  switch (message.type) {
    case "vote-request":
      return message.term > 0 && isNumber(message.lastIndex) && isTermAt(message.lastTerm, message);
    case "vote-reply":
      return true;
    case "append-request":
      return message.term > 0 && isNumber(message.prevIndex) && isNumber(message.commit) &&
        isNumber(message.round) && isTermAt(message.prevTerm, message) &&
        isRun(message.entries, message.prevIndex, message.prevTerm, message.term);
    case "append-reply":
      return isNumber(message.index) && isNumber(message.round) &&
        isNumber(message.conflictIndex) && isNumber(message.conflictTerm);
    case "forward":
      return true;
    case "read-request":
      return isNumber(message.id);
    case "read-reply":
      return isNumber(message.id) && isNumber(message.index);
  }
}

function isNumber(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= NUMBER_MAX;
}

function isTermAt(value: number, message: Message): boolean {
  return isNumber(value) && value <= message.term;
}

/** Entries follow each other from `prevIndex`, in terms that never fall and end at `termMax`. */
function isRun(
  entries: readonly Entry[],
  prevIndex: number,
  prevTerm: number,
  termMax: number,
): boolean {
  if (prevIndex + entries.length > NUMBER_MAX) return false;
  let index = prevIndex;
  let term = prevTerm;
  for (const entry of entries) {
    index++;
    if (entry.index !== index || !(entry.term >= term && entry.term <= termMax)) return false;
    term = entry.term;
  }
  return true;
}
