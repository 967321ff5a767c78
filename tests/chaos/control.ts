/**
 * What a chaos run tells a node of the faults that it is to have: one JSON object a line on the node's
 * standard input. Each line is all of them, in place of the line before.
 *
 * @module
 */
import type { Link } from "../../transport/memory_links.ts";

/** One direction between two nodes, one of which is told of it. */
export interface LinkFault {
  readonly from: string;
  readonly to: string;
  readonly link: Partial<Link>;
}

/** The faults of one node. */
export interface NodeFaults {
  readonly links: readonly LinkFault[];
  /** What is added to the time of day. */
  readonly clockOffsetMs: number;
  readonly disk: DiskFaults;
}

export interface DiskFaults {
  /** Before each commit. */
  readonly slowMs: number;
  /** Whether there is no room, but for the reserve. */
  readonly full: boolean;
}

export const NO_FAULTS: NodeFaults = {
  links: [],
  clockOffsetMs: 0,
  disk: { slowMs: 0, full: false },
};

/** Characters of a line; a longer one is none of ours. */
const LINE_CHARS_MAX = 65_536;

/** Cuts a stream of bytes into lines, and takes each as faults. */
export class FaultLines {
  readonly #decoder = new TextDecoder();
  readonly #take: (faults: NodeFaults) => void;
  #rest = "";

  constructor(take: (faults: NodeFaults) => void) {
    this.#take = take;
  }

  /** @throws {Error} if a line is too long or no JSON: whoever writes is not a chaos run. */
  readonly push = (bytes: Uint8Array): void => {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > LINE_CHARS_MAX) throw new Error("Cannot read faults: no end of line");
    for (const line of lines) this.#take(JSON.parse(line) as NodeFaults);
  };
}

export function faultLine(faults: NodeFaults): string {
  return `${JSON.stringify(faults)}\n`;
}
