/** The end of an HTTP server with clients that keep their connections, and come back at once. */
import { assert, assertEquals, fail } from "@std/assert";
import { systemEnv } from "../../actors/env.ts";
import { Doors } from "../../cli/doors.ts";
import { HttpServer } from "../../transport/http/server.ts";
import { Kept, type Outcome, REQUEST, stay } from "./kept.ts";
import { eventually } from "./program.ts";

async function handle(): Promise<Response> {
  await new Promise((resolve) => setTimeout(resolve, 2));
  return new Response("done");
}

function serve(doors: Doors, answer = handle): HttpServer {
  return new HttpServer({
    hostname: "127.0.0.1",
    port: 0,
    handle: () => {
      doors.asked();
      return answer();
    },
    onAnswer: (response) => doors.answering(response),
    log: (text) => fail(text),
    clock: systemEnv(),
  });
}

/** Serves clients for a while, then ends as a node does; gives what became of their requests. */
async function endWith(clients: number, pauseMs: number): Promise<Outcome> {
  let served = 0;
  const doors = new Doors();
  const server = serve(doors, () => {
    served++;
    return handle();
  });
  const staying = Array.from({ length: clients }, () => stay(server.addr.port, pauseMs));
  await eventually("all have asked", () => served >= clients);
  doors.sendAway();
  await doors.quiet();
  await doors.close(server, 5000);
  const ended = await Promise.all(staying);
  const total = (of: keyof Outcome) => ended.reduce((sum, outcome) => sum + outcome[of], 0);
  return { answered: total("answered"), refused: total("refused"), cut: total("cut") };
}

Deno.test("Doors close without cutting off clients that have nowhere else to go", async () => {
  const { answered, cut } = await endWith(20, 0);
  assertEquals(cut, 0);
  assert(answered > 100, `${answered} answers`);
});

Deno.test("Doors close without cutting off clients that ask now and then", async () => {
  const { answered, cut } = await endWith(10, 300);
  assertEquals(cut, 0);
  assert(answered >= 20, `${answered} answers`);
});

Deno.test("Doors close at once where nobody has asked for long", async () => {
  const doors = new Doors();
  const server = serve(doors);
  const startMs = performance.now();
  doors.sendAway();
  await doors.quiet();
  await doors.close(server, 5000);
  assert(performance.now() - startMs < 500);
});

Deno.test("Doors give up on an answer that does not come", async () => {
  const never = Promise.withResolvers<Response>();
  const doors = new Doors();
  const server = serve(doors, () => never.promise);
  using kept = await Kept.open(server.addr.port);
  const asking = kept!.ask(REQUEST);
  await doors.close(server, 50);
  never.resolve(new Response("late"));
  await asking;
  await server.shutdown();
});
