/**
 * Where a search stands: how far it is in time, which of the pending calls have taken place, and what the
 * keys hold. Every change is noted and can be taken back, so that a search keeps one configuration and
 * no copies (Lowe 2017, section 4: the undo list).
 *
 * Knows what may follow from a configuration, but not what should: that is search.ts.
 *
 * @module
 */
import type { Call, CallCheck, CallMutation, Calls } from "./calls.ts";
import { ABSENT, type Cell, Cells, NO_VERSION } from "./cells.ts";
import type { Value } from "./types.ts";

/** Notes on the trail: what, and two numbers that are enough to take it back. */
const Note = { Invoked: 0, Happened: 1, Completed: 2, Cell: 3, Last: 4, Versioned: 5 } as const;
const NOTE_LENGTH = 3;
const WORD_BITS = 16;
/** Cells and the last version are numbers of 32 bits: two words each. */
const NUMBER_WORDS = 2;
/** Words that become text at once: a call has only so much room for arguments. */
const KEY_WORDS_MAX = 4096;

/** See the module. */
export class Configuration {
  readonly #calls: Calls;
  readonly cells = new Cells();
  /** By key. Not to be written from outside. */
  readonly cellIds: Int32Array;
  /** The greatest version so far: every later one must be greater. */
  last = NO_VERSION;
  /** The next event. */
  position = 0;
  /** How many of `Calls.versioned` have taken place. */
  #versioned = 0;
  /** The whole configuration as it is remembered: bits, cells, the last version. */
  readonly #words: Uint16Array;
  readonly #bitWords: number;
  readonly #trail: number[] = [];
  /** Pending calls in two rings, by id; the ring's heads are behind the last id. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #looks: number;
  readonly #writes: number;
  /** By kind of open calls. */
  readonly #invoked: Int32Array;
  readonly #happened: Int32Array;

