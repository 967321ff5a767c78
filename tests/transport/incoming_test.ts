/**
 * An accepted connection over a socket in the test's hand, for what no real socket shows reliably.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import type { NodeId } from "../../raft/types.ts";
import { Acquaintances, HOLDS_ALL } from "../../transport/acquaintances.ts";
import { Counters } from "../../transport/counters.ts";
import { Incoming } from "../../transport/incoming.ts";
import { TCP_LIMITS } from "../../transport/limits.ts";
import { type Socket, TCP_NET } from "../../transport/socket.ts";
import { EventLog, ManualEnv, N1 } from "./harness.ts";
import { CLUSTER, frame, hello } from "./raw_peer.ts";

const FLOOD = 10_000;

/** Gives its bytes, then nothing until it is closed; no write after the first ever ends. */
class StuckSocket implements Socket {
  readonly remote = "test";
  writes = 0;
  #left: Uint8Array;
  readonly #pending: PromiseWithResolvers<never>[] = [];

  constructor(bytes: Uint8Array) {
    this.#left = bytes;
  }

  read(into: Uint8Array): Promise<number | null> {
    const part = this.#left.subarray(0, into.length);
    if (part.length === 0) return this.#never();
    into.set(part);
    this.#left = this.#left.subarray(part.length);
    return Promise.resolve(part.length);
  }

  write(bytes: Uint8Array): Promise<number> {
    return ++this.writes === 1 ? Promise.resolve(bytes.length) : this.#never();
  }

  close(): void {
    for (const { reject } of this.#pending.splice(0)) reject(new Error("closed"));
  }

  #never(): Promise<never> {
    const pending = Promise.withResolvers<never>();
    this.#pending.push(pending);
    return pending.promise;
  }
}

Deno.test("Incoming has one answer under way, however many probes come", async () => {
  const probes = new Uint8Array(4 * FLOOD);
  const socket = new StuckSocket(new Uint8Array([...hello(), ...probes, ...frame(7)]));
  const log = new EventLog();
  const { promise: delivered, resolve } = Promise.withResolvers<NodeId>();
  const context = {
    self: {
      id: N1,
      clusterId: CLUSTER,
      boot: 1,
      incarnation: 1,
      address: () => null,
      holding: () => HOLDS_ALL,
    },
    limits: TCP_LIMITS,
    env: new ManualEnv(),
    net: TCP_NET,
    emit: log.record,
    counters: new Counters(log.record),
    acquaintances: new Acquaintances({}),
  };
  const incoming = new Incoming(context, {
    judge: () => null,
    remember: () => Promise.resolve(),
    adopt: () => true,
    deliver: (from) => resolve(from),
  }, socket);
  const running = incoming.run();
  assertEquals(await delivered, "n2");
  // The welcome, and one answer.
  assertEquals(socket.writes, 2);
  incoming.close("closing");
  await running;
  assertEquals(log.events.map(({ type }) => type), ["connected", "disconnected"]);
});
