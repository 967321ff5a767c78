/**
 * `step` on its own: proposals through three cores joined in memory, without disk, wire or clock.
 *
 * One iteration of a write bench is one batch proposed, stored by both followers, acknowledged,
 * committed and known to be committed everywhere: 12 steps.
 *
 * @module
 */
import {
  configurationOf,
  type Core,
  createCore,
  type Effect,
  type Input,
  logIndex,
  mergePersists,
  type NodeId,
  nodeId,
  step,
  term,
} from "../raft/mod.ts";

const ENTRY_BYTES = 256;
/** Cores are replaced after so many entries, since nothing here cuts their logs. */
const LOG_ENTRIES_MAX = 200_000;

class Trio {
  readonly #cores = new Map<NodeId, Core>();
  readonly #inputs: { readonly to: Core; readonly input: Input }[] = [];
  readonly leader: Core;

  constructor() {
    const voters = ["a", "b", "c"].map(nodeId);
    for (const id of voters) {
      const core = createCore({
        id,
        configuration: configurationOf(voters),
        hardState: { term: term(0), vote: null, commit: logIndex(0) },
        log: { entries: [], baseIndex: logIndex(0), baseTerm: term(0) },
        snapshot: null,
        seed: 1,
        damaged: false,
      });
      this.#cores.set(id, core);
    }
    this.leader = this.#cores.get(voters[0])!;
    while (this.leader.role !== "leader") this.run(this.leader, { type: "tick", timeMs: 0 });
  }

  /** Steps the input and all that follows from it. */
  run(to: Core, input: Input): void {
    const inputs = this.#inputs;
    inputs.push({ to, input });
    for (let at = 0; at < inputs.length; at++) {
      const next = inputs[at];
      this.#route(next.to, step(next.to, next.input));
    }
    inputs.length = 0;
  }

  #route(from: Core, effects: readonly Effect[]): void {
    const last = mergePersists(effects)?.entries.at(-1);
    if (last !== undefined) {
      const input = { type: "persisted", index: last.index, term: last.term } as const;
      this.#inputs.push({ to: from, input });
    }
    for (const effect of effects) {
      if (effect.type !== "send") continue;
      const { message } = effect;
      const input = { type: "message", from: from.id, message, timeMs: 0 } as const;
      this.#inputs.push({ to: this.#cores.get(effect.to)!, input });
    }
  }
}

for (const batch of [1, 64, 512]) {
  let trio = new Trio();
  const commands = Array.from({ length: batch }, () => new Uint8Array(ENTRY_BYTES));
  Deno.bench({
    name: `three cores agree on ${batch} × ${ENTRY_BYTES} B`,
    group: "write",
    baseline: batch === 64,
  }, () => {
    if (trio.leader.log.lastIndex > LOG_ENTRIES_MAX) trio = new Trio();
    trio.run(trio.leader, { type: "propose", commands, timeMs: 0 });
  });
}

{
  const trio = new Trio();
  let id = 0;
  Deno.bench("three cores confirm one ReadIndex", { group: "read" }, () => {
    trio.run(trio.leader, { type: "read", id: ++id, lease: false });
  });
}

{
  const trio = new Trio();
  const { leader } = trio;
  const reply = {
    type: "append-reply",
    term: leader.term,
    success: true,
    index: leader.log.lastIndex,
    conflictIndex: logIndex(0),
    conflictTerm: term(0),
    round: 0,
    stamp: 0,
    sent: 0,
    counts: true,
  } as const;
  const input: Input = { type: "message", from: nodeId("b"), message: reply, timeMs: 0 };
  Deno.bench("a leader takes an append-reply with no news", { group: "step" }, () => {
    step(leader, input);
  });
}
