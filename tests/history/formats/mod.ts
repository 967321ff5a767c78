/**
 * Reads history files of any known format.
 *
 * @module
 */
import { readEdn } from "./edn.ts";
import { type Format, type History, HistoryUnreadable } from "./history.ts";
import { isJepsenLogLine, readJepsenLog } from "./jepsen_log.ts";
import { readKvorum } from "./kvorum.ts";

export { type Format, FORMATS, type History, HistoryUnreadable } from "./history.ts";

/**
 * Reads a history from its text.
 *
 * @param format recognised from the text unless given.
 * @throws {HistoryUnreadable} naming the line and what is wrong with it.
 */
export function readHistory(text: string, format: Format = recognise(text)): History {
  switch (format) {
    case "kvorum":
      return readKvorum(text);
    case "jepsen-log":
      return readJepsenLog(text);
    case "edn":
      return readEdn(text);
  }
}

function recognise(text: string): Format {
  const lines = text.split("\n");
  const at = lines.findIndex((line) => line.trim() !== "");
  if (at === -1) throw new HistoryUnreadable(1, "the file is empty");
  const first = lines[at]!.trim();
  if (/^\{\s*"/.test(first)) return "kvorum";
  if (/^(?:;|\[?\s*(?:#\S+\s*)?\{\s*:)|^\[$/.test(first)) return "edn";
  if (lines.some(isJepsenLogLine)) return "jepsen-log";
  throw new HistoryUnreadable(
    at + 1,
    `the format is not known (docs/history-format.md): ${first.slice(0, 60)}`,
  );
}
