/**
 * Which messages the core lets in at all. What fails here is ignored: it is noise or an attack, never a
 * reason to stop.
 *
 * Not here: authenticity. The transport vouches for the sender.
 *
 * @module
 */
import { decodeConfiguration, encodeConfiguration } from "./configuration_codec.ts";
import { CHUNK_BYTES_MAX } from "./limits.ts";
import type { Message, SnapshotChunk } from "./message.ts";
import { type Configuration, type Entry, EntryKind, NUMBER_MAX } from "./types.ts";

/** What the id of a snapshot looks like (SnapshotInfo). */
export const SNAPSHOT_ID = /^[0-9a-f]{16}$/;

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
        isNumber(message.round) && isNumber(message.stamp) && isNumber(message.echo) &&
        isTermAt(message.prevTerm, message) &&
        isRun(message.entries, message.prevIndex, message.prevTerm, message.term);
    case "append-reply":
      return isNumber(message.index) && isNumber(message.round) &&
        isNumber(message.conflictIndex) && isNumber(message.conflictTerm) &&
        isNumber(message.stamp) && isNumber(message.sent);
    case "forward":
      return true;
    case "read-request":
      return isNumber(message.id);
    case "read-reply":
      return isNumber(message.id) && isNumber(message.index);
    case "timeout-now":
      return message.term > 0;
    case "snapshot-chunk":
      return message.term > 0 && isChunk(message);
    case "snapshot-reply":
      return isNumber(message.index) && isNumber(message.next) && SNAPSHOT_ID.test(message.id);
  }
}

/** A chunk of a snapshot that may exist: taken at an entry, by a leader of this term or before. */
function isChunk({ info, chunk, data, term }: SnapshotChunk): boolean {
  const { meta, id, chunks, bytes } = info;
  return isNumber(meta.index) && meta.index > 0 && isNumber(meta.term) && meta.term <= term &&
    isNumber(meta.timeMs) && SNAPSHOT_ID.test(id) && isNumber(chunks) && isNumber(bytes) &&
    isNumber(chunk) && chunk < chunks && chunks <= bytes &&
    data.length > 0 && data.length <= CHUNK_BYTES_MAX && data.length <= bytes &&
    isConfiguration(meta.configuration);
}

/** One that has voters and that a log can hold. */
function isConfiguration(configuration: Configuration): boolean {
  if (configuration.voters.length === 0) return false;
  try {
    encodeConfiguration(configuration);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

function isNumber(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= NUMBER_MAX;
}

function isTermAt(value: number, message: Message): boolean {
  return isNumber(value) && value <= message.term;
}

/** Whether it decodes to a configuration. Such entries are few, so that they may be decoded twice. */
function isEncoded(data: Uint8Array): boolean {
  try {
    return decodeConfiguration(data).voters.length > 0;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
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
    if (entry.kind === EntryKind.Configuration && !isEncoded(entry.data)) return false;
    term = entry.term;
  }
  return true;
}
