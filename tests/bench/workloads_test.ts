/** The order of a run. */
import { assertEquals } from "@std/assert";
import {
  type ContenderName,
  stepsOf,
  type Workload,
  WORKLOADS,
  workloadTitle,
} from "../../bench/compare/workloads.ts";

function workload(id: string): Workload {
  return WORKLOADS.find((it) => it.id === id)!;
}

Deno.test("stepsOf() goes through all workloads each round, contenders turned every second round", () => {
  const steps = stepsOf([workload("put-16"), workload("get-16")], 3, new Set(["etcd", "kvorum"]));
  assertEquals(
    steps.map(({ round, workload, contenders }) => `${round} ${workload.id} ${contenders}`),
    [
      "0 put-16 etcd,kvorum",
      "0 get-16 etcd,kvorum",
      "1 put-16 kvorum,etcd",
      "1 get-16 kvorum,etcd",
      "2 put-16 etcd,kvorum",
      "2 get-16 etcd,kvorum",
    ],
  );
});

Deno.test("stepsOf() leaves out who is not there, and a workload that nobody is left for", () => {
  const present = new Set<ContenderName>(["file"]);
  assertEquals(
    stepsOf([workload("put-64"), workload("get-64")], 1, present).map((it) => it.contenders),
    [["file"]],
  );
});

Deno.test("WORKLOADS are told apart by their ids, and each has Kvorum in it", () => {
  assertEquals(new Set(WORKLOADS.map(({ id }) => id)).size, WORKLOADS.length);
  assertEquals(WORKLOADS.filter(({ contenders }) => !contenders.includes("kvorum")), []);
});

Deno.test("workloadTitle() says how many connections, and where", () => {
  assertEquals(workloadTitle(workload("put-1")), "PUT, one connection at the leader");
  assertEquals(
    workloadTitle(workload("get-64-spread")),
    "linearizable GET, 64 connections spread over all nodes",
  );
});
