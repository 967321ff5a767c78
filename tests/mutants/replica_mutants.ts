/**
 * Bugs between the core and the outside: the output gate, the disk, the order of the two, the state hash.
 *
 * @module
 */
import { type Mutant, testsOf } from "./mutant.ts";

const MARK = "tests/storage/mark_test.ts";
const CODEC = "tests/storage/codec_test.ts";
const CATALOGUE_DURABILITY = "tests/catalogue/durability_test.ts";

const OLDER_COPY =
  "a node on an older copy of its directory is refused by who had its acknowledgements, and stands for nothing";

export const REPLICA_MUTANTS: readonly Mutant[] = [
  {
    name: "gate-opens-before-the-commit",
    breaks: "nothing of a turn is seen before its commit (bug 2)",
    file: "actors/cell.ts",
    find:
      'if (isThenable(done)) this.follow(done, "commit", this.#finish);\n    else this.#finish();',
    replace: 'if (isThenable(done)) this.follow(done, "commit", () => {});\n    this.#finish();',
    caughtBy: testsOf(
      "tests/actors/runtime_turn_test.ts",
      "actors 2: while commit has not resolved, nothing of the turn is seen; then all of it, in order",
    ),
  },
  {
    name: "failed-commit-shows-its-turn",
    breaks: "nothing of a turn that failed is seen (bug 2)",
    file: "actors/cell.ts",
    find: "  dropTurn(): void {\n    this.gate.discard();",
    replace: "  dropTurn(): void {\n    this.gate.release(this);",
    caughtBy: testsOf(
      "tests/actors/runtime_turn_test.ts",
      "actors 2: a throw in receive after emitting shows nothing either, and later mail is served",
    ),
  },
  {
    name: "held-messages-leave-early",
    breaks: "votes and acknowledgements wait for the disk (bug 2)",
    file: "actors/replica_effects.ts",
    find: "if (!early) {\n    state.turn.hold(to, message);",
    replace: "if (!early && message.type === 'nothing') {\n    state.turn.hold(to, message);",
    caughtBy: testsOf(
      "tests/actors/replica_commit_test.ts",
      "a replica tells no vote before its disk has it (bug 2)",
      "a replica acknowledges no entry before its disk has it (bug 2)",
    ),
  },
  {
    name: "durable-what-was-appended-beside",
    breaks: "what was appended while the disk was at work is not what it wrote (bug 3)",
    file: "actors/replica_commit.ts",
    find: "  state.durableIndex = lastIndex;",
    replace: "  state.durableIndex = state.core.log.lastIndex;",
    caughtBy: testsOf(
      "tests/actors/replica_commit_test.ts",
      "a leader counts nothing as durable that was appended while its commit was under way",
    ),
  },
  {
    name: "failed-own-write-ignored",
    breaks: "after a write of unknown outcome the replica starts from its storage (bug 2)",
    file: "actors/replica_commit.ts",
    find: "if (error !== null) throw error;",
    replace: "",
    caughtBy: testsOf(
      "tests/actors/replica_commit_test.ts",
      "a leader's own write that failed fails its next turn, though the mailbox had no room for the news",
    ),
  },
  {
    name: "snapshot-past-what-is-durable",
    breaks: "the log is cut off behind what this disk has, though others have more (bug 5)",
    file: "actors/snapshot_taking.ts",
    find:
      "while (state.durableIndex < meta.index && !this.#cancelled) await background.pause(TICK_MS);",
    replace: "",
    caughtBy: testsOf(
      "tests/actors/snapshot_test.ts",
      "snapshots: a leader waits for its own disk before it switches to one",
    ),
  },
  {
    name: "answers-while-it-differs",
    breaks: "a state that differs from the majority's is put aside",
    file: "actors/hash_check.ts",
    find: "if (check.hash === noted.hash) return;",
    replace: "return;",
    caughtBy: testsOf(
      "tests/actors/hash_check_test.ts",
      "hash check: a follower whose state differs is found, put aside, and fetched anew",
    ),
  },
  {
    name: "change-claimed-across-a-change-of-term",
    breaks: "an entry of another term at the same index is not the one proposed (bug 16)",
    file: "actors/administration.ts",
    find: "else if (core.term === term && index !== null && change !== null) {",
    replace: "else if (index !== null && change !== null) {",
    caughtBy: testsOf(
      "tests/catalogue/clients_test.ts",
      "catalogue 16: a change whose place in the log another leader's entry takes is not called done",
    ),
  },
  {
    name: "refused-proposals-push-out-the-rest",
    breaks: "what was taken on is proposed until its deadline, whatever went nowhere meanwhile",
    file: "actors/proposals.ts",
    find: "this.#queue = this.#queue.length === 0 ? taken : taken.concat(this.#queue);",
    replace: "this.#queue = taken;",
    caughtBy: testsOf(
      "tests/actors/proposals_test.ts",
      "Proposals keeps what was refused before what its batch had no room for, and loses nothing",
    ),
  },
  {
    name: "proposals-restamped-when-proposed-again",
    breaks: "what is proposed again is the same command (thesis 6.3, bug 35)",
    file: "actors/proposals.ts",
    find: "if (write.attempts === 0) {\n        stampCommand(",
    replace: "if (true) {\n        stampCommand(",
    caughtBy: testsOf(
      "tests/actors/proposals_test.ts",
      "Proposals proposes the same bytes again when the leader changes, and answers once",
    ),
  },
  {
    name: "writes-lost-with-their-leader",
    breaks: "a waiting write is proposed to the next leader (thesis 6.2)",
    file: "actors/replica_effects.ts",
    find: "    state.proposals.leaderChanged();\n",
    replace: "",
    caughtBy: testsOf(
      "tests/actors/replica_test.ts",
      "replica: a write that waits at a follower survives its leader, and happens once",
    ),
  },
  {
    name: "mark-not-written",
    breaks: "what was acknowledged is in the mark, so that a lost tail is noticed (bugs 2, 8)",
    file: "storage/kv_session.ts",
    find: "if (encoded !== null) await this.#opened.mark?.write(encoded, seq);",
    replace: "",
    caughtBy: testsOf(
      MARK,
      "open() notices a log that is older than its mark, and keeps the newer vote",
    ),
  },
  {
    name: "mark-not-awaited",
    breaks: "a commit is acknowledged when its mark is synced (bug 2)",
    file: "storage/kv_session.ts",
    find: "if (encoded !== null) await this.#opened.mark?.write(encoded, seq);",
    replace: "if (encoded !== null) void this.#opened.mark?.write(encoded, seq);",
    caughtBy: testsOf(
      MARK,
      "commit() resolves after its mark, and the mark is written after the database",
    ),
  },
  {
    name: "mark-before-the-commit",
    breaks: "a crash between the two leaves the log ahead of its mark, not behind it (bug 4)",
    file: "storage/kv_session.ts",
    find: "await this.#carryOut(this.#atomicOf(step, step.end === null ? null : encoded));",
    replace:
      "if (encoded !== null) await this.#opened.mark?.write(encoded, seq);\n      await this.#carryOut(this.#atomicOf(step, step.end === null ? null : encoded));",
    caughtBy: testsOf(
      MARK,
      "commit() resolves after its mark, and the mark is written after the database",
    ),
  },
  {
    name: "shorter-log-believed",
    breaks: "a log that came back shorter is damage, not a torn tail (bug 8)",
    file: "storage/mark.ts",
    find: "if (log.seq < state.seq) {",
    replace: "if (false) {",
    caughtBy: testsOf(
      MARK,
      "open() notices a log that is older than its mark, and keeps the newer vote",
    ),
  },
  {
    name: "damaged-log-forgets-the-newer-vote",
    breaks: "no vote is given twice after a loss (bugs 1, 6)",
    file: "storage/mark.ts",
    find: "const newer = a.term > b.term || (a.term === b.term && b.vote === null) ? a : b;",
    replace: "const newer = a;",
    caughtBy: testsOf(
      MARK,
      "open() notices a log that is older than its mark, and keeps the newer vote",
    ),
  },
  {
    name: "chain-hash-not-checked",
    breaks: "sound blocks that do not belong together are no log (bug 8)",
    file: "storage/block_codec.ts",
    find: "if (!sameChain(chainBefore, before.chain)) {",
    replace: "if (false) {",
    caughtBy: testsOf(CODEC, "decodeBlock() refuses a sound block behind others than its own"),
  },
  {
    name: "block-checksum-not-checked",
    breaks: "a block is, bit for bit, what was written (bug 8)",
    file: "storage/block_codec.ts",
    find: "if (crc !== view.getUint32(CRC_OFFSET)) {",
    replace: "if (false) {",
    caughtBy: testsOf(
      CODEC,
      "decodeBlock() refuses every flipped bit, missing part, swapped part and cut",
    ),
  },
  {
    name: "fence-not-checked",
    breaks: "a second process on the data ends the first (actors 14)",
    file: "storage/kv_session.ts",
    find: "return kv.atomic().check({ key: keys.boot, versionstamp });",
    replace: "return kv.atomic();",
    caughtBy: testsOf(
      MARK,
      "a process that was fenced off can no longer move the mark",
    ),
  },
  {
    name: "hint-of-the-whole-batch-between-its-atomics",
    breaks: "a crash between two atomics leaves no hint that is too high (bug 4)",
    file: "storage/commit_plan.ts",
    find:
      "if (step === plan.steps[plan.steps.length - 1] || whole.commit <= plan.kept) return whole;",
    replace: "return whole;",
    caughtBy: testsOf(
      "tests/storage/interrupted_test.ts",
      "commit() may be cut off anywhere: a stale tail within a block, and more than an atomic holds with a hint behind it",
    ),
  },
  {
    name: "log-cut-beyond-its-snapshot",
    breaks: "what is cut off is in the snapshot (bugs 5, 34)",
    file: "storage/kv_session.ts",
    find: 'const to = cut.type === "keep" ? index : Math.min(cut.to, index);',
    replace: 'const to = cut.type === "keep" ? index : this.#state.end.lastIndex;',
    caughtBy: testsOf(
      "tests/storage/snapshot_model_test.ts",
      "Deno KV file: any history with snapshots reads back as the model has it",
    ),
  },
  {
    name: "lost-mark-believed-founded",
    breaks: "a mark that is gone is damage (bug 8)",
    file: "storage/mark.ts",
    find: "if (log.seq === 0) return null;",
    replace: "return null;",
    caughtBy: testsOf(MARK, "open() notices that the mark is gone"),
  },
  {
    name: "snapshot-says-an-entry-less-than-it-holds",
    breaks: "the applied index is saved with the state that it speaks of (bug 4)",
    file: "actors/snapshot_taking.ts",
    find: "snapshotMeta(core, store.index as LogIndex, capture.timeMs)",
    replace: "snapshotMeta(core, store.index - 1 as LogIndex, capture.timeMs)",
    caughtBy: testsOf(
      CATALOGUE_DURABILITY,
      "catalogue 4: state and applied index come back as one when a commit fails after-landing",
    ),
  },
  {
    name: "read-error-swallowed",
    breaks: "what cannot be read is not taken for absent (bug 10)",
    file: "storage/kv_session.ts",
    find: "const head = cut < 0 ? null : await this.#readHead(cut, kept);",
    replace: "const head = cut < 0 ? null : await this.#readHead(cut, kept).catch(() => null);",
    caughtBy: testsOf(
      CATALOGUE_DURABILITY,
      "catalogue 10: a read error while a block is cut fails the commit, and leaves no entry without its predecessor",
    ),
  },
  {
    name: "answer-of-another-session",
    breaks: "a write is answered by its own session's entry, not by one of its number (bug 16)",
    file: "actors/proposals.ts",
    find:
      "applied(session: number, sequence: number, result: ApplyResult): void {\n    if (session !== this.#session) return;",
    replace: "applied(session: number, sequence: number, result: ApplyResult): void {",
    caughtBy: testsOf(
      "tests/catalogue/clients_test.ts",
      "catalogue 16: a write whose place in the log another leader's entry takes is answered for its own place, once",
    ),
  },
  {
    name: "wiped-node-taken-for-the-one-it-was",
    breaks: "who lost its directory has forgotten what it acknowledged, and is refused (bugs 6, 7)",
    file: "transport/acquaintances.ts",
    find: 'if (known.incarnation !== life.incarnation) return "other-data";',
    replace: "",
    caughtBy: testsOf(
      "tests/actors/wiped_test.ts",
      "a wiped node that was never restarted before is refused by who met it, and makes no quorum",
    ),
  },
  {
    name: "older-copy-taken-for-whole",
    breaks:
      "whose data hold less than it acknowledged runs on an older copy, and is refused (bugs 6, 7)",
    file: "transport/acquaintances.ts",
    find: 'if (life.term < held.term || life.lastIndex < held.lastIndex) return "older-data";',
    replace: "",
    caughtBy: testsOf("tests/actors/wiped_test.ts", OLDER_COPY),
  },
  {
    name: "older-copy-hears-who-cannot-tell",
    breaks: "a node on an older copy votes for nobody, whoever asks (bugs 6, 7)",
    file: "actors/membership.ts",
    find: 'return this.#refuserOf("older-data") !== null;',
    replace: "return false;",
    caughtBy: testsOf("tests/actors/wiped_test.ts", OLDER_COPY),
  },
  {
    name: "acknowledged-not-kept",
    breaks: "what followers acknowledged is remembered over a restart of all (bugs 6, 7)",
    file: "transport/acquaintances.ts",
    find: "this.#write(this.#changes).catch(() => void (this.#acknowledged = true));",
    replace: "",
    caughtBy: testsOf("tests/actors/wiped_test.ts", OLDER_COPY),
  },
  {
    name: "peers-forgotten-at-a-restart",
    breaks: "on which data a peer runs is remembered before it is heard (bugs 6, 7)",
    file: "transport/acquaintances.ts",
    find: "await this.#remember(members);",
    replace: "",
    caughtBy: testsOf(
      "tests/actors/wiped_test.ts",
      "a wiped node is refused after all its peers were restarted, too, and joins anew once it was removed",
    ),
  },
  {
    name: "overtaken-write-done-anew",
    breaks: "what a snapshot overtook together with its session may have been done (bugs 33, 35)",
    file: "actors/proposals.ts",
    find: "if (write.overtaken) {",
    replace: "if (false) {",
    caughtBy: testsOf(
      "tests/actors/proposals_test.ts",
      "Proposals calls unknown what was overtaken together with its session, and starts the rest over",
    ),
  },
  {
    name: "found-to-differ-and-shown",
    breaks: "a state that differs from the majority's answers nobody any more",
    file: "actors/replica_apply.ts",
    find: "  if (state.hashCheck.mismatch !== null) return;\n  state.watching.publish();",
    replace: "  state.watching.publish();",
    caughtBy: testsOf(
      "tests/actors/hash_check_test.ts",
      "hash check: a state that was found to differ is shown to nobody any more",
    ),
  },
];
