/**
 * Members that come and go in a chaos run: one more joins and another leaves, or one is replaced by a new
 * one in one step, its process killed. What other faults keep from being finished is finished later.
 *
 * @module
 */
import type { Member } from "./cluster.ts";
import type { Fault, Scene } from "./fault.ts";
import { CHURN_MS } from "./limits.ts";

/** How often a condition is looked at. */
const LOOK_MS = 150;

/** Waits until the condition holds, but not beyond the deadline or the end of the run; whether it did. */
async function until(
  scene: Scene,
  endMs: number,
  condition: (members: readonly Member[]) => boolean,
): Promise<boolean> {
  for (;;) {
    const members = await scene.cluster.members();
    if (members !== null && condition(members)) return true;
    if (performance.now() > endMs || scene.restMs === 0) return false;
    await scene.hold(LOOK_MS);
  }
}

const isVoter = (id: string) => (members: readonly Member[]) =>
  members.some((member) => member.id === id && member.role === "voter");
const isGone = (id: string) => (members: readonly Member[]) =>
  members.every((member) => member.id !== id);

/** Asks for a removal until it has happened; whether it did. */
async function remove(scene: Scene, id: string, endMs: number): Promise<boolean> {
  const { cluster, random } = scene;
  for (;;) {
    const others = cluster.awake.filter((node) => node.id !== id);
    if (others.length > 0) {
      await random.pick(others).fetch(`/v1/cluster/members/${id}`, { method: "DELETE" })
        .then((response) => response.body?.cancel())
        .catch(() => {}); // Looked at below: the answer of one node is not all there is.
    }
    if (await until(scene, performance.now() + 1000, isGone(id))) return true;
    if (performance.now() > endMs || scene.restMs === 0) return false;
  }
}

/**
 * Brings the processes and the members together again after changes that were not finished: starts the
 * processes of all members, removes members beyond the size, and ends the processes of those that are none.
 * What is said may never be committed: so nothing is done here that cannot be undone.
 *
 * @returns true once there are `size` voters and nobody else.
 */
export async function settleMembers(scene: Scene, endMs: number): Promise<boolean> {
  const { cluster, size } = scene;
  for (;;) {
    const members = await cluster.members();
    if (members !== null) {
      const ids = members.map(({ id }) => id);
      for (const id of ids) cluster.revive(id);
      if (members.every(({ role }) => role === "voter") && ids.length === size) {
        for (const { id } of [...cluster.nodes]) if (!ids.includes(id)) await cluster.retire(id);
        return true;
      }
      const isLeavable = (id: string) => cluster.smallDisk?.node.id !== id;
      const extra = members.find(({ role }) => role === "joining" || role === "learner") ??
        members.findLast((member) => isLeavable(member.id));
      if (ids.length > size && extra !== undefined) {
        await remove(scene, extra.id, Math.min(endMs, performance.now() + 3000));
      }
    }
    if (performance.now() > endMs) return false;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

const addAndRemove: Fault = {
  name: "grow-and-shrink",
  lane: "process",
  weight: 1,
  run: async (scene) => {
    const { cluster, random, note } = scene;
    if (!await settleMembers(scene, performance.now() + CHURN_MS)) return;
    const endMs = performance.now() + CHURN_MS;
    const fresh = cluster.join(null);
    note("members added", `${fresh.id} joins`);
    if (!await until(scene, endMs, isVoter(fresh.id))) return;
    await scene.hold(random.between(200, 1500));
    const leaver = random.pick(cluster.leavable.filter((node) => node !== fresh));
    note("members removed", `${leaver.id} leaves`);
    if (await remove(scene, leaver.id, endMs)) await cluster.retire(leaver.id);
  },
};

const replace: Fault = {
  name: "replace",
  lane: "process",
  weight: 1,
  run: async (scene) => {
    const { cluster, random, note } = scene;
    if (!await settleMembers(scene, performance.now() + CHURN_MS)) return;
    const dead = random.pick(cluster.leavable);
    await dead.end("SIGKILL");
    note("processes killed", `killed ${dead.id}, for good`);
    const fresh = cluster.join(dead.id);
    note("members replaced", `${fresh.id} joins in the place of ${dead.id}`);
    const isDone = (members: readonly Member[]) =>
      isVoter(fresh.id)(members) && isGone(dead.id)(members);
    if (await until(scene, performance.now() + CHURN_MS, isDone)) await cluster.retire(dead.id);
  },
};

export const CHURN_FAULTS: readonly Fault[] = [addAndRemove, replace];
