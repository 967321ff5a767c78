/**
 * A child that writes to a data directory until it is killed or fenced off, or has made as many
 * commits as it was told: it prints `open <boot>`, before each commit `begin <n>` and after it
 * `acknowledged <last index>`. Fenced off, it prints `fenced` and ends.
 *
 * Every third commit forgets the last entry of the one before and writes it anew.
 *
 * Arguments: directory, commits.
 *
 * @module
 */
import { Fenced } from "../../storage/types.ts";
import { batch, entries, hardState, storeAt } from "./places.ts";

const [directory, commits] = Deno.args;
const encoder = new TextEncoder();

// Unlike console.log, this is one write a line, which strace shows as such.
function say(line: string): void {
  Deno.stdout.writeSync(encoder.encode(`${line}\n`));
}

const store = storeAt(directory);
const { boot, entries: found, hardState: { term } } = await store.open();
say(`open ${boot}`);
let last = found.length;
try {
  for (let n = 1; n <= Number(commits); n++) {
    const forgets = n % 3 === 0;
    const first = forgets ? last : last + 1;
    const termOf = term + n;
    const count = 1 + n % 5;
    say(`begin ${n}`);
    await store.commit(batch({
      hardState: hardState(termOf, "n1"),
      truncateFrom: forgets ? first : undefined,
      entries: entries(first, count, termOf, 200),
    }));
    last = first + count - 1;
    say(`acknowledged ${last} ${termOf}`);
  }
} catch (error) {
  if (!(error instanceof Fenced)) throw error;
  say("fenced");
} finally {
  await store.close();
}
