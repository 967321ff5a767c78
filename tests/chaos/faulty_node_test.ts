/** What stands between a node of a chaos run and its world: fault lines, disk, command line. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { UsageError } from "../../cli/args.ts";
import { LOG_EMPTY_BATCH, oneEntry } from "./log_batches.ts";
import { MemoryDisk, MemoryLogStore } from "../../storage/memory_log_store.ts";
import { StorageFull } from "../../storage/types.ts";
import { faultLine, FaultLines, NO_FAULTS, type NodeFaults } from "./control.ts";
import { FaultyDisk } from "./faulty_log.ts";
import { readOptions } from "./options.ts";

Deno.test("FaultLines takes whole lines, however they arrive, and refuses what is none", () => {
  const taken: NodeFaults[] = [];
  const lines = new FaultLines((faults) => void taken.push(faults));
  const slow = { ...NO_FAULTS, clockOffsetMs: -5, disk: { slowMs: 9, full: false } };
  const links = [{ from: "n1", to: "n2", link: { cut: true } }];
  const bytes = new TextEncoder().encode(faultLine(slow) + faultLine({ ...NO_FAULTS, links }));
  for (let at = 0; at < bytes.length; at += 10) lines.push(bytes.subarray(at, at + 10));
  assertEquals(taken, [slow, { ...NO_FAULTS, links }]);
  assertThrows(() => lines.push(new TextEncoder().encode("no json\n")), SyntaxError);
  assertThrows(() => lines.push(new Uint8Array(70_000).fill(65)), Error, "no end of line");
});

Deno.test("FaultyDisk is full once, then lives on its reserve until there is room", async () => {
  const disk = new FaultyDisk();
  const memory = new MemoryDisk();
  const log = disk.over(new MemoryLogStore(memory, { clusterId: "c", nodeId: "n1" }));
  await log.open();
  await log.commit(oneEntry(1));
  disk.faults = { slowMs: 0, full: true };
  await log.commit(LOG_EMPTY_BATCH);
  assertEquals(log.reserve.released, false);
  await assertRejects(() => log.commit(oneEntry(2)), StorageFull);
  assertEquals(log.reserve.released, true);
  assertEquals((await log.open()).entries.length, 1, "what was refused is not there");
  await log.commit(oneEntry(2));
  assertEquals(await log.reserve.restore(), false);
  disk.faults = { slowMs: 0, full: false };
  assertEquals(await log.reserve.restore(), true);
  assertEquals(log.reserve.released, false);
  await log.close();
});

Deno.test("readOptions() reads a command line, and tells everything that is wrong with it", () => {
  const names = ["kill", "loss"];
  assertEquals(readOptions(["--minutes", "0.5", "--only", "loss"], names, () => 9), {
    minutes: 0.5,
    size: 3,
    seed: 9,
    transport: "tcp",
    history: null,
    faults: new Set(["loss"]),
  });
  assertEquals(readOptions(["--help"], names, () => 9), null);
  const bad = [
    "--minutes=0",
    "--size=4",
    "--seed=x",
    "--transport=ip",
    "--only=kill,flood",
    "more",
  ];
  const error = assertThrows(() => readOptions(bad, names, () => 9), UsageError);
  assertEquals(error.problems.length, 6);
  const negative = assertThrows(() => readOptions(["--seed", "-1"], names, () => 9), UsageError);
  assertEquals(negative.problems, ["--seed must be from 1 to 2147483647: -1"]);
});
