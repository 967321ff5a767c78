/**
 * What a key holds in the course of a search, interned: equal contents have equal numbers, so that states
 * are compared, undone and remembered as numbers.
 *
 * @module
 */
import type { Value } from "./types.ts";

/** The version of what is absent, and of what was written by an operation whose version nobody ever saw. */
export const NO_VERSION = 0;
/** The number of the cell that is absent. */
export const ABSENT = 0;

/** What a key holds. */
export interface Cell {
  /** Null: absent. */
  readonly value: Value | null;
  /** A rank of `Calls.versionstamps`, or {@linkcode NO_VERSION}. */
  readonly version: number;
  /**
   * Written by an operation of unknown outcome, and not observed since. Such an operation may as well never
   * have happened, so a search that next writes over it is on a way that leads nowhere new.
   */
  readonly owed: boolean;
}

/** All cells that a search has met. */
export class Cells {
  readonly #cells: Cell[] = [{ value: null, version: NO_VERSION, owed: false }];
  readonly #ids = new Map<string, number>([[keyOf(null, NO_VERSION, false), ABSENT]]);

  /** The cell with this number. */
  at(id: number): Cell {
    return this.#cells[id]!;
  }

  /** The number of a cell. */
  idOf(value: Value | null, version: number, owed: boolean): number {
    const key = keyOf(value, version, owed);
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    this.#ids.set(key, this.#cells.length);
    return this.#cells.push({ value, version, owed }) - 1;
  }
}

function keyOf(value: Value | null, version: number, owed: boolean): string {
  const kind = value === null ? "n" : typeof value === "number" ? "d" : "s";
  return `${kind}${owed ? 1 : 0}${version} ${value}`;
}
