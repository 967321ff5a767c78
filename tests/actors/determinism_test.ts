/**
 * Determinism (statement 15): a small random actor system on a virtual environment, run twice for
 * each seed, its whole trace compared.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { Behavior, Ctx, Ref, Reply } from "../../actors/types.ts";
import { newWorld, pause } from "./world.ts";

type Message =
  | { readonly kind: "work"; readonly hops: number }
  | { readonly kind: "question"; readonly reply: Reply<number> }
  | { readonly kind: "tick" }
  | { readonly kind: "fail" };

/** An actor that draws from the environment what it does with each message. */
function gambler(refs: Ref<Message>[], trace: string[]): Behavior<Message, number> {
  const draw = (ctx: Ctx<Message>, below: number) => ctx.env.randomUint32() % below;
  const act = async (message: Message, ctx: Ctx<Message>): Promise<void> => {
    const to = refs[draw(ctx, refs.length)];
    if (message.kind === "fail") throw new Error("drawn");
    if (message.kind === "question") return ctx.reply(message.reply, draw(ctx, 100));
    if (message.kind === "tick") return ctx.send(to, { kind: "work", hops: 3 });
    if (message.hops === 0) return;
    const hops = message.hops - 1;
    switch (draw(ctx, 6)) {
      case 0:
        await pause(ctx, draw(ctx, 20));
        return ctx.send(to, { kind: "work", hops }, { deadlineMs: draw(ctx, 30) });
      case 1: {
        const make = (reply: Reply<number>): Message => ({ kind: "question", reply });
        const answer = await ctx.ask(to, make, { timeoutMs: 8 }).catch((error) => error.name);
        trace.push(`${ctx.self.name} got ${answer}`);
        return;
      }
      case 2:
        return ctx.send(to, { kind: "fail" });
      default:
        ctx.send(to, { kind: "work", hops });
        ctx.sendEarly(to, { kind: "work", hops: 0 });
    }
  };
  return {
    init(ctx) {
      ctx.setTimer({ kind: "tick" }, { delayMs: 5 + draw(ctx, 20), repeat: true });
      return 0;
    },
    async receive(state, batch, ctx) {
      for (const message of batch) {
        trace.push(`${ctx.env.now()} ${ctx.self.name} ${message.kind}`);
        await act(message, ctx);
      }
      return state + batch.length;
    },
    commit: (_state, ctx) => draw(ctx, 2) === 0 ? undefined : pause(ctx, draw(ctx, 5)),
  };
}

async function traceOf(seed: number): Promise<string> {
  const { env, system, events, close } = newWorld(seed);
  const trace: string[] = [];
  const refs: Ref<Message>[] = [];
  const options = {
    mailbox: { userMessagesMax: 20, turnMessagesMax: 4 },
    supervision: { restartsMax: 2, backoffMinMs: 5 },
  };
  for (const name of ["a", "b", "c"]) refs.push(system.spawn(name, gambler(refs, trace), options));
  refs[0].tell({ kind: "work", hops: 5 });
  await env.advance(60);
  await close();
  for (const event of events) {
    const { type, actor } = event;
    trace.push(event.type === "turn" ? `${type} ${actor} ${event.messages}` : `${type} ${actor}`);
  }
  trace.push(JSON.stringify(system.counters()));
  return trace.join("\n");
}

Deno.test("actors 15: the same seed gives the same trace, over a thousand seeds, and other seeds give others", async () => {
  const traces = new Set<string>();
  let lines = 0;
  for (let seed = 0; seed < 1_000; seed++) {
    const trace = await traceOf(seed);
    assertEquals(await traceOf(seed), trace, `seed ${seed}`);
    traces.add(trace);
    lines += trace.split("\n").length;
  }
  assertEquals(traces.size, 1_000, "different seeds must differ");
  assert(lines > 30_000, `too little happened to prove anything: ${lines} lines`);
  const all = [...traces].join("\n");
  for (const type of ["fault", "restart", "expired", "ask-timeout", "AskCycle", "stopped"]) {
    assert(all.includes(type), `${type} never happened`);
  }
});
