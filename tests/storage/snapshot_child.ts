/**
 * A child that takes a snapshot, receives and installs another, and quarantines all of it; around each
 * step it prints `begin <step>` and `acknowledged <step>`.
 *
 * Argument: directory.
 *
 * @module
 */
import { logIndex } from "../../raft/types.ts";
import { batch, chunks, entries, infoOf, snapshotMeta, storeAt } from "./places.ts";

const [directory] = Deno.args;
const encoder = new TextEncoder();
const say = (line: string) => Deno.stdout.writeSync(encoder.encode(`${line}\n`));

async function step<T>(name: string, act: () => Promise<T>): Promise<T> {
  say(`begin ${name}`);
  const result = await act();
  say(`acknowledged ${name}`);
  return result;
}

const contents = chunks(2, 1, 20_000);
const store = storeAt(directory);
await store.open();
await store.commit(batch({ entries: entries(1, 10) }));
const writer = await store.snapshots.create(snapshotMeta(10));
for (const chunk of contents) await step("chunk", () => writer.add(chunk));
await step("switch", () => writer.finish(logIndex(0)));
const info = infoOf(snapshotMeta(30), contents);
const receiver = await step("note", () => store.snapshots.receive(info));
for (const [i, chunk] of contents.entries()) await step("received", () => receiver.add(i, chunk));
await step("install", () => receiver.install(false));
await store.garbageSettled();
await step("quarantine", () => store.quarantine("to see what is synced"));
await store.close();
