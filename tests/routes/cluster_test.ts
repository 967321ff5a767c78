/** The door for operators: members, transfer and snapshots. */
import { assert, assertEquals } from "@std/assert";
import {
  type AdminRefusal,
  AdminRefused,
  Draining,
  NoLeader,
  NotServing,
  OutcomeUnknown,
  StorageExhausted,
} from "../../actors/outcomes.ts";
import type { MemberRequest } from "../../actors/service.ts";
import { ADMIN_BODY_BYTES_MAX } from "../../routes/limits.ts";
import type { ProblemCode } from "../../routes/problem.ts";
import { assertProblem, quietApp, statusOf } from "./answers.ts";
import { scripted, scriptedCluster, STATUS } from "./scripted.ts";

const MEMBER = { id: "n4", url: "http://10.0.0.4:8001", peer: "10.0.0.4:9001" };
const JSON_TYPE = { "content-type": "application/json" };

function appWith(script: Parameters<typeof scriptedCluster>[0]) {
  return quietApp(scripted({}), scriptedCluster(script));
}

function post(path: string, body: unknown): Request {
  const init = { method: "POST", headers: JSON_TYPE, body: JSON.stringify(body) };
  return new Request(`http://localhost${path}`, init);
}

/** One request of every kind that asks something of the cluster. */
const REQUESTS: readonly (() => Request)[] = [
  () => post("/v1/cluster/members", MEMBER),
  () => new Request("http://localhost/v1/cluster/members/n4", { method: "DELETE" }),
  () => post("/v1/cluster/transfer", {}),
  () => post("/v1/cluster/snapshot", {}),
  () => new Request("http://localhost/v1/cluster/backup"),
];

/** An app in which all that is asked fails so. */
function failingApp(error: Error) {
  const fail = () => Promise.reject(error);
  return appWith({
    addMember: fail,
    removeMember: fail,
    transferLeadership: fail,
    takeSnapshot: fail,
    backup: fail,
  });
}

Deno.test("POST /v1/cluster/members asks for what the body says, and gives the members", async () => {
  const full = { ...MEMBER, role: "voter", replaces: null, clusterId: null };
  const cases: readonly (readonly [unknown, MemberRequest | object])[] = [
    [MEMBER, full],
    [{ ...MEMBER, role: "learner" }, { ...full, role: "learner" }],
    [{ ...MEMBER, replaces: "n2" }, { ...full, replaces: "n2" }],
    [{ ...full }, full],
    [{ ...MEMBER, clusterId: STATUS.clusterId }, { ...full, clusterId: STATUS.clusterId }],
    [
      { ...MEMBER, clusterId: STATUS.clusterId.toUpperCase() },
      { ...full, clusterId: STATUS.clusterId },
    ],
    [{ ...MEMBER, url: "HTTPS://Example.org/" }, { ...full, url: "https://example.org" }],
    [{ ...MEMBER, url: "http://[fd00::4]:8001" }, { ...full, url: "http://[fd00::4]:8001" }],
    [{ ...MEMBER, peer: "[fd00::4]:9001" }, { ...full, peer: "[fd00::4]:9001" }],
    [{ ...MEMBER, peer: "node-4.internal:65535" }, { ...full, peer: "node-4.internal:65535" }],
  ];
  for (const [body, expected] of cases) {
    const asked: MemberRequest[] = [];
    const app = appWith({
      addMember: (member) => {
        asked.push(member);
        return Promise.resolve(STATUS.members);
      },
    });
    const response = await app.request(post("/v1/cluster/members", body));
    assertEquals(response.status, 200);
    assertEquals(response.headers.get("content-type"), "application/json");
    assertEquals(await response.json(), { members: STATUS.members });
    assertEquals<unknown>(asked, [expected]);
  }
});

