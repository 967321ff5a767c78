/**
 * Ports of 127.0.0.1 for what a test listens on, stops, and starts again, as a node: they stay the test's own
 * meanwhile. Whoever listens once only, and can say where, listens on port 0 instead.
 *
 * A port that was found free a moment ago is nobody's: another test, in the worker or the checkout beside
 * this one, finds it free as well. So ports come in blocks, and a process holds a block by listening on the
 * block's first port, which two cannot do. The system ends that with the process, however it ends.
 *
 * @module
 */
import { PEER_PORT_OFFSET } from "../../cli/limits.ts";

const HOST = "127.0.0.1";
/**
 * Blocks lie between what servers like to listen on and the range from which the system gives ports to
 * outgoing connections (32,768 on Linux), which could take the port of a node while it is down.
 */
const PORT_MIN = 10_240;
const PORT_END = 32_768;
/** Pairs of a block, of a port for clients and the one for peers that a launcher puts beside it. */
const PAIRS_PER_BLOCK = 200;
/** Blocks side by side, before those of their peers' ports. */
const BLOCKS_PER_STRETCH = PEER_PORT_OFFSET / PAIRS_PER_BLOCK;
const STRETCHES = Math.floor((PORT_END - PORT_MIN) / (2 * PEER_PORT_OFFSET));
/** All that there are on one machine. */
const BLOCKS_MAX = STRETCHES * BLOCKS_PER_STRETCH;

/** Ports that no other process or worker takes, as long as it uses this class as well. */
export class PortBlock implements Disposable {
  /** Which one it is, counted from 0. */
  readonly number: number;
  readonly #guard: Deno.TcpListener;
  /** The pair that is given next; the first one is the guard's. */
  #next = 1;

  private constructor(number: number, guard: Deno.TcpListener) {
    this.number = number;
    this.#guard = guard;
  }

  /** Claims the first of `numbers` that nobody has. @throws if there is none. */
  static claim(numbers: readonly number[] = fromAnywhere()): PortBlock {
    for (const number of numbers) {
      const guard = listenUnlessTaken(firstPortOf(number));
      if (guard !== null) return new PortBlock(number, guard);
    }
    throw new Error(`Cannot claim ports: others hold all blocks, of ${numbers.length}`);
  }

  /**
   * The lowest of `size` consecutive ports, all free, as are those {@linkcode PEER_PORT_OFFSET} above them.
   * None of them is ever given again; null if the block has no more such ports.
   */
  takePairs(size: number): number | null {
    while (this.#next + size <= PAIRS_PER_BLOCK) {
      const base = firstPortOf(this.number) + this.#next;
      const ports = Array.from({ length: size }, (_, i) => [base + i, base + i + PEER_PORT_OFFSET]);
      // Who does not use this class can listen there.
      const isFree = ports.flat().every(isUntaken);
      this.#next += isFree ? size : 1;
      if (isFree) return base;
    }
    return null;
  }

  /** Leaves the block to others. */
  [Symbol.dispose](): void {
    this.#guard.close();
  }
}

/** All blocks: processes that start together need not try them in the same order. */
function fromAnywhere(): number[] {
  const from = Math.floor(Math.random() * BLOCKS_MAX);
  return Array.from({ length: BLOCKS_MAX }, (_, i) => (from + i) % BLOCKS_MAX);
}

function firstPortOf(number: number): number {
  const stretch = Math.floor(number / BLOCKS_PER_STRETCH);
  const within = number % BLOCKS_PER_STRETCH;
  return PORT_MIN + stretch * 2 * PEER_PORT_OFFSET + within * PAIRS_PER_BLOCK;
}

function listenUnlessTaken(port: number): Deno.TcpListener | null {
  try {
    return Deno.listen({ hostname: HOST, port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return null;
    throw error;
  }
}

function isUntaken(port: number): boolean {
  const listener = listenUnlessTaken(port);
  listener?.close();
  return listener !== null;
}

/** The first is claimed when this module is loaded: in a test it would be a resource that the test leaks. */
const blocks = [PortBlock.claim()];
const spare: number[] = [];

/** The lowest port for `size` nodes of a launcher: see {@linkcode PortBlock.takePairs}. */
export function freeBasePort(size: number): number {
  const base = blocks.at(-1)!.takePairs(size);
  if (base !== null) return base;
  // Only long runs by hand come here. The blocks so far stay claimed: their ports are still in use.
  const block = PortBlock.claim();
  blocks.push(block);
  return block.takePairs(size) ?? unavailable(size);
}

/** Ports that nobody else is given while this process, or the worker of this test module, lives. */
export function freePorts(count: number): number[] {
  while (spare.length < count) {
    const port = freeBasePort(1);
    spare.push(port, port + PEER_PORT_OFFSET);
  }
  return spare.splice(0, count);
}

function unavailable(size: number): never {
  throw new Error(`Cannot give ${size} pairs of ports: a block has ${PAIRS_PER_BLOCK - 1}`);
}
