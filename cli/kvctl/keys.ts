/**
 * Keys as kvctl reads and shows them: `a/b/c` for string parts, JSON for everything else.
 *
 * @module
 */
import { UsageError } from "../args.ts";

/**
 * The path segments, percent-encoded, that name the key `text`.
 *
 * @throws {UsageError} for what a URL cannot carry as a segment.
 */
export function keyPath(text: string): string {
  return text.split("/").map((part) => {
    if (part === "") {
      throw new UsageError([`the key ${show(text)} has an empty part: a slash too many`]);
    }
    if (part === "." || part === "..") {
      // Every URL parser on the way would resolve it, percent-encoded or not.
      throw new UsageError([
        `the key ${show(text)} has the part "${part}", which no URL can carry`,
      ]);
    }
    if (!part.isWellFormed()) throw new UsageError([`the key ${show(text)} is not valid Unicode`]);
    return encodeURIComponent(part);
  }).join("/");
}

/** A key of the JSON that nodes answer with, in the form that the command line takes if it has one. */
export function keyText(parts: readonly unknown[]): string {
  const plain = parts.every((part) =>
    // deno-lint-ignore no-control-regex
    typeof part === "string" && !/^$|^\.\.?$|^\[|[/\x00-\x1f\x7f]/.test(part)
  );
  return plain ? parts.join("/") : JSON.stringify(parts);
}

function show(text: string): string {
  return JSON.stringify(text);
}
