/**
 * Tables for people.
 *
 * @module
 */

/**
 * Left-aligned columns, two spaces apart, without spaces at the end of a line or a final newline.
 *
 * @param rows at least one, all of the same length.
 */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd())
    .join("\n");
}
