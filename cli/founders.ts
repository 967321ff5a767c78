/**
 * Who founded a node's cluster. No log says so until the members change: until then each founder's own list is
 * what a majority is counted by, so that it must stay as it was when the cluster was founded. A node that was
 * started again with a longer or shorter list would count another majority than its peers, and could elect
 * a leader that lacks what they have acknowledged.
 *
 * @module
 */
import { ConfigError, type NodeConfig } from "./config.ts";
import type { Member, MembersFile } from "./members_file.ts";
import { hostAndPort, type Peer } from "./peers.ts";

/**
 * The founders to start with: those that the node noted when it was founded with them, each at the address that
 * it is told now, if it is told one.
 *
 * @param known what the node noted; null if nothing.
 * @throws {ConfigError} if it is told of others than founded its cluster, and they are not its members, either.
 */
export function agreedFounders(
  { id, peers }: Pick<NodeConfig, "id" | "peers">,
  clusterId: string,
  known: MembersFile | null,
): readonly Member[] {
  const told = peers.map(asMember);
  // Data of another cluster are refused by the log itself; without data, it may become another's.
  if (known === null || known.clusterId !== clusterId) return told;
  const isAlone = told.every((each) => each.id === id);
  if (known.founders.length === 0) {
    // An earlier version's note. Whom it knew is closer to who founded the cluster than nobody.
    return isAlone && known.members.length > 0 ? addressed(known.members, told) : told;
  }
  if (!isAlone && !isSame(told, known.founders) && !isSame(told, known.members)) {
    throw new ConfigError([
      `--peers names ${idsOf(told)}, but ${id} founded its cluster with ${
        idsOf(known.founders)
      }: ` +
      "a list does not change who the members are. Give it the founders or no --peers at all, " +
      "and let nodes join or leave as docs/operations.md says",
    ]);
  }
  return addressed(known.founders, told);
}

/** Each of `known` as it is told, if it is. */
function addressed(known: readonly Member[], told: readonly Member[]): readonly Member[] {
  return known.map((member) => told.find((each) => each.id === member.id) ?? member);
}

function asMember({ id, url, peerHost, peerPort }: Peer): Member {
  return { id, url, peer: hostAndPort(peerHost, peerPort) };
}

function isSame(told: readonly Member[], known: readonly Member[]): boolean {
  return told.length === known.length &&
    told.every((each) => known.some(({ id }) => id === each.id));
}

function idsOf(members: readonly Member[]): string {
  return members.map(({ id }) => id).toSorted().join(",");
}
