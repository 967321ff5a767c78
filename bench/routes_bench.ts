/**
 * The doors without a network and without a cluster: what a request costs between `Deno.serve` and the
 * service, whose answers are ready here.
 *
 * @module
 */
import { Hono } from "hono";
import type { ClusterService, KvService } from "../actors/service.ts";
import { encodeKey } from "../kv/key_codec.ts";
import { bytesValue } from "../kv/value_codec.ts";
import { createApp } from "../routes/app.ts";
import type { JsValue } from "../routes/js_value.ts";
import { readV8 } from "../routes/v8_read.ts";
import { writeV8 } from "../routes/v8_write.ts";

const BODY = new Uint8Array(256).fill(0x78);
const DOCUMENT: JsValue = {
  id: 1234567,
  name: "Ada Lovelace",
  tags: ["mathematics", "engines"],
  address: { city: "London", verified: true, note: null },
  text: "x".repeat(120),
};
const SERIALIZED = writeV8(DOCUMENT);
const VERSIONSTAMP = { index: 7, order: 1 };

const entry = (value = bytesValue(BODY), name = "key") => ({
  key: encodeKey(["bench", name]),
  value,
  versionstamp: VERSIONSTAMP,
});
const page = Array.from({ length: 100 }, (_, i) => entry(bytesValue(BODY), `key-${i}`));

const service: KvService = {
  write: () => Promise.resolve({ status: "applied", versionstamp: VERSIONSTAMP }),
  read: (query, consistency) =>
    Promise.resolve({
      results: query.type === "get" ? [[entry()]] : [page],
      index: 7,
      served: consistency.mode,
      stalenessMs: consistency.mode === "eventual" ? 12.5 : null,
    }),
  watch: () => Promise.reject(new Error("there is nothing to watch")),
  status: () => ({ clusterId: "", node: "n1", leader: "n1", term: 1, members: [], replicas: [] }),
  notReady: () => null,
};
/** Nothing here asks for any of it. */
const cluster: ClusterService = {
  addMember: () => Promise.resolve([]),
  removeMember: () => Promise.resolve([]),
  transferLeadership: () => Promise.resolve("n1"),
  takeSnapshot: () => Promise.resolve(7),
  backup: () => Promise.reject(new Error("there is nothing to back up")),
};
const app = createApp({ service, cluster, log: console.error });

/** As a request of `Deno.serve` behaves: `new Request` costs as much as all that is measured here. */
function requestOf(
  method: string,
  target: string,
  body: Uint8Array,
  fields: readonly (readonly [string, string])[],
): Request {
  const headers = new Map([["content-length", String(body.length)], ...fields]);
  return {
    method,
    url: `http://127.0.0.1:8001${target}`,
    headers: {
      get: (name: string) => headers.get(name) ?? null,
      has: (name: string) => headers.has(name),
    },
    bytes: () => Promise.resolve(body),
  } as unknown as Request;
}

function bench(name: string, app: Hono, request: Request, baseline = false): void {
  Deno.bench({ name, group: "doors", baseline }, async () => {
    const response = await app.fetch(request);
    if (response.status !== 200) throw new Error(`${name} answered ${response.status}`);
  });
}

const json = [["content-type", "application/json"]] as const;
const documentJson = new TextEncoder().encode(JSON.stringify(DOCUMENT));
const atomicJson = new TextEncoder().encode(JSON.stringify({
  checks: [{ key: ["bench", "key"], versionstamp: null }],
  mutations: [{ type: "set", key: ["bench", "key"], value: DOCUMENT }],
}));

bench("PUT 256 B", app, requestOf("PUT", "/v1/kv/bench/key-1234", BODY, []), true);
bench("PUT JSON, 240 B", app, requestOf("PUT", "/v1/kv/bench/key-1234", documentJson, json));
bench("GET 256 B", app, requestOf("GET", "/v1/kv/bench/key-1234", BODY, []));
bench(
  "GET 256 B, session",
  app,
  requestOf("GET", `/v1/kv/bench/key-1234?consistency=session&min=${"0".repeat(20)}`, BODY, []),
);
bench("GET a list of 100", app, requestOf("GET", "/v1/kv?prefix=bench", BODY, []));
bench("POST atomic, 1 check, 1 set", app, requestOf("POST", "/v1/atomic", atomicJson, json));
bench("GET /livez", app, requestOf("GET", "/livez", BODY, []));

Deno.bench({ name: "writeV8, 240 B of JSON", group: "values" }, () => {
  writeV8(DOCUMENT);
});
Deno.bench({ name: "readV8, the same", group: "values" }, () => {
  readV8(SERIALIZED);
});
