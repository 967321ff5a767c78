/**
 * What `deno task bench:compare` measures, as data: the contenders, the workloads, who takes part in
 * which, and the order of it all. Pure.
 *
 * @module
 */

export type ContenderName = "kvorum" | "etcd" | "ceiling" | "single" | "file";

/** What stands in the tables for each contender. */
export const CONTENDER_TITLES: Readonly<Record<ContenderName, string>> = {
  kvorum: "Kvorum, three nodes",
  etcd: "etcd, three nodes",
  ceiling: "the ceiling: no Raft",
  single: "Kvorum, one node",
  file: "Deno.openKv file, no HTTP",
};

/** Bytes of a value, in every workload. */
export const VALUE_BYTES = 256;
/** Different keys, in every workload. */
export const KEYS = 10_000;

export interface Workload {
  /** What `--only` and the history call it. */
  readonly id: string;
  readonly mode: "put" | "get" | "lease";
  readonly connections: number;
  /** Whether the connections are spread over all nodes instead of all being the leader's. */
  readonly spread: boolean;
  /** Who takes part, in the order of the even rounds; whose ratio matters most stand side by side. */
  readonly contenders: readonly ContenderName[];
}

function workload(
  mode: Workload["mode"],
  connections: number,
  contenders: readonly ContenderName[],
  spread = false,
): Workload {
  const id = `${mode}-${connections}${spread ? "-spread" : ""}`;
  return { id, mode, connections, spread, contenders };
}

/**
 * All workloads. The ceiling answers writes only and has one address; the local file stands where a
 * program would compare: alone, and at 64.
 */
export const WORKLOADS: readonly Workload[] = [
  workload("put", 1, ["etcd", "kvorum", "ceiling", "single", "file"]),
  workload("put", 16, ["etcd", "kvorum", "ceiling"]),
  workload("put", 64, ["etcd", "kvorum", "ceiling", "single", "file"]),
  workload("put", 256, ["etcd", "kvorum", "ceiling"]),
  workload("put", 64, ["etcd", "kvorum"], true),
  workload("get", 1, ["etcd", "kvorum"]),
  workload("get", 16, ["etcd", "kvorum"]),
  workload("get", 64, ["etcd", "kvorum", "single"]),
  workload("get", 256, ["etcd", "kvorum"]),
  workload("get", 64, ["etcd", "kvorum"], true),
  workload("lease", 1, ["kvorum"]),
  workload("lease", 64, ["kvorum"]),
];

const modeTitles: Readonly<Record<Workload["mode"], string>> = {
  put: "PUT",
  get: "linearizable GET",
  lease: "lease GET",
};

/** What stands above a workload's table. */
export function workloadTitle({ mode, connections, spread }: Workload): string {
  const how = connections === 1 ? "one connection" : `${connections} connections`;
  return `${modeTitles[mode]}, ${how}${spread ? " spread over all nodes" : " at the leader"}`;
}

/** One workload of one round, and who takes part in the order in which they do. */
export interface Step {
  /** From 0. */
  readonly round: number;
  readonly workload: Workload;
  readonly contenders: readonly ContenderName[];
}

/**
 * All steps of a run. Contenders of one workload come back to back, since only what is measured side by
 * side compares, and in turned order every second round, so that what grows over a run favours nobody.
 */
export function stepsOf(
  workloads: readonly Workload[],
  rounds: number,
  present: ReadonlySet<ContenderName>,
): Step[] {
  const steps: Step[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const workload of workloads) {
      const taking = workload.contenders.filter((name) => present.has(name));
      const contenders = round % 2 === 0 ? taking : taking.toReversed();
      if (contenders.length > 0) steps.push({ round, workload, contenders });
    }
  }
  return steps;
}
