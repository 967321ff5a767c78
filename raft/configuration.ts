/**
 * Which configuration is in effect: always the latest one in the log, committed or not (section 6).
 *
 * The core keeps every configuration since the log's base, so that a truncation brings back the one
 * before. Behind those stands the one that the log itself no longer (or does not yet) say: that of the
 * snapshot, or the founders'.
 *
 * Not here: who may change it, and how (membership.ts).
 *
 * @module
 */
import { decodeConfiguration } from "./configuration_codec.ts";
import type { Core } from "./core.ts";
import { isVoter } from "./quorum.ts";
import {
  type Configuration,
  type Entry,
  EntryKind,
  InvariantError,
  type LogIndex,
  type NodeId,
  type SnapshotMeta,
} from "./types.ts";

/** A configuration and the entry that brought it; 0 for the founders'. */
export interface ConfigurationAt {
  readonly index: LogIndex;
  readonly configuration: Configuration;
}

/** A configuration of `voters`, with nothing else in it but what `others` says. */
export function configurationOf(
  voters: readonly NodeId[],
  others: Partial<Omit<Configuration, "voters">> = {},
): Configuration {
  return { voters, votersOutgoing: [], learners: [], promoting: [], addresses: [], ...others };
}

/** Whether two sets of voters are in charge together. */
export function isJoint(configuration: Configuration): boolean {
  return configuration.votersOutgoing.length > 0;
}

/**
 * The configurations that a log holds, behind `first`, which was in effect before it.
 *
 * @throws {InvariantError} if one of them does not decode.
 */
export function configurationsOf(
  first: ConfigurationAt,
  entries: readonly Entry[],
): ConfigurationAt[] {
  const found = [first];
  for (const entry of entries) {
    if (entry.kind !== EntryKind.Configuration || entry.index <= first.index) continue;
    found.push({ index: entry.index, configuration: decoded(entry) });
  }
  return found;
}

function decoded({ index, data }: Entry): Configuration {
  try {
    return decodeConfiguration(data);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new InvariantError(`Cannot adopt the configuration of entry ${index}: ${error.message}`);
  }
}

/** The configuration in effect, and where it stands. */
export function latestConfiguration(core: Core): ConfigurationAt {
  return core.configurations[core.configurations.length - 1];
}

/**
 * The configuration in effect before the latest one, as far as the core remembers; itself if it
 * remembers none.
 */
export function formerConfiguration({ configurations }: Core): ConfigurationAt {
  return configurations[Math.max(0, configurations.length - 2)];
}

/** The configuration that was in effect at `index`, which must not lie before the log's base. */
export function configurationAt({ configurations }: Core, index: LogIndex): ConfigurationAt {
  let at = configurations.length - 1;
  while (at > 0 && configurations[at].index > index) at--;
  return configurations[at];
}

/** Whether the configuration in effect can no longer be taken back. */
export function isConfigurationCommitted(core: Core): boolean {
  return latestConfiguration(core).index <= core.commitIndex;
}

/**
 * Whether this node may stand: it is a voter, or was one before a change that may still come to
 * nothing. The latter is needed: if the leader that removed it fails before its entry is on a quorum,
 * this node may hold the longest log of the quorum that is left, and vote for nobody (thesis 4.2.2).
 */
export function isElectable(core: Core): boolean {
  if (isVoter(core.configuration, core.id)) return true;
  return !isConfigurationCommitted(core) &&
    isVoter(formerConfiguration(core).configuration, core.id);
}

/** The log was truncated and appended to: the configuration in effect follows it. */
export function followLog(
  core: Core,
  truncateFrom: LogIndex | null,
  entries: readonly Entry[],
): void {
  const { configurations } = core;
  const before = latestConfiguration(core);
  if (truncateFrom !== null) {
    while (configurations.length > 1 && latestConfiguration(core).index >= truncateFrom) {
      configurations.pop();
    }
  }
  for (const entry of entries) {
    if (entry.kind === EntryKind.Configuration) {
      configurations.push({ index: entry.index, configuration: decoded(entry) });
    }
  }
  if (latestConfiguration(core) !== before) takeEffect(core);
}

/** The log was cut off up to `baseIndex`: what stood before the latest one there is of no use any more. */
export function compactConfigurations(core: Core, baseIndex: LogIndex): void {
  const { configurations } = core;
  let keepFrom = 0;
  while (keepFrom + 1 < configurations.length && configurations[keepFrom + 1].index <= baseIndex) {
    keepFrom++;
  }
  configurations.splice(0, keepFrom);
}

/**
 * A snapshot took the place of the log up to its index, and of all of it unless entries are left behind
 * that. Its configuration is committed, and told when the commit index gets there; later ones in what is
 * left stay.
 */
export function installConfiguration(core: Core, meta: SnapshotMeta): void {
  const first = { index: meta.index, configuration: meta.configuration };
  const behind = core.configurations.filter(({ index }) => {
    return index > meta.index && index <= core.log.lastIndex;
  });
  core.configurations.splice(0, core.configurations.length, first, ...behind);
  core.configuration = latestConfiguration(core).configuration;
}

function takeEffect(core: Core): void {
  core.configuration = latestConfiguration(core).configuration;
  tellConfiguration(core);
}

/** Tells the shell which configuration is in effect. */
export function tellConfiguration(core: Core): void {
  const { index, configuration } = latestConfiguration(core);
  const committed = index <= core.commitIndex;
  core.outbox.push({ type: "configuration", configuration, index, committed });
}
