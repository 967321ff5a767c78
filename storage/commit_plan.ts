/**
 * Turns a batch into the atomics that write it: one, if Deno KV's limits allow; otherwise several, in
 * an order in which a crash between two leaves a log without gaps that ends where its state says.
 *
 * The forgetting comes first, from the end backwards, then the appending, from the front. So the log is
 * at each moment a part of the old one, or what stays of it and a part of the new entries. Term and vote
 * go with the first of them, the commit hint only as far as it is true of what is there
 * ({@linkcode hardStateOf}). Nothing of the batch is acknowledged before all of it is there.
 *
 * Plain computation; the writing is in kv_log_store.ts.
 *
 * @module
 */
import { encodeEntries, entryBytes } from "../raft/entry_codec.ts";
import { type Entry, type HardState, logIndex } from "../raft/types.ts";
import { encodeBlock, type EncodedBlock, type LogEnd } from "./block_codec.ts";
import type { BlockIndex } from "./block_index.ts";
import type { AtomicLimits } from "./limits.ts";

/** Bytes that a key of the log comes to at most in an atomic, for group names of up to 64 characters. */
const KEY_BYTES = 112;
/** The mutation that writes the state, key and value. */
const STATE_MUTATIONS = 1;
const STATE_BYTES = 256;

/** A value of the log: one part of the block that begins at `firstIndex`. */
export interface PartKey {
  readonly firstIndex: number;
  readonly part: number;
}

/** One atomic. */
export interface Step {
  readonly deletes: readonly PartKey[];
  readonly puts: readonly (PartKey & { readonly value: Uint8Array })[];
  /**
   * Where the log ends after it, for the state record. Null if the state stays as it is: the values
   * are parts of a block whose head follows, and until then nobody sees them.
   */
  readonly end: LogEnd | null;
}

/** How a batch is written, and what it makes of the block index. */
export interface CommitPlan {
  readonly steps: readonly Step[];
  /** The last index whose entry stays as it is. */
  readonly kept: number;
  /** The blocks that stay as they are. */
  readonly keptBlocks: number;
  /** The blocks that come behind them. */
  readonly blocks: readonly EncodedBlock[];
}

/** The entries that stay of a block that is cut in two, and their bytes. */
export interface BlockHead {
  readonly entries: readonly Entry[];
  readonly payload: Uint8Array;
}

/** The block that holds entries on both sides of `kept`, or -1: it must be read to be cut. */
export function straddlingBlock(index: BlockIndex, kept: number): number {
  const blocks = index.blocksBefore(kept + 1);
  return blocks > 0 && index.endOf(blocks).lastIndex > kept ? blocks - 1 : -1;
}

/**
 * Plans to keep the log up to `kept` and to append `entries`. `head` is what stays of the straddling
 * block, null if there is none.
 */
export function planCommit(
  index: BlockIndex,
  kept: number,
  entries: readonly Entry[],
  head: BlockHead | null,
  limits: AtomicLimits,
): CommitPlan {
  const keptBlocks = index.blocksBefore(kept + 1) - (head === null ? 0 : 1);
  const blocks: EncodedBlock[] = [];
  let end = index.endOf(keptBlocks);
  if (head !== null) {
    const lastTerm = head.entries[head.entries.length - 1].term;
    const { length } = head.entries;
    blocks.push(encodeBlock(end, length, head.payload, lastTerm, limits.blockPayloadBytesMax));
    end = blocks[0].end;
  }
  packBlocks(end, entries, limits.blockPayloadBytesMax, blocks);
  const single = singleStep(index, keptBlocks, blocks);
  if (fits(single, limits)) return { steps: [single], kept, keptBlocks, blocks };
  const steps: Step[] = [];
  addTruncation(index, keptBlocks, head === null ? null : blocks[0], limits, steps);
  addAppends(head === null ? blocks : blocks.slice(1), limits, steps);
  return { steps, kept, keptBlocks, blocks };
}

/**
 * The hard state that goes with a step. The hint speaks of the log as the whole batch makes it; between
 * the steps there may still be entries that the batch forgets, and a replica that starts there would
 * take them for committed. What every step has in common with the whole is the log up to `kept`.
 */
export function hardStateOf(plan: CommitPlan, step: Step, whole: HardState): HardState {
  if (step === plan.steps[plan.steps.length - 1] || whole.commit <= plan.kept) return whole;
  return { term: whole.term, vote: whole.vote, commit: logIndex(plan.kept) };
}