  constructor(calls: Calls) {
    this.#calls = calls;
    const count = calls.calls.length;
    this.cellIds = new Int32Array(calls.keys.length).fill(ABSENT);
    this.#bitWords = Math.ceil(calls.bits / WORD_BITS);
    this.#words = new Uint16Array(this.#bitWords + NUMBER_WORDS * (calls.keys.length + 2));
    this.#looks = count;
    this.#writes = count + 1;
    this.#next = new Int32Array(count + 2);
    this.#previous = new Int32Array(count + 2);
    for (const head of [this.#looks, this.#writes]) {
      this.#next[head] = head;
      this.#previous[head] = head;
    }
    this.#invoked = new Int32Array(calls.kinds.length);
    this.#happened = new Int32Array(calls.kinds.length);
  }

  /** To come back here with {@linkcode Configuration.undo}. */
  mark(): number {
    return this.#trail.length;
  }

  /** Equal for equal configurations, and different for different ones. */
  key(): string {
    this.#setNumber(this.#words.length - NUMBER_WORDS, this.position);
    let key = "";
    for (let from = 0; from < this.#words.length; from += KEY_WORDS_MAX) {
      const words = this.#words.subarray(from, from + KEY_WORDS_MAX);
      key += String.fromCharCode.apply(null, words as unknown as number[]);
    }
    return key;
  }

  /** Whether a call has taken place; to be asked of pending calls only. */
  hasHappened({ bit }: Call): boolean {
    return (this.#words[bit >>> 4]! >>> (bit & 15) & 1) === 1;
  }

  /**
   * Goes on in time as far as what has taken place allows.
   *
   * @returns the call that completes next and has not taken place; null at the end of time.
   */
  advance(): Call | null {
    const { events, calls } = this.#calls;
    for (; this.position < events.length; this.position++) {
      const event = events[this.position]!;
      const call = calls[Math.abs(event) - 1]!;
      if (event > 0) {
        this.#invoke(call);
      } else {
        if (!this.hasHappened(call)) return call;
        this.#flip(call.bit);
        this.#note(Note.Completed, call.id, 0);
      }
    }
    return null;
  }

  /** The pending writes that could be next, but for their checks: those that complete, then one of each open kind. */
  *candidates(): IterableIterator<Call> {
    const { calls, versioned, kinds } = this.#calls;
    const due = versioned[this.#versioned];
    for (let id = this.#next[this.#writes]!; id !== this.#writes; id = this.#next[id]!) {
      const call = calls[id]!;
      // Versions increase, so the versioned writes can only take place in their order.
      if (call.version === NO_VERSION || id === due) yield call;
    }
    for (const [kind, members] of kinds.entries()) {
      if (this.#happened[kind]! < this.#invoked[kind]!) {
        yield calls[members[this.#happened[kind]!]!]!;
      }
    }
  }

  /**
   * The versions that a write may have if it is next. Where nobody was told, it can be one that was seen by
   * a read or named by a check, or one that nobody ever mentions.
   */
  versionsOf(call: Call): number[] {
    if (call.version !== NO_VERSION) return [call.version];
    const due = this.#calls.versioned[this.#versioned];
    const end = due === undefined ? Infinity : this.#calls.calls[due]!.version;
    const versions: number[] = [];
    for (const { key, value } of call.mutations) {
      const orphans = this.#calls.orphans[key]!;
      if (value === null) continue;
      for (let i = firstAbove(orphans, this.last); i < orphans.length; i++) {
        const { version } = orphans[i]!;
        if (version >= end) break;
        if (!versions.includes(version)) versions.push(version);
      }
    }
    versions.push(NO_VERSION);
    return versions;
  }

  /**
   * Lets a write be next, and then every read that it makes possible: what changes nothing loses nothing
   * by taking place as early as it can.
   *
   * @param version one of {@linkcode Configuration.versionsOf}.
   * @returns false if it cannot be next, or need not be; nothing has changed then.
   */
  happen(call: Call, version: number): boolean {
    if (version !== NO_VERSION && version <= this.last) return false;
    if (!this.#holds(call)) return false;
    const mark = this.mark();
    if (!this.#mutate(call, version) || !this.#explains(call, version)) {
      this.undo(mark);
      return false;
    }
    if (version !== NO_VERSION) this.#setLast(version);
    if (call.version !== NO_VERSION) {
      this.#note(Note.Versioned, 0, 0);
      this.#versioned++;
    }
    this.#happened_(call, version);
    for (let id = this.#next[this.#looks]!; id !== this.#looks;) {
      const after = this.#next[id]!;
      this.#look(this.#calls.calls[id]!);
      id = after;
    }
    return true;
  }

  /** Takes back everything since the mark, but for the position. */
  undo(mark: number): void {
    const trail = this.#trail;
    while (trail.length > mark) {
      const at = trail.length - NOTE_LENGTH;
      this.#takeBack(trail[at]!, trail[at + 1]!, trail[at + 2]!);
      trail.length = at;
    }
  }

  /** The calls that have taken place, in order, with the version of each (none for reads). */
  order(): { call: Call; version: number }[] {
    const order: { call: Call; version: number }[] = [];
    for (let at = 0; at < this.#trail.length; at += NOTE_LENGTH) {
      if (this.#trail[at] !== Note.Happened) continue;
      const call = this.#calls.calls[this.#trail[at + 1]!]!;
      order.push({ call, version: this.#trail[at + 2]! });
    }
    return order;
  }

  /** The first check of a call that does not hold now. */
  unmet(call: Call): CallCheck | undefined {
    return call.checks.find((check) => !this.meets(check));
  }

  meets(check: CallCheck): boolean {
    const { value, version } = this.cells.at(this.cellIds[check.key]!);
    if (check.value !== undefined && check.value !== value) return false;
    return check.version === undefined || check.version === version;
  }

  #holds({ checks }: Call): boolean {
    for (let i = 0; i < checks.length; i++) if (!this.meets(checks[i]!)) return false;
    return true;
  }

  #invoke(call: Call): void {
    this.#note(Note.Invoked, call.id, 0);
    if (call.open) {
      this.#invoked[call.kind]!++;
      return;
    }
    const head = call.type === "look" ? this.#looks : this.#writes;
    const tail = this.#previous[head]!;
    this.#next[tail] = call.id;
    this.#previous[call.id] = tail;
    this.#next[call.id] = head;
    this.#previous[head] = call.id;
    if (call.type === "look") this.#look(call);
  }

  #look(call: Call): void {
    if (!(call.refuted ? this.#isRefuted(call) : this.#holds(call))) return;
    for (const { key } of call.checks) this.#observe(key);
    this.#happened_(call, NO_VERSION);
  }

  #isRefuted({ checks, failed }: Call): boolean {
    if (failed === null) return checks.some((check) => !this.meets(check));
    return checks.every((check, i) => this.meets(check) !== failed.includes(i));
  }

  #mutate({ checks, mutations, open }: Call, version: number): boolean {
    for (const { key } of checks) this.#observe(key);
    const owed = open && mutations.length === 1;
    for (const mutation of mutations) {
      const before = this.cellIds[mutation.key]!;
      const cell = this.cells.at(before);
      if (cell.owed && mutation.blind) return false;
      const value = combine(cell, mutation);
      if (value === undefined) return false;
      const stamp = value === null ? NO_VERSION : version;
      // Of unknown outcome and without effect: then it need not have happened.
      if (owed && value === cell.value && stamp === cell.version) return false;
      this.#setCell(mutation.key, this.cells.idOf(value, stamp, owed));
    }
    return true;
  }

  /** Whether a version that was given to a write fits what was seen under it. */
  #explains(call: Call, version: number): boolean {
    if (version === call.version || version === NO_VERSION) return true;
    return call.mutations.some(({ key }) => {
      const { value } = this.cells.at(this.cellIds[key]!);
      return this.#calls.orphans[key]!.some((orphan) =>
        orphan.version === version && (orphan.value === undefined || orphan.value === value)
      );
    });
  }

  #observe(key: number): void {
    const cell = this.cells.at(this.cellIds[key]!);
    if (cell.owed) this.#setCell(key, this.cells.idOf(cell.value, cell.version, false));
  }

  #happened_(call: Call, version: number): void {
    this.#flip(call.bit);
    this.#note(Note.Happened, call.id, version);
    if (call.open) {
      this.#happened[call.kind]!++;
      return;
    }
    const [before, after] = [this.#previous[call.id]!, this.#next[call.id]!];
    this.#next[before] = after;
    this.#previous[after] = before;
  }

  #setCell(key: number, id: number): void {
    this.#note(Note.Cell, key, this.cellIds[key]!);
    this.#putCell(key, id);
  }

  #putCell(key: number, id: number): void {
    this.cellIds[key] = id;
    this.#setNumber(this.#bitWords + NUMBER_WORDS * key, id);
  }

  #setLast(version: number): void {
    this.#note(Note.Last, this.last, 0);
    this.#putLast(version);
  }

