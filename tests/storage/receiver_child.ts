/**
 * A child that receives a snapshot, and installs it, until it is killed: it prints `next <n>` when it
 * begins and after each chunk that it was promised, and `installed` in the end.
 *
 * Argument: directory.
 *
 * @module
 */
import { infoOf, RECEIVED_CHUNKS, RECEIVED_META, storeAt } from "./places.ts";

const [directory] = Deno.args;
const encoder = new TextEncoder();
const say = (line: string) => Deno.stdout.writeSync(encoder.encode(`${line}\n`));

const store = storeAt(directory);
await store.open();
try {
  const receiver = await store.snapshots.receive(infoOf(RECEIVED_META, RECEIVED_CHUNKS));
  say(`next ${receiver.next}`);
  while (receiver.next < RECEIVED_CHUNKS.length) {
    await receiver.add(receiver.next, RECEIVED_CHUNKS[receiver.next]);
    say(`next ${receiver.next}`);
  }
  await receiver.install(false);
  say("installed");
} finally {
  await store.close();
}
