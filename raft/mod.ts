/**
 * The Raft core: a pure, synchronous state machine. Inputs (ticks, messages, proposals, reads,
 * completed writes) go in, ordered effects (persist, send, commit, answers) come out.
 *
 * It has no clock, no randomness of its own, no I/O and no output; a shell (actors/replica.ts) brings
 * them. Source: the Raft paper and thesis; departures are in docs/divergence.md.
 *
 * @example One node on its own
 * ```ts
 * import { configurationOf, createCore, logIndex, nodeId, step, term } from "./mod.ts";
 *
 * const id = nodeId("n1");
 * const core = createCore({
 *   id,
 *   configuration: configurationOf([id]),
 *   hardState: { term: term(0), vote: null, commit: logIndex(0) },
 *   log: { entries: [], baseIndex: logIndex(0), baseTerm: term(0) },
 *   snapshot: null,
 *   seed: 1,
 *   damaged: false,
 * });
 * while (core.role !== "leader") step(core, { type: "tick", timeMs: 0 });
 * ```
 *
 * @module
 */
export {
  type ConfigurationAt,
  configurationOf,
  isConfigurationCommitted,
  isJoint,
  latestConfiguration,
} from "./configuration.ts";
export { decodeConfiguration, encodeConfiguration } from "./configuration_codec.ts";
export { type Core, type CoreOptions, createCore, recovered } from "./core.ts";
export type { Effect, Input } from "./effect.ts";
export { freshness } from "./freshness.ts";
export { checkInvariants } from "./invariants.ts";
export { grantByLease, leaseTick } from "./lease.ts";
export { CORE_LIMITS, type CoreLimits } from "./limits.ts";
export { RaftLog } from "./log.ts";
export type * from "./message.ts";
export { mergePersists, type PersistBatch } from "./persist.ts";
export { installVerdict, knowsMembersAt, snapshotMeta } from "./snapshots.ts";
export type { Freshness } from "./stamps.ts";
export { step } from "./step.ts";
export * from "./types.ts";
