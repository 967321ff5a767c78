/**
 * What a local Deno KV file can do under the same concurrency: closed-loop writers in one process, no
 * HTTP, no replication, one commit a value. `--data DIR --writers N --warm-up-seconds N --seconds N
 * --value-bytes N --keys N`; prints what it measured as one JSON object and ends by itself.
 *
 * It is started by bench/compare.ts.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { integer, type Measured } from "./load_types.ts";
import { measuredOf } from "./statistics.ts";

/** As the script of wrk has it: visits every key in turn. */
const STRIDE = 7919;

interface Load {
  readonly writers: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly valueBytes: number;
  readonly keys: number;
}

async function write(kv: Deno.Kv, load: Load): Promise<Measured> {
  const value = new Uint8Array(load.valueBytes).fill(120);
  const latenciesMs: number[] = [];
  let errors = 0;
  let serial = 0;
  const startMs = performance.now() + load.warmUpSeconds * 1000;
  const endMs = startMs + load.seconds * 1000;
  async function writer(): Promise<void> {
    for (let sentMs = performance.now(); sentMs < endMs;) {
      serial = (serial + STRIDE) % load.keys;
      const { ok } = await kv.set(["load", serial], value);
      const doneMs = performance.now();
      if (sentMs >= startMs) {
        latenciesMs.push(doneMs - sentMs);
        if (!ok) errors++;
      }
      sentMs = doneMs;
    }
  }
  await Promise.all(Array.from({ length: load.writers }, writer));
  return measuredOf(latenciesMs, errors, (performance.now() - startMs) / 1000);
}

const flags = parseArgs(Deno.args, {
  string: ["data", "writers", "warm-up-seconds", "seconds", "value-bytes", "keys"],
});
const kv = await Deno.openKv(`${flags.data}/file.sqlite3`);
const measured = await write(kv, {
  writers: integer("writers", flags.writers, 64, 1, 1024),
  warmUpSeconds: integer("warm-up-seconds", flags["warm-up-seconds"], 1, 0, 600),
  seconds: integer("seconds", flags.seconds, 10, 1, 600),
  valueBytes: integer("value-bytes", flags["value-bytes"], 256, 0, 65_536),
  keys: integer("keys", flags.keys, 10_000, 1, 1_000_000),
});
kv.close();
console.log(JSON.stringify(measured));
