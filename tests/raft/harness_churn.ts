/**
 * What an operator of the harness's cluster asks for: members added, removed and replaced, leadership
 * moved, and nodes told to give it up. Much of it makes no sense at the time, and is refused.
 *
 * @module
 */
import { type Configuration, type Input, type NodeId, nodeId } from "../../raft/mod.ts";
import { members } from "../../raft/quorum.ts";

/** Beyond so many members the operator only removes. */
const MEMBERS_MAX = 6;
/** So many nodes there are over a run, the removed ones included. */
const NODES_MAX = 14;

/** One request, drawn with `below`; `nodes` are all there are. It may name the next one, to be created. */
export function drawRequest(
  below: (bound: number) => number,
  id: number,
  configuration: Configuration,
  nodes: readonly NodeId[],
): Input {
  const present = members(configuration);
  const draw = below(10);
  if (draw === 0) return { type: "stand", standing: below(10) < 6 };
  if (draw < 4) {
    const to = below(2) === 0 ? null : present[below(present.length)] ?? null;
    return { type: "transfer", id, to, timeMs: 0 };
  }
  const idle = nodes.filter((each) => !present.includes(each));
  if (nodes.length < NODES_MAX) idle.push(nodeId(`n${nodes.length + 1}`));
  const removes = present.length >= MEMBERS_MAX || idle.length === 0 || below(2) === 0;
  if (present.length > 0 && removes) {
    const change = { type: "remove", id: present[below(present.length)] } as const;
    return { type: "change", id, change, timeMs: 0 };
  }
  // One that left may come back with all that it had; a new one has nothing.
  const joiner = idle[below(idle.length)];
  const member = { id: joiner, url: `http://${joiner}`, peer: `${joiner}:1` };
  const { voters } = configuration;
  const replaces = below(10) < 3 ? voters[below(voters.length)] ?? null : null;
  const voter = replaces !== null || below(10) < 8;
  return { type: "change", id, change: { type: "add", member, voter, replaces }, timeMs: 0 };
}

/** Who is to be added by a request; null if nobody is. */
export function joinerOf(input: Input): NodeId | null {
  return input.type === "change" && input.change.type === "add" ? input.change.member.id : null;
}
