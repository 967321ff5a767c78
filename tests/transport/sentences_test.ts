/** What an operator reads of the peers. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { TransportEvent } from "../../transport/events.ts";
import { sentenceOf } from "../../transport/sentences.ts";
import { GROUP, N2 } from "./harness.ts";

const refused = {
  type: "refused",
  direction: "incoming",
  peer: null,
  remote: "10.0.0.2:41234",
  byPeer: false,
} as const;

const SENTENCES: [event: TransportEvent, sentence: string | null][] = [
  [
    { ...refused, reason: "wrong-cluster" },
    "warn refused a connection of 10.0.0.2:41234: wrong-cluster",
  ],
  [
    { ...refused, peer: N2, byPeer: true, reason: "unknown-sender" },
    "warn n2 refused this node: unknown-sender",
  ],
  [
    { type: "connected", peer: N2, direction: "outgoing", boot: 1, address: null },
    "info connected to n2",
  ],
  [{ type: "connected", peer: N2, direction: "incoming", boot: 1, address: null }, null],
  [
    { type: "disconnected", peer: N2, direction: "outgoing", reason: "silent" },
    "info lost n2: silent",
  ],
  [{ type: "disconnected", peer: N2, direction: "incoming", reason: "silent" }, null],
  [
    { type: "malformed", peer: N2, error: new RangeError("x") },
    "warn closed the connection of n2: RangeError: x",
  ],
  [
    { type: "handler-failed", peer: N2, group: GROUP, error: "x" },
    "error handler-failed: x",
  ],
  [
    { type: "unreachable", peer: N2, error: new Error("x") },
    "warn cannot reach n2: Error: x; is it up, and on the same --transport?",
  ],
  [{ type: "dropped", peer: N2, reason: "queue-full" }, null],
];

Deno.test("sentenceOf() says what happened, to whom and why, and is silent about the rest", () => {
  for (const [event, expected] of SENTENCES) {
    const sentence = sentenceOf(event);
    assertEquals(sentence === null ? null : `${sentence.level} ${sentence.text}`, expected);
  }
});

Deno.test("sentenceOf() says what to do where an operator must act", () => {
  const acts: [
    reason: "older-data" | "other-data" | "wrong-transport",
    byPeer: boolean,
    what: string,
  ][] = [
    ["older-data", true, "this node's directory is an older copy"],
    ["older-data", false, "n2's directory is an older copy"],
    ["other-data", true, "this node's directory was lost or replaced"],
    ["other-data", false, "n2's directory was lost or replaced"],
    ["wrong-transport", true, "all nodes of a cluster need the same"],
  ];
  for (const [reason, byPeer, what] of acts) {
    const sentence = sentenceOf({ ...refused, peer: N2, byPeer, reason });
    assertEquals(sentence?.level, "error");
    assertStringIncludes(sentence!.text, what);
  }
});
