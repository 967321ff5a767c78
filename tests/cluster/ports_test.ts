/** Whom the ports of a test belong to. */
import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { PEER_PORT_OFFSET } from "../../cli/limits.ts";
import { freeBasePort, freePorts, PortBlock } from "./ports.ts";

/** All that a block has, as far as nobody listens there. */
function allPorts(block: PortBlock): number[] {
  const bases: number[] = [];
  for (let base = block.takePairs(1); base !== null; base = block.takePairs(1)) bases.push(base);
  return bases.flatMap((base) => [base, base + PEER_PORT_OFFSET]);
}

Deno.test("PortBlock gives no port twice, nor one that another block has", () => {
  using first = PortBlock.claim();
  using second = PortBlock.claim();
  const ports = [...allPorts(first), ...allPorts(second)];
  assertEquals(new Set(ports).size, ports.length);
  assert(ports.every((port) => port > 10_240 && port < 32_768));
  // Others may listen on a few of them.
  assert(ports.length > 700, `two blocks have ${ports.length} ports`);
});

Deno.test("PortBlock is one holder's until that leaves it", () => {
  const block = PortBlock.claim();
  const numbers = [block.number];
  assertThrows(() => PortBlock.claim(numbers), Error, "others hold all blocks, of 1");
  const base = block.takePairs(1);
  block[Symbol.dispose]();
  using again = PortBlock.claim(numbers);
  assertEquals(again.takePairs(1), base);
});

Deno.test("PortBlock passes over ports where somebody listens, of clients or of peers", () => {
  using block = PortBlock.claim();
  const before = block.takePairs(1)!;
  using _client = Deno.listen({ hostname: "127.0.0.1", port: before + 3 });
  using _peer = Deno.listen({ hostname: "127.0.0.1", port: before + 8 + PEER_PORT_OFFSET });
  assertEquals(block.takePairs(2), before + 1);
  assertEquals(block.takePairs(3), before + 4);
  assertEquals(block.takePairs(2), before + 9);
});

Deno.test("PortBlock has no more pairs in a row than it has", () => {
  using block = PortBlock.claim();
  assertEquals(block.takePairs(200), null);
});

Deno.test("freePorts() gives ports that freeBasePort() does not", () => {
  const ports = freePorts(3);
  const base = freeBasePort(2);
  const all = [...ports, ...freePorts(2), base, base + 1, base + 1000, base + 1001];
  assertEquals(new Set(all).size, 9);
  assertNotEquals(freeBasePort(2), base);
});
