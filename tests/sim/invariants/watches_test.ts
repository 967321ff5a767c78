/** The invariant of watches, with what breaks it. */
import { assertThrows } from "@std/assert";
import { Broken } from "./invariant.ts";
import { positionAfter, type Progress, Watches } from "./watches.ts";
import type { WatchEvent } from "../../../actors/service.ts";
import { encodeKey } from "../../../kv/key_codec.ts";
import type { Change } from "../../../kv/types.ts";

type Told = Exclude<WatchEvent, { type: "ended" }>;

const at = (index: number, order = 1) => ({ index, order });

function changesOf(index: number, order = 1): Change[] {
  return [{ key: encodeKey([`k${index}`]), value: null, versionstamp: at(index, order) }];
}

const watching = (index: number): Told => ({ type: "watching", position: at(index, 0) });
const progress = (index: number): Told => ({ type: "progress", position: at(index, 9) });
const gap = (since: number, to: number): Told => {
  return { type: "compacted", since: at(since, 9), position: at(to, 9) };
};
const change = (index: number, order = 1, of = index): Told => {
  return { type: "changes", versionstamp: at(index, order), changes: changesOf(of, order) };
};

/** Entries 1 to 6 are applied; 3 changes nothing, and in 5 a key expires as well. */
function tell(events: readonly Told[]): void {
  const watches = new Watches();
  for (let index = 1; index <= 6; index++) {
    const expired = index === 5 ? changesOf(5, 0) : [];
    const changes = index === 3 ? [] : [...expired, ...changesOf(index)];
    // Every replica applies each; only the first time counts.
    for (let replica = 0; replica < 2; replica++) {
      watches.applied(null as never, null as never, { index } as never, { changes } as never);
    }
  }
  const watcher: Progress = { name: "w1", position: null };
  for (const event of events) {
    watches.told(watcher, event);
    watcher.position = positionAfter(event);
  }
}

Deno.test("watches: all in order, over nodes and gaps that are said, breaks nothing", () => {
  tell([watching(1), change(1), change(2), progress(3), change(4), change(5, 0), change(5)]);
  tell([watching(1), change(1), { type: "watching", position: at(1) }, change(2)]);
  tell([watching(1), change(1), gap(1, 5), change(6), progress(6)]);
});

const bad: readonly (readonly [string, readonly Told[]])[] = [
  ["one that is left out", [watching(1), change(1), change(4)]],
  ["one that is told again", [watching(1), change(1), change(1)]],
  ["a way back", [watching(1), change(1), change(2), progress(1)]],
  ["half of an entry", [watching(4), change(4), change(5)]],
  ["what nobody wrote", [watching(1), change(1, 1, 2)]],
  ["silence in place of a change", [watching(1), progress(2)]],
  ["a gap that begins behind what was told", [watching(1), change(1), gap(2, 5)]],
  ["a gap that ends before it begins", [watching(4), gap(3, 2)]],
  ["another place than it asked for", [watching(1), change(1), watching(4)]],
];
for (const [what, events] of bad) {
  Deno.test(`watches: ${what} breaks it`, () => {
    assertThrows(() => tell(events), Broken);
  });
}
