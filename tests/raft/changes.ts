/**
 * Building blocks of the scripted tests of membership and transfer.
 *
 * @module
 */
import {
  type Configuration,
  configurationOf,
  type Core,
  type Effect,
  encodeConfiguration,
  type Entry,
  EntryKind,
  type MembershipChange,
  type NodeAddress,
  type NodeId,
  type TransferRefusal,
} from "../../raft/mod.ts";
import { acknowledge, i, leadSettled, NOW_MS, only, persisted, start, t, take } from "./script.ts";

/** Where a node of the scripted tests is reached. */
export function address(id: NodeId): NodeAddress {
  return { id, url: `http://${id}:8001`, peer: `${id}:9001` };
}

/** Voters with their addresses, and what `others` says; founders but those of whom `since` says else. */
export function membersOf(
  voters: readonly NodeId[],
  others: Partial<Omit<Configuration, "voters">> = {},
  since: Readonly<Record<NodeId, number>> = {},
): Configuration {
  const { votersOutgoing = [], learners = [] } = others;
  const all = new Set([...voters, ...votersOutgoing, ...learners]);
  const addresses = [...all].map((id) => ({ ...address(id), since: i(since[id] ?? 0) }));
  return configurationOf(voters, { addresses, ...others });
}

/** A leader of term 1 in that configuration, with a settled log of one no-op. */
export function leaderOf(configuration: Configuration): Core {
  return leadSettled(start({ configuration }));
}

export function change(core: Core, what: MembershipChange, id = 1): Effect[] {
  return take(core, { type: "change", id, change: what, timeMs: NOW_MS });
}

export function add(id: NodeId, voter = false, replaces: NodeId | null = null): MembershipChange {
  return { type: "add", member: address(id), voter, replaces };
}

export function remove(id: NodeId): MembershipChange {
  return { type: "remove", id };
}

export function transfer(core: Core, to: NodeId | null, id = 1): Effect[] {
  return take(core, { type: "transfer", id, to, timeMs: NOW_MS });
}

export function refused(reason: TransferRefusal, id = 1): Effect[] {
  return [{ type: "transfer-result", id, result: { status: "refused", reason } }];
}

/** The entry that carries a configuration. */
export function configurationEntry(
  configuration: Configuration,
  index: number,
  inTerm: number,
): Entry {
  return {
    term: t(inTerm),
    index: i(index),
    timeMs: 0,
    kind: EntryKind.Configuration,
    data: encodeConfiguration(configuration),
  };
}

/** All of the core's log becomes durable at itself and at `others`, in this order; what that brought. */
export function replicate(core: Core, ...others: readonly NodeId[]): Effect[] {
  const effects = persisted(core);
  const { lastIndex } = core.log;
  for (const id of others) {
    if (core.role === "leader") effects.push(...acknowledge(core, id, lastIndex));
  }
  return effects;
}

/** The configurations that took effect, and whether each was committed then. */
export function configurationsIn(effects: readonly Effect[]): [Configuration, number, boolean][] {
  return only(effects, "configuration").map((effect) => {
    return [effect.configuration, effect.index, effect.committed];
  });
}
