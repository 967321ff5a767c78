/**
 * What the readers of history files have in common.
 *
 * @module
 */
import type { Operation } from "../types.ts";

/** The formats that can be read. */
export const FORMATS = ["kvorum", "jepsen-log", "edn"] as const;
export type Format = typeof FORMATS[number];

/** A history from a file. */
export interface History {
  readonly format: Format;
  /** Of the times, for messages: `ms`, `ns`; `line` (from 1) or `event` (from 0) where these are all the time there is. */
  readonly unit: string;
  readonly operations: readonly Operation[];
  /** By operation: the line of the file that it begins on, from 1. */
  readonly lines: readonly number[];
}

/** A file that is not what it should be. */
export class HistoryUnreadable extends Error {
  override readonly name = "HistoryUnreadable";
  /** From 1. */
  readonly line: number;

  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`);
    this.line = line;
  }
}
