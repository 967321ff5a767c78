/**
 * The address of an actor: the outside's only way in.
 *
 * @module
 */
import { ask } from "./ask.ts";
import type { Cell } from "./cell.ts";
import type { AskOptions, Ref, Reply, TellOptions, TellResult } from "./types.ts";

export class ActorRef<M> implements Ref<M> {
  readonly name: string;
  /** The runtime's own way behind the address. */
  readonly cell: Cell;

  constructor(cell: Cell) {
    this.name = cell.name;
    this.cell = cell;
  }

  tell(message: M, options?: TellOptions): TellResult {
    return this.cell.offer(message, options, false);
  }

  ask<R>(make: (reply: Reply<R>) => M, options: AskOptions): Promise<R> {
    // Inside a turn's synchronous part the asker is known, and a cycle is found at once.
    return ask(this.cell, this.cell.runtime.current, make, options);
  }
}

/** @throws {TypeError} when the ref is not one of this runtime's. */
export function cellOf(ref: Ref<never>): Cell {
  if (ref instanceof ActorRef) return ref.cell;
  throw new TypeError(`ref ${ref.name} does not belong to this actor runtime`);
}
