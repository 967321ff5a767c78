/**
 * Bugs in the replicated store: exactly once, checks, time, hashes and snapshots of it.
 *
 * @module
 */
import { type Mutant, testsOf } from "./mutant.ts";

const SESSIONS = "tests/kv/sessions_test.ts";
const STORE = "tests/kv/store_test.ts";
const SNAPSHOT = "tests/kv/snapshot_test.ts";

export const STORE_MUTANTS: readonly Mutant[] = [
  {
    name: "session-dedup-dropped",
    breaks: "a command proposed again is not applied again (thesis 6.3, bug 35)",
    file: "kv/store.ts",
    find: "if (known !== null) return { session, sequence, result: known, changes: expired };",
    replace:
      'if (known !== null && known.status !== "applied") return { session, sequence, result: known, changes: expired };',
    caughtBy: testsOf(
      SESSIONS,
      "a command applied twice gives the first result and changes nothing",
    ),
  },
  {
    name: "stale-command-applied",
    breaks: "a late copy below the low water is not applied (thesis 6.3, bug 35)",
    file: "kv/sessions.ts",
    find: "return sequence < Math.max(session.lowWater, lowWater) ? STALE : null;",
    replace: "return null;",
    caughtBy: testsOf(
      SESSIONS,
      "commands below the low water are stale once their results are forgotten",
    ),
  },
  {
    name: "command-of-no-session-applied",
    breaks: "without its session nobody can tell whether a command was applied (thesis 6.3)",
    file: "kv/sessions.ts",
    find: "if (session === undefined) return SESSION_UNKNOWN;",
    replace: "if (session === undefined) { this.open(id, 0); return null; }",
    caughtBy: testsOf(SESSIONS, "a command of a session that is not open does nothing"),
  },
  {
    name: "low-water-forgets-too-early",
    breaks: "a result is kept until it has been answered (thesis 6.3, bug 35)",
    file: "kv/sessions.ts",
    find: "if (lowWater > session.lowWater) this.#raise(session, lowWater);",
    replace: "if (lowWater + 1 > session.lowWater) this.#raise(session, lowWater + 1);",
    caughtBy: testsOf(
      SESSIONS,
      "every command is applied exactly once, however often and in whatever order it comes",
      "commands below the low water are stale once their results are forgotten",
    ),
  },
  {
    name: "low-water-ahead-of-what-is-answered",
    breaks: "the low water lies below all that waits for an answer (thesis 6.3, bug 35)",
    file: "actors/proposals.ts",
    find: "for (const sequence of this.#pending.keys()) return sequence;\n    return",
    replace: "return",
    caughtBy: testsOf(
      "tests/actors/proposals_test.ts",
      "Proposals stamps each write with its session, sequence and low-water mark",
    ),
  },
  {
    name: "sessions-not-in-the-snapshot",
    breaks: "sessions outlive the log that they came in (bug 35)",
    file: "kv/snapshot_encoder.ts",
    find: "const sessions = capture.sessions.toSorted(",
    replace: "const sessions = capture.sessions.slice(0, 0).toSorted(",
    caughtBy: testsOf(
      SNAPSHOT,
      "a restored store has the state, the hash and the snapshot of the original",
    ),
  },
  {
    name: "idempotency-key-ignored",
    breaks: "a request sent again under its key is done once (bug 35)",
    file: "kv/store.ts",
    find: "const { result, changes } = write.idempotencyKey === null",
    replace: "const { result, changes } = true",
    caughtBy: testsOf(
      "tests/kv/idempotency_test.ts",
      "a command under a known idempotency key gives the first result, from any session",
    ),
  },
  {
    name: "idempotency-keys-not-in-the-snapshot",
    breaks: "idempotency keys outlive the log that they came in (bug 35)",
    file: "kv/snapshot_encoder.ts",
    find: "for (const it of capture.remembered) {",
    replace: "for (const it of [] as Remembered[]) {",
    caughtBy: testsOf(
      SNAPSHOT,
      "a restored store has the state, the hash and the snapshot of the original",
    ),
  },
  {
    name: "check-after-the-mutation",
    breaks: "checks see the state before the write's own mutations",
    file: "kv/atomic.ts",
    find: "const failedChecks = findFailed(records, write.checks, nowMs);",
    replace:
      "executeWrite(records, { ...write, checks: [] }, versionstamp, nowMs);\n    const failedChecks = findFailed(records, write.checks, nowMs);",
    caughtBy: testsOf(
      STORE,
      "checks hold on exact versionstamps and on absence; all that fail are named",
    ),
  },
  {
    name: "failed-check-still-mutates",
    breaks: "a write whose check fails changes nothing",
    file: "kv/atomic.ts",
    find: 'return { result: { status: "check-failed", failedChecks }, changes: NO_CHANGES };',
    replace:
      'executeWrite(records, { ...write, checks: [] }, versionstamp, nowMs);\n      return { result: { status: "check-failed", failedChecks }, changes: NO_CHANGES };',
    caughtBy: testsOf(
      STORE,
      "checks hold on exact versionstamps and on absence; all that fail are named",
    ),
  },
  {
    name: "refused-mutation-leaves-those-before-it",
    breaks: "an atomic write is done as a whole or not at all",
    file: "kv/atomic.ts",
    find: "staged.set(key, next);",
    replace: "staged.set(key, next);\n    store(records, key, next, versionstamp);",
    caughtBy: testsOf(
      "tests/kv/arithmetic_test.ts",
      "above the maximum is refused, and the mutations around it change nothing",
    ),
  },
  {
    name: "replicated-time-runs-back",
    breaks: "replicated time never goes back (bug 23)",
    file: "kv/store.ts",
    find: "if (entry.timeMs > this.#timeMs) this.#timeMs = entry.timeMs;",
    replace: "this.#timeMs = entry.timeMs;",
    caughtBy: testsOf(STORE, "replicated time moves with every entry and never back"),
  },
  {
    name: "expiry-by-the-local-clock",
    breaks: "keys expire at a position in the log, not by one replica's clock (bug 23)",
    file: "actors/replica_apply.ts",
    find: "store.apply({ index, timeMs, data, isCommand });",
    replace: "store.apply({ index, timeMs: state.clock.nowMs(), data, isCommand });",
    caughtBy: testsOf(
      "tests/actors/consistency_test.ts",
      "reads: a stalled leader that resumes expires nothing by itself (bug 23)",
    ),
  },
  {
    name: "due-key-still-shown",
    breaks: "a linearizable read sees no key that was due when it was asked",
    file: "actors/replica_expiry.ts",
    find: 'if (state.core.role === "leader" && isDue(state.store.nextVisibleExpiryMs(), timeMs)) {',
    replace: "if (false) {",
    caughtBy: testsOf(
      "tests/actors/replica_test.ts",
      "replica: a read in the very instant in which a key is due does not see it",
    ),
  },
  {
    name: "clock-jump-stamped",
    breaks: "a jump of one machine's clock does not expire everything (bug 23)",
    file: "actors/slewed_clock.ts",
    find: "Math.min(this.#env.wallNowMs(), fastestMs)",
    replace: "this.#env.wallNowMs()",
    caughtBy: testsOf(
      "tests/actors/slewed_clock_test.ts",
      "SlewedClock stretches a jump forwards over as much time as it skipped",
    ),
  },
  {
    name: "state-hash-without-values",
    breaks: "two states that differ in a value have two hashes",
    file: "kv/state_hash.ts",
    find: "putBytes(words, HEADER_WORDS + textWords, bytes);",
    replace: "words.fill(0, HEADER_WORDS + textWords, count);",
    caughtBy: testsOf(STORE, "hash() says when two states differ in anything at all"),
  },
  {
    name: "entries-applied-out-of-order",
    breaks: "entries are applied one after the other (Raft 5.3)",
    file: "kv/store.ts",
    find: "if (index !== this.#index + 1) {",
    replace: "if (index <= this.#index) {",
    caughtBy: testsOf(STORE, "apply() takes entries one after the other and nothing else"),
  },
  {
    name: "check-of-another-version-holds",
    breaks: "a check holds for the very version that it names (bug 24: fencing tokens)",
    file: "kv/atomic.ts",
    find: ": stored.index === versionstamp.index && stored.order === versionstamp.order;",
    replace: ": true;",
    caughtBy: testsOf(
      "tests/catalogue/clients_test.ts",
      "catalogue 24: who took a lock before somebody else's writes nothing any more, however late it comes",
    ),
  },
];
