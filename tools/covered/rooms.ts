/**
 * What coverage comes to, room by room, as a table; and what it must come to.
 *
 * @module
 */
import type { FileCoverage, Share } from "./lcov.ts";

export interface RoomCoverage {
  /** A directory at the top of the checkout, a file there, or {@linkcode ALL}. */
  readonly room: string;
  readonly files: number;
  readonly lines: Share;
  readonly branches: Share;
}

/** The row of the whole. */
export const ALL = "all";

/** The percentage of lines that tests must reach, by room. */
export const LINES_PERCENT_MIN: Readonly<Record<string, number>> = {
  [ALL]: 80,
  raft: 95,
  kv: 95,
};

/** Adds up the files of each room, and all of them in the last row. */
export function roomsOf(files: readonly FileCoverage[]): RoomCoverage[] {
  const byRoom = Map.groupBy(files, ({ path }) => path.split("/")[0]!);
  const rooms = [...byRoom].sort(([a], [b]) => a < b ? -1 : 1);
  return [...rooms, [ALL, files] as const].map(([room, its]) => ({
    room,
    files: its.length,
    lines: total(its.map(({ lines }) => lines)),
    branches: total(its.map(({ branches }) => branches)),
  }));
}

/** One row a room. */
export function table(rooms: readonly RoomCoverage[]): string {
  const rows = rooms.map(({ room, files, lines, branches }) => [
    room,
    String(files),
    String(lines.found),
    percent(lines),
    LINES_PERCENT_MIN[room]?.toFixed(1) ?? "",
    percent(branches),
  ]);
  const all = [["room", "files", "lines", "lines %", "at least", "branches %"], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all.map((row) =>
    row.map((cell, column) =>
      column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)
    ).join("  ")
  ).join("\n");
}

/** A sentence for each room where tests reach too few lines, or that is not there at all. */
export function judge(rooms: readonly RoomCoverage[]): string[] {
  return Object.entries(LINES_PERCENT_MIN).flatMap(([name, min]) => {
    const room = rooms.find((it) => it.room === name);
    if (room === undefined || room.lines.found === 0) return `coverage: nothing of ${name} ran`;
    // In whole numbers: rounding must not lift it over the threshold.
    if (100 * room.lines.hit >= min * room.lines.found) return [];
    return `coverage: ${percent(room.lines)} % of the lines of ${name} ran; ${min} % must`;
  });
}

/** A sentence for each file that is not in the report. */
export function missing(
  files: readonly string[],
  covered: readonly FileCoverage[],
): string[] {
  const known = new Set(covered.map(({ path }) => path));
  return files.filter((path) => !known.has(path)).map((path) => `coverage: ${path} is not in it`);
}

function total(shares: readonly Share[]): Share {
  return shares.reduce((sum, { found, hit }) => ({
    found: sum.found + found,
    hit: sum.hit + hit,
  }), { found: 0, hit: 0 });
}

function percent({ found, hit }: Share): string {
  return found === 0 ? "-" : (Math.floor(1000 * hit / found) / 10).toFixed(1);
}
