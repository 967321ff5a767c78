/**
 * docs/operations.md as data: its procedures, and their commands in order.
 *
 * @module
 */

/** The commands of one fenced block. */
export interface Block {
  /** `sh terminal`: the command goes on in a terminal of its own. */
  readonly isTerminal: boolean;
  /** One line each; lines that end in a backslash are joined. */
  readonly commands: readonly string[];
}

/** A section of the page that has commands. */
export interface Procedure {
  readonly title: string;
  readonly blocks: readonly Block[];
}

/** Reads the page. Sections without commands are left out. */
export function parsePage(markdown: string): Procedure[] {
  return markdown.split(/^## /m).slice(1).map((section) => ({
    title: section.slice(0, section.indexOf("\n")),
    blocks: [...section.matchAll(/^```sh( terminal)?\n(.*?)^```$/gms)].map((match) => ({
      isTerminal: match[1] !== undefined,
      commands: match[2].replaceAll(/\\\n\s*/g, "").split("\n")
        .map((line) => line.replace(/\s+#.*$/, "").trim())
        .filter((line) => line !== "" && !line.startsWith("#")),
    })),
  })).filter(({ blocks }) => blocks.length > 0);
}
