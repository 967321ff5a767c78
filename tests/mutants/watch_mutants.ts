/**
 * Bugs in watches: what is lost, told twice, told too early, or lacking in silence (bug 36).
 *
 * @module
 */
import { type Mutant, testsOf } from "./mutant.ts";

const CATALOGUE = "tests/catalogue/watch_test.ts";
const FEED = "tests/kv/change_feed_test.ts";
const WATCHING = "tests/actors/watching_test.ts";

export const WATCH_MUTANTS: readonly Mutant[] = [
  {
    name: "watch-silent-over-a-snapshot",
    breaks: "a watch is told that a snapshot took the state's place (bugs 33, 36)",
    file: "actors/watching.ts",
    find: "for (const watch of this.#watchers.all()) watch.overtaken(head);",
    replace: "",
    caughtBy: testsOf(
      CATALOGUE,
      "catalogue 36: a watch at a node that installs a snapshot is told of the gap, and of all behind it",
    ),
  },
  {
    name: "feed-outlives-a-snapshot",
    breaks: "what was applied before a snapshot does not join on to what comes behind it (bug 36)",
    file: "actors/snapshot_receiving.ts",
    find: "state.watching.installed(info.meta.index);",
    replace: "",
    caughtBy: testsOf(
      CATALOGUE,
      "catalogue 36: a watch at a node that installs a snapshot is told of the gap, and of all behind it",
    ),
  },
  {
    name: "watch-repeats-where-it-goes-on",
    breaks: "a watch goes on behind the last event, not with it (bug 36)",
    file: "kv/change_feed.ts",
    find: "position) <= 0) low = middle + 1;",
    replace: "position) < 0) low = middle + 1;",
    caughtBy: testsOf(
      CATALOGUE,
      "catalogue 36: a watch goes on over a restart of its node, from what the log still has",
    ),
  },
  {
    name: "watch-does-not-wait-for-its-place",
    breaks: "a node that is behind lets a watch wait until it has come to its place (bug 36)",
    file: "actors/node_calls.ts",
    find: "await comeTo(since.index, (kind, its) => this.read(NOTHING, kind, its), options);",
    replace: "void options;",
    caughtBy: testsOf(
      CATALOGUE,
      "catalogue 36: a watch that goes on at a node which is behind waits there, and tells the rest: nothing twice, nothing not",
    ),
  },
  {
    name: "watch-rewinds-at-a-node-that-is-behind",
    breaks: "a watch goes on from its own place, wherever the node is (bug 36)",
    file: "actors/node_calls.ts",
    find: "if (since !== null) {\n        await comeTo(",
    replace:
      "const status = this.status().replicas[0];\n      if (since !== null && status !== undefined && status.appliedIndex < since.index) {\n" +
      "        request = { ...request, since: null };\n      } else if (since !== null) {\n        await comeTo(",
    caughtBy: testsOf(
      CATALOGUE,
      "catalogue 36: a watch that goes on at a node which is behind waits there, and tells the rest: nothing twice, nothing not",
    ),
  },
  {
    name: "watch-place-judged-by-a-node-that-is-behind",
    breaks: "only what the leader knows shows that a watch's place is another cluster's (bug 36)",
    file: "actors/watch_places.ts",
    find: "await read(LINEARIZABLE, judged)",
    replace: 'await read({ mode: "eventual", maxStalenessMs: null }, judged)',
    caughtBy: testsOf(
      CATALOGUE,
      "catalogue 36: a watch that goes on at a node which is behind waits there, and tells the rest: nothing twice, nothing not",
    ),
  },
  {
    name: "watch-from-a-place-not-come-to",
    breaks: "a replica that has not applied a watch's place does not open it (bug 36)",
    file: "actors/watching.ts",
    find: "if (since !== null && since.index > head.index) {",
    replace: "if (since !== null && since.index < 0) {",
    caughtBy: testsOf(
      WATCHING,
      "Watching goes on from any versionstamp that it still knows, and between two of one entry",
    ),
  },
  {
    name: "gap-at-the-start-hidden",
    breaks: "a watch from before what a node knows is told of the gap (bug 36)",
    file: "actors/watch.ts",
    find: "if (since !== null && this.#sequence === null) this.#gapFrom = since;",
    replace: "",
    caughtBy: testsOf(
      CATALOGUE,
      "catalogue 36: a watch that goes on from before what a node knows is told of the gap at once",
    ),
  },
  {
    name: "gap-of-a-slow-watch-hidden",
    breaks: "a watch that falls out of the feed is told of it (bug 36)",
    file: "actors/watch.ts",
    find: "if (change === null) return this.#tellGap(this.#position);",
    replace: "if (change === null) continue;",
    caughtBy: testsOf(
      WATCHING,
      "Watching says that there is a gap to whoever reads more slowly than the feed forgets",
    ),
  },
  {
    name: "feed-forgets-without-a-floor",
    breaks: "what the feed lets go is remembered as its floor (bug 36)",
    file: "kv/change_feed.ts",
    find: "this.#floor = oldest.versionstamp;",
    replace: "",
    caughtBy: testsOf(
      FEED,
      "ChangeFeed of so many changes lets go the oldest, and says so to who lacks them",
    ),
  },
  {
    name: "half-a-write-falls-out-of-the-feed",
    breaks: "an atomic write is told as a whole or lies in a gap as a whole (bug 36)",
    file: "kv/change_feed.ts",
    find: "if (compareVersionstamps(change.versionstamp, oldest.versionstamp) !== 0) break;",
    replace: "if (change !== oldest) break;",
    caughtBy: testsOf(FEED, "ChangeFeed lets an atomic write go as a whole"),
  },
  {
    name: "change-shown-before-it-is-published",
    breaks: "what a replica applies is told only once its state was judged (bug 36)",
    file: "kv/change_feed.ts",
    find: "if (sequence < this.#first || sequence >= this.#published) return null;",
    replace: "if (sequence < this.#first || sequence >= this.#next) return null;",
    caughtBy: testsOf(FEED, "ChangeFeed shows nothing before it is published"),
  },
  {
    name: "one-event-for-each-key-of-a-write",
    breaks: "all that a write did is one event, so that nobody goes on in its middle (bug 36)",
    file: "actors/watch.ts",
    find: "if (compareVersionstamps(change.versionstamp, first.versionstamp) !== 0) break;",
    replace: "break;",
    caughtBy: testsOf(
      WATCHING,
      "Watching tells all that a write did to watched keys in one event, and what expired in another",
    ),
  },
  {
    name: "expired-keys-not-told",
    breaks: "a key that expires is told as a delete when it is due (bug 36)",
    file: "kv/store.ts",
    find: "changes.push({ key, value: null, versionstamp });",
    replace: "",
    caughtBy: testsOf(
      CATALOGUE,
      "catalogue 36: a key that expires is told at every node when it is due, as a delete, once",
    ),
  },
  {
    name: "watch-silent-at-a-node-that-is-cut-off",
    breaks: "a node that heard no leader for long ends its watches (bug 36)",
    file: "actors/replica.ts",
    find: "onWatchTick(state);",
    replace: "",
    caughtBy: testsOf(
      CATALOGUE,
      "catalogue 36: a watch at a node that hears no leader any more ends, and goes on at another one",
    ),
  },
  {
    name: "watches-outlive-their-node",
    breaks: "a node that goes ends its watches, so that they go on elsewhere (bug 36)",
    file: "actors/node_calls.ts",
    find: "// Before anything else: they go on at another node.\n    this.#watches.close();",
    replace: "",
    caughtBy: testsOf(
      "tests/catalogue/watch_test.ts",
      "catalogue 36: a node that stops ends its watches at once, and takes no more",
    ),
  },
];
