import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InvalidKey, keyFromJson, keyToJson } from "../../kv/key_json.ts";
import { keyParts } from "./support.ts";

Deno.test("keyToJson() gives the form that the HTTP interface documents", () => {
  assertEquals(
    JSON.stringify(keyToJson(["s", 1, true, 1n, new Uint8Array([255, 0])])),
    `["s",1,true,{"bigint":"1"},{"bytes":"/wA="}]`,
  );
});

Deno.test("keyFromJson() reads back any key after a trip through JSON text", () => {
  fc.assert(fc.property(keyParts, (parts) => {
    assertEquals(keyFromJson(JSON.parse(JSON.stringify(keyToJson(parts)))), parts);
  }));
});

const invalid: [unknown, string][] = [
  ["a", "an array of parts"],
  [null, "got null"],
  [["a", null], "part 1: null"],
  [[["a"]], "part 0: an array"],
  [[{}], "exactly one"],
  [[{ bigint: "1", bytes: "" }], "exactly one"],
  [[{ bigint: 1 }], "decimal integer"],
  [[{ bigint: "0x1" }], "decimal integer"],
  [[{ bigint: "01" }], "decimal integer"],
  [[{ bigint: "" }], "decimal integer"],
  [[{ bigint: "9".repeat(700) }], "decimal integer"],
  [[{ bytes: "a" }], "base64"],
  [[{ bytes: "_w==" }], "base64"],
  [[{ bytes: 1 }], "base64"],
  [[{ number: "1" }], `"NaN"`],
  [["\ud800"], "lone surrogate"],
];

for (const [json, message] of invalid) {
  Deno.test(`keyFromJson() refuses ${JSON.stringify(json).slice(0, 40)}`, () => {
    assertThrows(() => keyFromJson(json), InvalidKey, message);
  });
}
