/** What wrk is called with, and how its output is read. */
import { assertEquals, assertThrows } from "@std/assert";
import { LoadError } from "../../bench/load_types.ts";
import { parseWrkOutput, wrkArguments, type WrkLoad } from "../../bench/wrk_line.ts";

const load: WrkLoad = {
  target: "http://127.0.0.1:8001",
  dialect: "etcd",
  mode: "put",
  connections: 64,
  seconds: 4,
  valueBytes: 256,
  keys: 10_000,
  spreadOver: [],
};

Deno.test("wrkArguments() has one thread for one node, and the script's arguments behind --", () => {
  assertEquals(
    wrkArguments(load, "/s.lua").join(" "),
    [
      "-t1 -c64 -d4s -s /s.lua http://127.0.0.1:8001",
      "-- etcd put 256 10000",
    ].join(" "),
  );
});

Deno.test("wrkArguments() has one thread for each node that the load is spread over", () => {
  const spreadOver = ["http://127.0.0.1:8001", "http://127.0.0.1:8002"];
  const args = wrkArguments({ ...load, spreadOver }, "/s.lua");
  assertEquals(args[0], "-t2");
  assertEquals(args.slice(args.indexOf("--") + 5), ["127.0.0.1:8001", "127.0.0.1:8002"]);
});

Deno.test("parseWrkOutput() reads the script's line among wrk's own, times in microseconds", () => {
  const output =
    "Running 4s test\n  1 threads\n\nkvorum-load 40000 4000000 3 2500 5000 9900 12345\n";
  assertEquals(parseWrkOutput(output), {
    requests: 40_000,
    errors: 3,
    perSecond: 10_000,
    p50Ms: 2.5,
    p95Ms: 5,
    p99Ms: 9.9,
    maxMs: 12.345,
  });
});

Deno.test("parseWrkOutput() refuses a line that is missing, cut short or empty of time", () => {
  for (
    const text of [
      "unable to connect to 127.0.0.1:1 Connection refused",
      "kvorum-load 40000 4000000 3 2500",
      "kvorum-load 40000 4000000 3 2500 5000 9900 nan",
      "kvorum-load 0 0 0 0 0 0 0",
    ]
  ) assertThrows(() => parseWrkOutput(text), LoadError);
});
