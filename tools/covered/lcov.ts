/**
 * Reads what `deno coverage --lcov` writes: for each file its lines and branches, and how often each ran.
 *
 * @module
 */

/** How many there are of something, and how many of them ran. */
export interface Share {
  readonly found: number;
  readonly hit: number;
}

export interface FileCoverage {
  /** Within the checkout. */
  readonly path: string;
  readonly lines: Share;
  readonly branches: Share;
}

/**
 * The files below `root`, a path that ends in a slash.
 *
 * @throws {Error} for a count that is none: the format has changed.
 */
export function readLcov(text: string, root: string): FileCoverage[] {
  const files: FileCoverage[] = [];
  for (const record of text.split("end_of_record")) {
    const fields = new Map<string, string>();
    for (const line of record.split("\n")) {
      const colon = line.indexOf(":");
      if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trim());
    }
    const source = fields.get("SF");
    if (source === undefined || !source.startsWith(root)) continue;
    const count = (field: string): number => {
      const value = Number(fields.get(field) ?? NaN);
      if (!Number.isInteger(value)) throw new Error(`Cannot read ${field} of ${source} in LCOV`);
      return value;
    };
    files.push({
      path: source.slice(root.length),
      lines: { found: count("LF"), hit: count("LH") },
      branches: { found: count("BRF"), hit: count("BRH") },
    });
  }
  return files;
}