Deno.test("POST /v1/cluster/members refuses a body that describes no member, and says why", async () => {
  const app = failingApp(new Error("the service was asked"));
  const cases: readonly (readonly [unknown, string])[] = [
    [[], "is not an object"],
    [null, "is not an object"],
    ["n4", "is not an object"],
    [{ ...MEMBER, roles: "voter" }, 'the unknown field "roles"; known: id, url, peer, role'],
    [{ ...MEMBER, id: undefined }, "id is a string"],
    [{ ...MEMBER, id: "" }, "id is a string"],
    [{ ...MEMBER, id: "n 4" }, "id is a string"],
    [{ ...MEMBER, id: "n".repeat(65) }, "id is a string"],
    [{ ...MEMBER, id: 4 }, "id is a string"],
    [{ ...MEMBER, role: "leader" }, "role is voter or learner"],
    [{ ...MEMBER, role: "joining" }, "role is voter or learner"],
    [{ ...MEMBER, role: null, replaces: 4 }, "replaces is a string"],
    [{ ...MEMBER, replaces: "a/b" }, "replaces is a string"],
    [{ ...MEMBER, replaces: "n4" }, "cannot replace itself"],
    [{ ...MEMBER, role: "learner", replaces: "n2" }, "A learner replaces nobody"],
    ...[
      {},
      7,
      "",
      "another",
      STATUS.clusterId.slice(1),
      `${STATUS.clusterId}0`,
      `{${STATUS.clusterId}}`,
      STATUS.clusterId.replaceAll("-", ""),
    ].map((clusterId) => [{ ...MEMBER, clusterId }, "clusterId is a UUID"] as const),
    ...[
      undefined,
      8001,
      "",
      "10.0.0.4:8001",
      "ftp://10.0.0.4",
      "http:10.0.0.4:8001",
      "http://10.0.0.4:8001/kv",
      "http://10.0.0.4:8001?a=b",
      "http://10.0.0.4:8001#a",
      "http://user:secret@10.0.0.4:8001",
      "http://10.0.0.4:99999",
      " http://10.0.0.4:8001",
      "http:\\\\10.0.0.4",
      "http://",
      `http://${"a".repeat(300)}`,
    ].map((url) => [{ ...MEMBER, url }, "url is where clients reach"] as const),
    ...[
      undefined,
      9001,
      "",
      "10.0.0.4",
      ":9001",
      "10.0.0.4:",
      "10.0.0.4:0",
      "10.0.0.4:65536",
      "10.0.0.4:9001/",
      "http://10.0.0.4:9001",
      "fd00::4:9001",
      "a,b:9001",
    ].map((peer) => [{ ...MEMBER, peer }, "peer is where the other nodes"] as const),
  ];
  for (const [body, why] of cases) {
    const response = await app.request(post("/v1/cluster/members", body));
    const detail = await assertProblem(response, "bad-request");
    assert(detail.includes(why), `${JSON.stringify(body)}: ${detail}`);
  }
});

Deno.test("DELETE /v1/cluster/members/{id} removes whom the path names", async () => {
  const asked: string[] = [];
  const app = appWith({
    removeMember: (id) => {
      asked.push(id);
      return Promise.resolve(STATUS.members.slice(0, 1));
    },
  });
  for (const path of ["n4", "a.b-c_D", "%6e4"]) {
    const response = await app.request(`/v1/cluster/members/${path}`, { method: "DELETE" });
    assertEquals(await response.json(), { members: STATUS.members.slice(0, 1) });
  }
  assertEquals(asked, ["n4", "a.b-c_D", "n4"]);
  for (const path of ["n%204", "a%2Fb", "%zz", "%ff", "n".repeat(65)]) {
    const response = await app.request(`/v1/cluster/members/${path}`, { method: "DELETE" });
    await assertProblem(response, "unknown-member");
  }
  assertEquals(asked.length, 3);
});

Deno.test("DELETE /v1/cluster/members/{id} takes no field in its body", async () => {
  let removed = 0;
  const app = appWith({
    removeMember: () => {
      removed++;
      return Promise.resolve(STATUS.members);
    },
  });
  const remove = (body: unknown) =>
    app.request("/v1/cluster/members/n4", {
      method: "DELETE",
      headers: JSON_TYPE,
      body: JSON.stringify(body),
    });
  assertEquals([(await remove({})).status, removed], [200, 1]);
  const detail = await assertProblem(await remove({ force: true }), "bad-request");
  assert(detail.includes('unknown field "force"; known: none'), detail);
  await assertProblem(await remove(["n4"]), "bad-request");
  assertEquals(removed, 1);
});

Deno.test("POST /v1/cluster/transfer hands over to whom it names, or to the best", async () => {
  const asked: (string | null)[] = [];
  const app = appWith({
    transferLeadership: (to) => {
      asked.push(to);
      return Promise.resolve(to ?? "n3");
    },
  });
  for (const [body, leader] of [[{ to: "n2" }, "n2"], [{ to: null }, "n3"], [{}, "n3"]] as const) {
    const response = await app.request(post("/v1/cluster/transfer", body));
    assertEquals([response.status, await response.json()], [200, { leader }]);
  }
  const bare = await app.request("/v1/cluster/transfer", { method: "POST" });
  assertEquals(await bare.json(), { leader: "n3" });
  assertEquals(asked, ["n2", null, null, null]);
  for (const body of [{ to: 2 }, { to: "" }, { target: "n2" }, [], "n2"]) {
    await assertProblem(await app.request(post("/v1/cluster/transfer", body)), "bad-request");
  }
  assertEquals(asked.length, 4);
});

Deno.test("POST /v1/cluster/snapshot takes one of this node", async () => {
  let taken = 0;
  const app = appWith({ takeSnapshot: () => Promise.resolve(40 + ++taken) });
  const bare = await app.request("/v1/cluster/snapshot", { method: "POST" });
  assertEquals([bare.status, await bare.json()], [200, { snapshotIndex: 41 }]);
  const empty = await app.request(post("/v1/cluster/snapshot", {}));
  assertEquals(await empty.json(), { snapshotIndex: 42 });
  const response = await app.request(post("/v1/cluster/snapshot", { index: 5 }));
  const detail = await assertProblem(response, "bad-request");
  assert(detail.includes('unknown field "index"; known: none'), detail);
  assertEquals(taken, 2);
});

