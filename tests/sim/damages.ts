/**
 * What befalls a disk so that it comes back with less than it held, or with something else.
 *
 * Always a minority only, so that a good copy of all that was committed is left, and a quorum to say so. A
 * disk in the place of which an older copy was put, all files together, looks whole (decision 0021): nobody
 * need notice. So only such copies are put back that lack nothing but entries which a majority has without
 * it; tests/disk/unnoticed_test.ts has the others, and what becomes of them.
 *
 * @module
 */
import type { Machine } from "./machine.ts";
import type { Mark } from "./marks.ts";
import { CLASS_OF, type Fault, type LosableFile } from "./schedule.ts";
import type { World } from "./world.ts";
import type { Configuration, NodeId } from "../../raft/types.ts";
import type { MemoryDisk } from "../../storage/memory_log_store.ts";

type FaultOf<T extends Fault["type"]> = Extract<Fault, { type: T }>;
type Damage = FaultOf<"lose-tail" | "flip" | "lose-file" | "put-back" | "wipe">;

const LOST_MARKS: Readonly<Record<LosableFile, Mark>> = {
  "log": "log-lost",
  "mark": "mark-lost",
  "snapshots": "snapshots-lost",
};
const OLDER_MARKS: Readonly<Record<FaultOf<"put-back">["of"], Mark>> = {
  "log": "older-log",
  "mark": "older-mark",
  "disk": "older-disk",
};

export class Damages {
  readonly #world: World;
  readonly #onStruck: (fault: Fault) => void;
  readonly #later: (ms: number, act: () => void) => void;

  /**
   * @param onStruck hears of each damage that has befallen a disk.
   * @param later acts after so long, unless the faults have ended.
   */
  constructor(
    world: World,
    onStruck: (fault: Fault) => void,
    later: (ms: number, act: () => void) => void,
  ) {
    this.#world = world;
    this.#onStruck = onStruck;
    this.#later = later;
  }

  strike(machine: Machine, fault: Damage): void {
    if (fault.type === "put-back") {
      this.#copy(machine, fault);
    } else if (fault.type === "flip" && fault.of === "incoming") {
      if (!this.#isSpare(machine)) return;
      this.#onStruck(fault);
      machine.disk.chunks.corruptNext();
    } else if (this.#isSpare(machine)) {
      this.#strike(machine, fault, () => this.#damage(machine, fault));
    }
  }

  #strike(machine: Machine, fault: Damage, act: () => void): void {
    const world = this.#world;
    this.#onStruck(fault);
    world.crash(machine, false);
    machine.wasDamaged = true;
    act();
    world.watch.damaged(machine);
    world.startLater(machine, fault.ms);
  }

  #damage(machine: Machine, fault: Exclude<Damage, FaultOf<"put-back">>): void {
    const { disk } = machine;
    switch (fault.type) {
      case "lose-tail":
        disk.loseCommits(Math.min(fault.commits, disk.losableCommits));
        machine.isSuspect = true;
        break;
      case "lose-file":
        if (fault.of === "snapshots") disk.chunks.lose();
        else disk.putBack(fault.of, null);
        machine.isSuspect = true;
        this.#world.marks[LOST_MARKS[fault.of]]++;
        break;
      case "wipe":
        this.#world.wipe(machine, machine.isFounder);
        machine.isOutcast = true;
        break;
      case "flip":
        if (fault.of === "log") {
          disk.corruptLog();
          machine.isOutcast = true;
        } else if ((disk.snapshot?.meta.index ?? 0) > 0) {
          disk.corruptChunk(0);
          machine.isSuspect = true;
        }
    }
  }

  /** Makes a copy, for later. */
  #copy(machine: Machine, fault: FaultOf<"put-back">): void {
    const { disk } = machine;
    const { of, ageMs } = fault;
    const image = disk.image();
    const copy = of === "disk" ? disk.copy() : null;
    this.#later(ageMs, () => {
      // Another disk is another node's, and one without a commit more is no older.
      if (machine.disk !== disk || disk.commits === image.log.state.seq) return;
      if (!this.#isSpare(machine)) return;
      if (copy !== null && !this.#lacksNothingVital(machine, copy)) return;
      this.#world.marks[OLDER_MARKS[of]]++;
      this.#strike(machine, fault, () => {
        if (copy !== null) this.#world.restore(machine, copy);
        else if (of !== "disk") disk.putBack(of, image);
        if (copy === null) machine.isSuspect = true;
        else machine.isOutcast = true;
      });
    });
  }

  /** Whether it can be spared with those that are damaged already. */
  #isSpare(machine: Machine): boolean {
    if (!machine.isRunning || machine.isOutcast) return false;
    const configurations = this.#world.configurations();
    return configurations.length > 0 &&
      configurations.every((each) => isMajority(each, (id) => this.#isSound(id, machine)));
  }

  /** Whether an older copy has the same vote, and entries that it lacks are on a majority without it. */
  #lacksNothingVital(machine: Machine, copy: MemoryDisk): boolean {
    const { disk } = machine;
    const [now, then] = [disk.hardState, copy.hardState];
    if (now.term !== then.term || now.vote !== then.vote) return false;
    const configurations = this.#world.configurations();
    const last = Math.max(lastIndexOf(disk), lastIndexOf(copy));
    for (let index = copy.baseIndex + 1; index <= last; index++) {
      if (termAt(copy, index) === termAt(disk, index)) continue;
      const isHeld = (id: NodeId) =>
        this.#isSound(id, machine) && this.#holds(this.#world.machine(id), index, disk);
      if (!configurations.every((each) => isMajority(each, isHeld))) return false;
    }
    return true;
  }

  /** Whether a disk has what another one has at an index. What was cut off is committed, and so the same. */
  #holds({ disk }: Machine, index: number, other: MemoryDisk): boolean {
    if (index <= disk.baseIndex) return true;
    const { ledger } = this.#world.watch;
    const wanted = termAt(other, index) ?? ledger.entries[index]?.term ?? null;
    return wanted !== null && termAt(disk, index) === wanted;
  }

  #isSound(id: NodeId, without: Machine): boolean {
    const machine = this.#world.machine(id);
    return machine !== without && !this.#world.isUnsound(machine);
  }
}

export function isDamage(fault: Fault): fault is Damage {
  return CLASS_OF[fault.type] === "damage";
}

/** Whether those of whom something holds are a majority of each half. */
function isMajority(
  { voters, votersOutgoing }: Configuration,
  holds: (id: NodeId) => boolean,
): boolean {
  const halves = votersOutgoing.length === 0 ? [voters] : [voters, votersOutgoing];
  return halves.every((half) => half.filter(holds).length > half.length / 2);
}

function lastIndexOf({ baseIndex, entries }: MemoryDisk): number {
  return baseIndex + entries.length;
}

/** The term of an entry on a disk; null if it has none there, or not any more. */
function termAt({ baseIndex, entries }: MemoryDisk, index: number): number | null {
  return entries[index - baseIndex - 1]?.term ?? null;
}
