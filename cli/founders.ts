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

/** What a node is told of its founders. */
export type Told = Pick<
  NodeConfig,
  "id" | "data" | "peers" | "isListed" | "isAdvertised" | "clusterId"
>;

/**
 * The founders to start with: those that the node noted when it was founded with them, each at the address that
 * it is told now, if it is told one.
 *
 * @param known what the node noted; null if nothing.
 * @param hasLog whether it has data, of a cluster that somebody must have founded.
 * @throws {ConfigError} if it is told of others than founded its cluster, and they are not its members, either; or
 * if it has data, and neither a note nor a list says who founded its cluster.
 */
export function agreedFounders(
  told: Told,
  clusterId: string,
  known: MembersFile | null,
  hasLog: boolean,
): readonly Member[] {
  const { id, data, peers, isListed } = told;
  const listed = peers.map(asMember);
  // Data of another cluster are refused by the log itself; without data, it may become another's.
  if (known !== null && known.clusterId !== clusterId) return listed;
  const founders = foundersIn(known);
  if (founders.length === 0) {
    // An id that is made of the node alone is that of its log only if it alone founded the cluster.
    const isProved = known === null && told.clusterId === null;
    if (isListed || !hasLog || isProved) return listed;
    throw new ConfigError([
      `${data} has data, and nothing in it says who founded the cluster: members.json is missing. ` +
      `Say --peers with all founders, ${id} among them, as it was when the cluster was founded`,
    ]);
  }
  if (!isListed) return addressed(founders, told);
  if (known!.founders.length > 0 && !isSame(listed, founders) && !isSame(listed, known!.members)) {
    throw new ConfigError([
      `--peers names ${idsOf(listed)}, but ${id} founded its cluster with ${
        idsOf(founders)
      }: a list ` +
      "does not change who the members are. Give it the founders or no --peers at all, and let nodes join " +
      "or leave as docs/operations.md says. To found another cluster, begin on an empty --data",
    ]);
  }
  return known!.founders.length > 0 ? addressed(founders, told) : listed;
}

/** An earlier version noted no founders. Whom it knew is closer to them than nobody. */
function foundersIn(known: MembersFile | null): readonly Member[] {
  if (known === null) return [];
  return known.founders.length > 0 ? known.founders : known.members;
}

/** Each founder as the node is told, if it is told: of itself it is, too, if it alone founded its cluster. */
function addressed(founders: readonly Member[], told: Told): readonly Member[] {
  const { peers, isListed, isAdvertised } = told;
  if (!isListed && !isAdvertised && founders.length > 1) return founders;
  const said = peers.map(asMember);
  return founders.map((founder) => said.find(({ id }) => id === founder.id) ?? founder);
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