Deno.test("operators' requests refuse bodies that are too large, of another type, or no JSON", async () => {
  const app = failingApp(new Error("the service was asked"));
  const cases: readonly (readonly [BodyInit, Record<string, string>, ProblemCode])[] = [
    [JSON.stringify(MEMBER), { "content-type": "text/plain" }, "unsupported-media-type"],
    [
      JSON.stringify(MEMBER),
      { ...JSON_TYPE, "content-encoding": "gzip" },
      "unsupported-media-type",
    ],
    ["{", JSON_TYPE, "bad-json"],
    [new Uint8Array([0xff]), JSON_TYPE, "bad-json"],
    ['{"id":[[1]]}', JSON_TYPE, "bad-json"],
    [" ".repeat(ADMIN_BODY_BYTES_MAX + 1), JSON_TYPE, "too-large"],
  ];
  const addresses = [
    ["POST", "members"],
    ["DELETE", "members/n4"],
    ["POST", "transfer"],
    ["POST", "snapshot"],
  ];
  for (const [method, path] of addresses) {
    for (const [body, headers, code] of cases) {
      const init = { method, headers, body };
      await assertProblem(await app.request(`/v1/cluster/${path}`, init), code);
    }
  }
  const nothing = await app.request("/v1/cluster/members", { method: "POST" });
  await assertProblem(nothing, "unsupported-media-type");
  const empty = { method: "POST", headers: JSON_TYPE };
  await assertProblem(await app.request("/v1/cluster/members", empty), "bad-json");
});

Deno.test("operators' requests refuse parameters, and conditions that they could not keep", async () => {
  const app = failingApp(new Error("the service was asked"));
  for (const make of REQUESTS) {
    const { method, url } = make();
    const withQuery = await app.request(new Request(`${url}?force=true`, { method }));
    await assertProblem(withQuery, "bad-query");
    if (method === "GET") continue;
    for (const name of ["if-match", "if-none-match", "idempotency-key"]) {
      const request = make();
      request.headers.set(name, "x");
      const detail = await assertProblem(await app.request(request), "bad-header");
      assert(detail.includes(name), detail);
    }
  }
});

Deno.test("every refusal of an operator's request is a problem of its name, with its reason", async () => {
  const refusals: Readonly<Record<AdminRefusal, number>> = {
    "member-exists": 409,
    "address-in-use": 409,
    "unknown-member": 404,
    "last-voter": 409,
    "quorum-unreachable": 409,
    "change-in-progress": 409,
    "wrong-cluster": 409,
    "transfer-in-progress": 409,
    "not-a-voter": 409,
    "target-unreachable": 409,
    "target-lagging": 409,
    "transfer-failed": 409,
    "snapshot-in-progress": 409,
  };
  for (const [reason, status] of Object.entries(refusals)) {
    const app = failingApp(new AdminRefused(reason as AdminRefusal, `because of ${reason}`));
    for (const make of REQUESTS) {
      const response = await app.request(make());
      assertEquals(response.status, status);
      assertEquals(await assertProblem(response, reason as ProblemCode), `because of ${reason}`);
    }
  }
});

Deno.test("operators' requests map every outcome; what may have happened is told as that", async () => {
  const outcomes: readonly (readonly [Error, ProblemCode])[] = [
    [new NoLeader(), "no-leader"],
    [new Draining(), "draining"],
    [new NotServing(), "not-serving"],
    [new StorageExhausted(), "storage-full"],
    [new OutcomeUnknown(), "outcome-unknown"],
  ];
  for (const [outcome, code] of outcomes) {
    const app = failingApp(outcome);
    for (const make of REQUESTS) await assertProblem(await app.request(make()), code);
  }
  const unknown = failingApp(new OutcomeUnknown());
  for (const make of REQUESTS.slice(0, 3)) {
    const detail = await assertProblem(await unknown.request(make()), "outcome-unknown");
    assert(detail.includes("GET /v1/cluster shows"), detail);
    assert(!detail.includes("Idempotency-Key"), "there is no such key for these requests");
  }
});

Deno.test("GET /v1/cluster shows members on their way in and out", async () => {
  const members = [
    ...STATUS.members,
    { ...MEMBER, role: "joining" as const },
    { ...MEMBER, id: "n5", role: "leaving" as const },
  ];
  const app = quietApp({ ...scripted({}), status: () => ({ ...STATUS, members }) });
  const response = await app.request("/v1/cluster");
  assertEquals((await response.json()).members, members);
  assertEquals(await statusOf(app.request("/v1/cluster", { method: "HEAD" })), 200);
});