/** Cuts the entries into blocks of at most `bytesMax`; one that is larger alone gets its own. */
function packBlocks(
  before: LogEnd,
  entries: readonly Entry[],
  bytesMax: number,
  blocks: EncodedBlock[],
): void {
  if (entries.length === 0) return;
  const bytes = encodeEntries(entries);
  let end = before;
  let count = 0;
  let start = 0;
  let at = 0;
  for (let i = 0; i <= entries.length; i++) {
    const size = i < entries.length ? entryBytes(entries[i]) : 0;
    const full = i === entries.length || at + size - start > bytesMax;
    if (full && count > 0) {
      const whole = start === 0 && at === bytes.length;
      const payload = whole ? bytes : bytes.subarray(start, at);
      const block = encodeBlock(end, count, payload, entries[i - 1].term, bytesMax);
      blocks.push(block);
      end = block.end;
      start = at;
      count = 0;
    }
    at += size;
    count++;
  }
}

/** Everything at once, whatever its size. */
function singleStep(index: BlockIndex, keptBlocks: number, blocks: readonly EncodedBlock[]): Step {
  const deletes: PartKey[] = [];
  if (keptBlocks < index.size) {
    // What is written anew under the same key must not be deleted as well: nothing promises in which
    // order the mutations of one atomic take effect.
    const written = new Map(blocks.map((block) => [block.firstIndex, block.parts.length]));
    for (let i = keptBlocks; i < index.size; i++) {
      const firstIndex = index.firstIndex(i);
      const parts = index.parts(i);
      for (let part = written.get(firstIndex) ?? 0; part < parts; part++) {
        deletes.push({ firstIndex, part });
      }
    }
  }
  const puts = blocks.flatMap(putsOf);
  const end = blocks.length === 0 ? index.endOf(keptBlocks) : blocks[blocks.length - 1].end;
  return { deletes, puts, end };
}

/** Deletes blocks from the end backwards; the last step also replaces the block that is cut. */
function addTruncation(
  index: BlockIndex,
  keptBlocks: number,
  replaced: EncodedBlock | null,
  limits: AtomicLimits,
  steps: Step[],
): void {
  const untouched = keptBlocks + (replaced === null ? 0 : 1);
  let block = index.size;
  while (block > untouched) {
    const deletes: PartKey[] = [];
    while (block > untouched) {
      const parts = index.parts(block - 1);
      if (deletes.length > 0 && !fitsDeletes(deletes.length + parts, limits)) break;
      block--;
      const firstIndex = index.firstIndex(block);
      for (let part = 0; part < parts; part++) deletes.push({ firstIndex, part });
    }
    steps.push({ deletes, puts: [], end: index.endOf(block) });
  }
  if (replaced !== null) steps.push({ deletes: [], puts: putsOf(replaced), end: replaced.end });
}

/** Appends blocks from the front, as many an atomic as it takes. */
function addAppends(
  blocks: readonly EncodedBlock[],
  limits: AtomicLimits,
  steps: Step[],
): void {
  let puts: Step["puts"] = [];
  let end: LogEnd | null = null;
  for (const block of blocks) {
    const own = putsOf(block);
    if (
      puts.length > 0 && !fits({ deletes: [], puts: [...puts, ...own], end: block.end }, limits)
    ) {
      steps.push({ deletes: [], puts, end });
      puts = [];
    }
    if (puts.length === 0 && !fits({ deletes: [], puts: own, end: block.end }, limits)) {
      addStaged(own.slice(1), limits, steps);
      steps.push({ deletes: [], puts: own.slice(0, 1), end: block.end });
      continue;
    }
    puts = [...puts, ...own];
    end = block.end;
  }
  if (puts.length > 0) steps.push({ deletes: [], puts, end });
}

/** Writes the later parts of a block that is too large for one atomic ahead of its head. */
function addStaged(parts: Step["puts"], limits: AtomicLimits, steps: Step[]): void {
  let puts: Step["puts"] = [];
  for (const part of parts) {
    if (puts.length > 0 && !fits({ deletes: [], puts: [...puts, part], end: null }, limits)) {
      steps.push({ deletes: [], puts, end: null });
      puts = [];
    }
    puts = [...puts, part];
  }
  steps.push({ deletes: [], puts, end: null });
}

function putsOf(block: EncodedBlock): Step["puts"] {
  return block.parts.map((value, part) => ({ firstIndex: block.firstIndex, part, value }));
}

function fitsDeletes(deletes: number, limits: AtomicLimits): boolean {
  return deletes + STATE_MUTATIONS <= limits.atomicMutationsMax &&
    deletes * KEY_BYTES + STATE_BYTES <= limits.atomicBytesMax;
}

function fits(step: Step, limits: AtomicLimits): boolean {
  const mutations = step.deletes.length + step.puts.length;
  if (mutations + STATE_MUTATIONS > limits.atomicMutationsMax) return false;
  let bytes = STATE_BYTES + mutations * KEY_BYTES;
  for (const put of step.puts) bytes += put.value.length;
  return bytes <= limits.atomicBytesMax;
}
