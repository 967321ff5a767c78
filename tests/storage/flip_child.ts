/**
 * A child that opens a damaged copy of a data directory, one after another, and prints what came of
 * each: `<number> whole`, `refused` or `damage`, or `silent` and why if it was none of these. A
 * child, because Deno KV's own housekeeping may panic on a malformed file and end the process.
 *
 * Arguments: directory with `images/` and `flips.json`, number of the first flip.
 *
 * @module
 */
import { equal } from "@std/assert";
import type { Recovery } from "../../storage/types.ts";
import { type Flip, FLIP_ENTRIES, FLIP_HARD_STATE } from "./flips.ts";
import { storeAt } from "./places.ts";

const [directory, start] = Deno.args;
const flips: Flip[] = JSON.parse(await Deno.readTextFile(`${directory}/flips.json`));

async function lay(target: string, flip: Flip): Promise<void> {
  const images = `${directory}/${flip.images}`;
  await Deno.mkdir(target);
  for await (const { name } of Deno.readDir(images)) {
    const bytes = await Deno.readFile(`${images}/${name}`);
    if (name === flip.file && flip.bit === "cut") {
      await Deno.writeFile(`${target}/${name}`, bytes.subarray(0, flip.at));
      continue;
    }
    if (name === flip.file) bytes[flip.at] ^= 1 << Number(flip.bit);
    await Deno.writeFile(`${target}/${name}`, bytes);
  }
}

function judge({ entries, hardState, damage }: Recovery): string {
  const prefix = equal(entries, FLIP_ENTRIES.slice(0, entries.length));
  if (!prefix) return "silent: other entries";
  if (damage !== null) {
    return hardState.term === FLIP_HARD_STATE.term ? "damage" : "silent: an older term";
  }
  if (entries.length < FLIP_ENTRIES.length) return `silent: ${entries.length} entries`;
  return equal(hardState, FLIP_HARD_STATE) ? "whole" : "silent: another hard state";
}

for (let i = Number(start); i < flips.length; i++) {
  const target = `${directory}/copy-${i}`;
  await lay(target, flips[i]);
  const store = storeAt(target);
  let outcome: string;
  try {
    outcome = judge(await store.open());
  } catch (error) {
    outcome = `refused ${(error as Error).name}`;
  } finally {
    await store.close();
  }
  console.log(`${i} ${outcome}`);
  await Deno.remove(target, { recursive: true });
}
