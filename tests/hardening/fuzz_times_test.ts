/** How much longer the fuzzers go on. */
import { assertEquals, assertThrows } from "@std/assert";
import { readFuzzTimes } from "./fuzz_times.ts";

Deno.test("readFuzzTimes() takes whole numbers from 1, and says what else it was given", () => {
  assertEquals([undefined, "1", "4", "10000"].map(readFuzzTimes), [1, 1, 4, 10_000]);
  for (const text of ["abc", "0", "-1", "1.5", "", "1e3", "10001"]) {
    const message = `KVORUM_FUZZ_TIMES must be a whole number from 1 to 10000, not "${text}"`;
    assertThrows(() => readFuzzTimes(text), RangeError, message);
  }
});
