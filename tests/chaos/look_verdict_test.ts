/** The verdict on reads that name their version, on looks known good and bad. */
import { assertEquals, assertMatch } from "@std/assert";
import type { Entry, Mutation, Operation } from "../history/mod.ts";
import { judgeLooks } from "./look_verdict.ts";

function stamp(index: number): string {
  return String(index).padStart(16, "0") + "0001";
}

/** A write of `k` in version `told`; of unknown outcome if that is null. */
function write(mutation: Mutation, told: number | null): Operation {
  const base = {
    client: "w",
    invokedAt: 0,
    op: "write",
    checks: [],
    mutations: [mutation],
  } as const;
  return told === null
    ? { ...base, completedAt: null, outcome: "unknown" }
    : { ...base, completedAt: 1, outcome: "ok", versionstamp: stamp(told) };
}

const set = (value: string, told: number | null) => write({ type: "set", key: "k", value }, told);
const remove = (told: number | null) => write({ type: "delete", key: "k" }, told);
const history: Operation[] = [set("a", 2), set("b", 4), remove(6), set("d", 8), set("u", null)];

function judge(
  at: number,
  found: [value: string, version: number] | null,
  operations: readonly Operation[] = history,
) {
  const entry: Entry | null = found && { value: found[0], versionstamp: stamp(found[1]) };
  const look = { client: "c1", kind: "session read", key: "k", entry, versionstamp: stamp(at) };
  return judgeLooks([look], operations);
}

Deno.test("judgeLooks() is content with what the writes up to a version have left", () => {
  const good: Parameters<typeof judge>[] = [
    [1, null],
    [2, ["a", 2]],
    [3, ["a", 2]],
    [5, ["b", 4]],
    [7, null],
    [9, ["d", 8]],
    // What is unknown may stand at any version.
    [5, ["u", 5]],
    [7, ["u", 7]],
    [5, null, [...history, remove(null)]],
  ];
  for (const each of good) assertEquals(judge(...each).isGood, true, JSON.stringify(each));
});

Deno.test("judgeLooks() finds answers that are older, newer or other than they say", () => {
  const bad: [Parameters<typeof judge>, RegExp][] = [
    // What a follower shows that has not applied what it says it has.
    [[4, ["a", 2]], /0004\d+ was acknowledged, and is later/],
    [[3, null], /nothing has deleted it/],
    [[7, ["b", 4]], /is later/],
    [[9, ["u", 7]], /is later/],
    [[3, ["b", 4]], /it is later than that/],
    [[5, ["a", 4]], /nobody wrote that/],
    [[5, ["x", 5]], /nobody wrote that/],
    [[7, ["d", 6]], /nobody wrote that/],
  ];
  for (const [each, why] of bad) {
    const { isGood, detail } = judge(...each);
    assertEquals(isGood, false, JSON.stringify(each));
    assertMatch(detail, why);
  }
});
