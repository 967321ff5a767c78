/**
 * As much of EDN (Clojure's notation of data) as histories are written in: maps, vectors, lists, sets,
 * keywords, symbols, strings, numbers, nil, booleans, comments; tags are passed over.
 *
 * @module
 */
import { HistoryUnreadable } from "./history.ts";

/** How deep collections may lie in each other. */
const DEPTH_MAX = 64;

/** A keyword or symbol, with its colon if it has one. */
export class Name {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** One value. Lists, vectors and sets are arrays; maps are by the text of their keys. */
export type Edn = null | boolean | number | string | Name | Edn[] | Map<string, Edn>;

const delimiters = /[\s,()[\]{}";]/;
const closing: Readonly<Record<string, string>> = { "[": "]", "(": ")", "{": "}" };
const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

/** Reads values one after the other. */
export class EdnParser {
  readonly #text: string;
  #at = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  /** The line of what comes next, from 1. */
  get line(): number {
    this.#skip();
    return this.#line;
  }

  /** Whether something is left. */
  get hasMore(): boolean {
    this.#skip();
    return this.#at < this.#text.length;
  }

  /** Enters a vector or leaves one, if the next character does; for a file that is one vector of operations. */
  skipBracket(bracket: "[" | "]"): boolean {
    this.#skip();
    if (this.#text[this.#at] !== bracket) return false;
    this.#at++;
    return true;
  }

  /** The next value. @throws {HistoryUnreadable} */
  next(depth = 0): Edn {
    this.#skip();
    const char = this.#text[this.#at];
    if (char === undefined) throw this.#error("the text ends in the middle of a value");
    if (depth > DEPTH_MAX) throw this.#error("a value is too deep");
    if (char === '"') return this.#string();
    if (char === "#") return this.#tagged(depth);
    if (char === "{") return this.#map(depth);
    if (char === "[" || char === "(") return this.#items(depth);
    if (char in closing || "])}".includes(char)) throw this.#error(`${char} closes nothing`);
    return this.#atom();
  }

  #items(depth: number): Edn[] {
    const end = closing[this.#text[this.#at++]!]!;
    const items: Edn[] = [];
    for (;;) {
      this.#skip();
      if (this.#text[this.#at] === end) break;
      items.push(this.next(depth + 1));
    }
    this.#at++;
    return items;
  }

  #map(depth: number): Map<string, Edn> {
    const items = this.#items(depth);
    if (items.length % 2 !== 0) throw this.#error("a map has a key without a value");
    const map = new Map<string, Edn>();
    for (let i = 0; i < items.length; i += 2) map.set(textOf(items[i]!), items[i + 1]!);
    return map;
  }

  #tagged(depth: number): Edn {
    this.#at++;
    if (this.#text[this.#at] === "{") return this.#items(depth);
    this.#atom();
    return this.next(depth + 1);
  }

  #string(): string {
    let text = "";
    for (this.#at++;; this.#at++) {
      const char = this.#text[this.#at];
      if (char === undefined) throw this.#error("a string does not end");
      if (char === '"') break;
      if (char === "\n") this.#line++;
      if (char !== "\\") {
        text += char;
        continue;
      }
      const escaped = this.#text[++this.#at] ?? "";
      text += escapes[escaped] ?? escaped;
    }
    this.#at++;
    return text;
  }

  #atom(): Edn {
    const from = this.#at;
    while (this.#at < this.#text.length && !delimiters.test(this.#text[this.#at]!)) this.#at++;
    const text = this.#text.slice(from, this.#at);
    if (text === "") throw this.#error(`no value: ${this.#text[from]}`);
    if (text === "nil") return null;
    if (text === "true" || text === "false") return text === "true";
    if (/^[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?[NM]?$/.test(text)) {
      return Number(text.replace(/[NM]$/, ""));
    }
    return new Name(text);
  }

  #skip(): void {
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at]!;
      if (char === "\n") this.#line++;
      else if (char === ";") {
        const end = this.#text.indexOf("\n", this.#at);
        this.#at = (end === -1 ? this.#text.length : end) - 1;
      } else if (!/[\s,]/.test(char)) return;
    }
  }

  #error(message: string): HistoryUnreadable {
    return new HistoryUnreadable(this.#line, message);
  }
}

/** Any value as text, equal for equal values. */
export function textOf(value: Edn): string {
  if (value instanceof Name) return value.text;
  if (Array.isArray(value)) return `[${value.map(textOf).join(" ")}]`;
  if (value instanceof Map) {
    return `{${[...value].map(([key, it]) => `${key} ${textOf(it)}`).join(", ")}}`;
  }
  return typeof value === "string" ? JSON.stringify(value) : String(value ?? "nil");
}
