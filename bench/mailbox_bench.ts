/**
 * What a message costs: a tell, an ask, a whole turn. Each iteration moves MESSAGES messages
 * through one actor in the real environment, so iterations per second times MESSAGES is the rate
 * on one core. Run with `deno task bench`.
 *
 * @module
 */
import { systemEnv } from "../actors/env.ts";
import { createSystem } from "../actors/system.ts";
import type { Behavior, Reply } from "../actors/types.ts";

const MESSAGES = 10_000;
/** Clients that ask in a closed loop, each its next question after its last answer. */
const CLIENTS = 64;
const TIMEOUT_MS = 5_000;
const PUT_BYTES = 256;

type Question = { readonly reply: Reply<number> };

const system = createSystem({ env: systemEnv() });

/** Counts messages and calls `onAll` at every MESSAGES of them. */
function counter(hooks: { onAll: () => void }): Behavior<number, { seen: number }> {
  return {
    init: () => ({ seen: 0 }),
    receive(state, batch) {
      state.seen += batch.length;
      if (state.seen >= MESSAGES) {
        state.seen -= MESSAGES;
        hooks.onAll();
      }
      return state;
    },
  };
}

const answering: Behavior<Question, null> = {
  init: () => null,
  receive(state, batch, ctx) {
    for (let i = 0; i < batch.length; i++) ctx.reply(batch[i].reply, i);
    return state;
  },
};

/** The same with a commit that must be awaited, as every durable turn's is. */
const committing: Behavior<Question, null> = { ...answering, commit: () => Promise.resolve() };

const tellHooks = { onAll: () => {} };
const told = system.spawn("told", counter(tellHooks));

Deno.bench(`tell, ${MESSAGES} messages`, { group: "mailbox", baseline: true }, async () => {
  const all = new Promise<void>((resolve) => tellHooks.onAll = resolve);
  for (let i = 0; i < MESSAGES; i++) told.tell(i);
  await all;
});

Deno.bench(`tell with bytes and deadline, ${MESSAGES} messages`, { group: "mailbox" }, async () => {
  const all = new Promise<void>((resolve) => tellHooks.onAll = resolve);
  const options = { bytes: PUT_BYTES, deadlineMs: TIMEOUT_MS };
  for (let i = 0; i < MESSAGES; i++) told.tell(i, options);
  await all;
});

const asked = system.spawn("asked", answering);

Deno.bench(`ask, ${MESSAGES} at once`, { group: "mailbox" }, async () => {
  const answers: Promise<number>[] = [];
  for (let i = 0; i < MESSAGES; i++) {
    answers.push(asked.ask((reply) => ({ reply }), { timeoutMs: TIMEOUT_MS, bytes: PUT_BYTES }));
  }
  await Promise.all(answers);
});

const durable = system.spawn("durable", committing);

for (const [what, ref] of [["ask", asked], ["ask of a turn with async commit", durable]] as const) {
  Deno.bench(`${what}, ${MESSAGES} by ${CLIENTS} clients`, { group: "mailbox" }, async () => {
    let left = MESSAGES;
    const client = async () => {
      while (left-- > 0) {
        await ref.ask((reply) => ({ reply }), { timeoutMs: TIMEOUT_MS, bytes: PUT_BYTES });
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
  });
}

Deno.bench("ask, one client, one question", { group: "mailbox" }, async () => {
  await asked.ask((reply) => ({ reply }), { timeoutMs: TIMEOUT_MS, bytes: PUT_BYTES });
});
