/** The kinds of reads and the operators' requests on a real node, alone in its cluster. */
import { assert, assertEquals } from "@std/assert";
import type { Hono } from "hono";
import { BackupReader } from "../../kv/backup_file.ts";
import { SnapshotReader } from "../../kv/snapshot_reader.ts";
import { appTest, assertProblem, put, statusOf } from "./harness.ts";
import { STATUS } from "./scripted.ts";

const MEMBER = { id: "n4", url: "http://127.0.0.1:8004", peer: "127.0.0.1:9004" };
const BACKUP = "/v1/cluster/backup";

function post(app: Hono, path: string, body: unknown): Promise<Response> {
  return Promise.resolve(app.request(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  }));
}

async function replicaOf(app: Hono) {
  const status = await (await app.request("/v1/cluster")).json();
  return status.replicas[0];
}

appTest(
  "a session reads its own write, and gives what its next read may name as min",
  async (app) => {
    const written = await put(app, "/v1/kv/a", "x");
    let min = written;
    for (let round = 0; round < 3; round++) {
      for (const target of ["/v1/kv/a", "/v1/kv", "/v1/kv/b"]) {
        const response = await app.request(`${target}?consistency=session&min=${min}`);
        const found = await response.text();
        assertEquals(response.status, target === "/v1/kv/b" ? 404 : 200);
        if (target === "/v1/kv/a") assertEquals(found, "x");
        assertEquals(response.headers.get("x-kvorum-consistency"), "session");
        const stamp = response.headers.get("x-kvorum-versionstamp") ?? "";
        assert(stamp >= min, `${stamp} is earlier than ${min}`);
        min = stamp;
      }
    }
  },
);

appTest("a session's min that no replica has applied is not-caught-up", async (app) => {
  const { appliedIndex } = await replicaOf(app);
  const min = (appliedIndex + 1000).toString(16).padStart(16, "0") + "0001";
  const response = await app.request(`/v1/kv/a?consistency=session&min=${min}`);
  assertEquals(response.headers.get("retry-after"), "1");
  await assertProblem(response, "not-caught-up");
});

appTest("lease and eventual reads say what was done for them", async (app) => {
  await put(app, "/v1/kv/a", "x");
  const lease = await app.request("/v1/kv/a?consistency=lease");
  assertEquals(await lease.text(), "x");
  assert(["lease", "linearizable"].includes(lease.headers.get("x-kvorum-consistency") ?? ""));
  assertEquals(lease.headers.get("x-kvorum-staleness-ms"), null);
  const eventual = await app.request("/v1/kv/a?consistency=eventual&maxStalenessMs=3600000");
  assertEquals(await eventual.text(), "x");
  assertEquals(eventual.headers.get("x-kvorum-consistency"), "eventual");
  assert(/^\d+$/.test(eventual.headers.get("x-kvorum-staleness-ms") ?? ""), "a leader can tell");
});

appTest("a learner is added and removed; the only voter is not", async (app) => {
  const [voter] = STATUS.members;
  const learner = { ...MEMBER, role: "learner" };
  const added = await post(app, "/v1/cluster/members", learner);
  assertEquals([added.status, await added.json()], [200, { members: [voter, learner] }]);
  const { members } = await (await app.request("/v1/cluster")).json();
  assertEquals(members, [voter, learner]);
  const other = { ...learner, id: "n5" };
  await assertProblem(await post(app, "/v1/cluster/members", other), "address-in-use");
  const foreign = { ...other, clusterId: "00000000-0000-4000-8000-000000000002" };
  await assertProblem(await post(app, "/v1/cluster/members", foreign), "wrong-cluster");
  const elsewhere = { ...learner, url: "http://127.0.0.1:8005", peer: "127.0.0.1:9005" };
  await assertProblem(await post(app, "/v1/cluster/members", elsewhere), "member-exists");
  const remove = (id: string) => app.request(`/v1/cluster/members/${id}`, { method: "DELETE" });
  const removed = await remove("n4");
  assertEquals([removed.status, await removed.json()], [200, { members: [voter] }]);
  await assertProblem(await remove("n9"), "unknown-member");
  await assertProblem(await remove("n1"), "last-voter");
  assertEquals(await statusOf(app.request("/v1/kv/a", { method: "PUT", body: "x" })), 200);
});

appTest("leadership stays where nobody else can lead", async (app) => {
  const here = await post(app, "/v1/cluster/transfer", { to: "n1" });
  assertEquals([here.status, await here.json()], [200, { leader: "n1" }]);
  await assertProblem(await post(app, "/v1/cluster/transfer", { to: "n9" }), "unknown-member");
  await statusOf(post(app, "/v1/cluster/members", { ...MEMBER, role: "learner" }));
  await assertProblem(await post(app, "/v1/cluster/transfer", { to: "n4" }), "not-a-voter");
});

appTest("a snapshot is taken of all that is applied, and the node goes on", async (app) => {
  for (let i = 0; i < 20; i++) await put(app, `/v1/kv/k${i}`, `${i}`);
  const { appliedIndex } = await replicaOf(app);
  const response = await app.request("/v1/cluster/snapshot", { method: "POST" });
  const { snapshotIndex } = await response.json();
  assertEquals(response.status, 200);
  assert(snapshotIndex >= appliedIndex, `${snapshotIndex} is before ${appliedIndex}`);
  assertEquals((await replicaOf(app)).snapshotIndex, snapshotIndex);
  assertEquals(await (await app.request("/v1/kv/k7")).text(), "7");
});

appTest("a backup holds the state that its headers name", async (app) => {
  for (let i = 0; i < 300; i++) await put(app, `/v1/kv/k${i}`, new Uint8Array(1000).fill(i));
  const response = await app.request(BACKUP);
  assertEquals(response.status, 200);
  // What is written from now on is not in it.
  await put(app, "/v1/kv/late", "x");
  const reader = new BackupReader();
  const restored = new SnapshotReader();
  for await (const piece of response.body ?? []) {
    for (const chunk of reader.push(piece)) restored.push(chunk);
  }
  reader.finish();
  const { header } = reader;
  const { index, hash } = restored.finish().hash();
  assertEquals(header?.clusterId, STATUS.clusterId);
  assertEquals([header?.index, header?.stateHash], [index, hash]);
  assertEquals(response.headers.get("x-kvorum-index"), String(index));
  assertEquals(response.headers.get("x-kvorum-state-hash"), hash);
});

appTest("one backup too many is refused until another one has ended", async (app) => {
  const held: Response[] = [];
  let refused: Response | null = null;
  while (refused === null) {
    assert(held.length < 10, "nothing bounds the backups at a time");
    const response = await app.request(BACKUP);
    if (response.status === 200) held.push(response);
    else refused = response;
  }
  await assertProblem(refused, "overloaded");
  await held.pop()?.body?.cancel();
  const again = await app.request(BACKUP);
  assertEquals(again.status, 200);
  for (const response of [...held, again]) await response.body?.cancel();
});