  #putLast(version: number): void {
    this.last = version;
    this.#setNumber(this.#words.length - 2 * NUMBER_WORDS, version);
  }

  #setNumber(word: number, value: number): void {
    this.#words[word] = value & 0xffff;
    this.#words[word + 1] = value >>> 16;
  }

  #flip(bit: number): void {
    this.#words[bit >>> 4]! ^= 1 << (bit & 15);
  }

  #note(note: number, a: number, b: number): void {
    this.#trail.push(note, a, b);
  }

  #takeBack(note: number, a: number, b: number): void {
    switch (note) {
      case Note.Invoked:
        return this.#uninvoke(this.#calls.calls[a]!);
      case Note.Happened:
        return this.#unhappen(this.#calls.calls[a]!);
      case Note.Completed:
        return this.#flip(this.#calls.calls[a]!.bit);
      case Note.Cell:
        return this.#putCell(a, b);
      case Note.Last:
        return this.#putLast(a);
      case Note.Versioned:
        this.#versioned--;
    }
  }

  #uninvoke(call: Call): void {
    if (call.open) {
      this.#invoked[call.kind]!--;
      return;
    }
    // Everything later has been taken back: it is the last of its ring again.
    const [before, head] = [this.#previous[call.id]!, this.#next[call.id]!];
    this.#next[before] = head;
    this.#previous[head] = before;
  }

  #unhappen(call: Call): void {
    this.#flip(call.bit);
    if (call.open) {
      this.#happened[call.kind]!--;
      return;
    }
    this.#next[this.#previous[call.id]!] = call.id;
    this.#previous[this.#next[call.id]!] = call.id;
  }
}

/** What a mutation makes of a cell; undefined if it cannot happen there. */
export function combine(
  { value: current }: Cell,
  { type, value }: CallMutation,
): Value | null | undefined {
  if (type === "set" || type === "delete") return value;
  if (current === null) return value;
  if (typeof current !== "number" || typeof value !== "number") return undefined;
  if (type === "sum") return current + value;
  return type === "min" ? Math.min(current, value) : Math.max(current, value);
}

/** The position of the first orphan with a greater version. */
function firstAbove(orphans: readonly { readonly version: number }[], version: number): number {
  let [low, high] = [0, orphans.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (orphans[middle]!.version <= version) low = middle + 1;
    else high = middle;
  }
  return low;
}
