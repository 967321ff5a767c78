/** `GET /v1/cluster/backup`: a stream of unknown length, to its end, to its failure, or until nobody reads it. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { NoLeader } from "../../actors/outcomes.ts";
import type { Backup } from "../../actors/service.ts";
import { assertProblem, quietApp } from "./answers.ts";
import { backupOf, scripted, scriptedCluster, STATUS } from "./scripted.ts";

const PATH = "/v1/cluster/backup";
const PIECE = new Uint8Array(65_536).fill(7);

/** Serves an app whose backups come from `backup`. */
async function served(
  backup: () => Promise<Backup>,
  run: (url: string) => Promise<void>,
): Promise<void> {
  const app = quietApp(scripted({}), scriptedCluster({ backup }));
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {}, automaticCompression: true },
    app.fetch,
  );
  try {
    await run(`http://127.0.0.1:${server.addr.port}${PATH}`);
  } finally {
    await server.shutdown();
  }
}

/** A backup without end, and when it was cancelled. */
function endless() {
  const cancelled = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(PIECE.slice()),
    cancel: () => cancelled.resolve(),
  });
  return {
    backup: { stateHash: STATUS.replicas[0].stateHash, body },
    cancelled: cancelled.promise,
  };
}

Deno.test("GET /v1/cluster/backup streams the copy as it is, and says what it is of", async () => {
  const pieces = Array.from({ length: 40 }, (_, i) => PIECE.map((byte) => byte + i));
  await served(() => Promise.resolve(backupOf(pieces)), async (url) => {
    const response = await fetch(url, { headers: { "accept-encoding": "gzip, br" } });
    assertEquals(response.status, 200);
    const expected: readonly (readonly [string, string | null])[] = [
      ["content-type", "application/vnd.kvorum.backup"],
      ["content-disposition", 'attachment; filename="kvorum-8.backup"'],
      ["content-encoding", null],
      ["cache-control", "no-store, no-transform"],
      ["x-kvorum-index", "8"],
      ["x-kvorum-state-hash", "0123456789abcdef0123456789abcdef"],
    ];
    for (const [name, value] of expected) assertEquals(response.headers.get(name), value, name);
    assert(response.headers.get("x-request-id")?.startsWith("n1-"));
    const bytes = await response.bytes();
    assertEquals(bytes.length, 40 * PIECE.length);
    assert(pieces.every((piece, i) => bytes[i * PIECE.length] === piece[0]));
  });
});

Deno.test("GET /v1/cluster/backup is cancelled when the client goes away", async () => {
  const { backup, cancelled } = endless();
  await served(() => Promise.resolve(backup), async (url) => {
    const leaving = new AbortController();
    const response = await fetch(url, { signal: leaving.signal });
    const reader = response.body?.getReader();
    assert(!(await reader?.read())?.done);
    leaving.abort();
    await reader?.closed.catch(() => {});
    await cancelled;
  });
});

Deno.test("GET /v1/cluster/backup drops a copy that is ready when the client has gone", async () => {
  const { backup, cancelled } = endless();
  const asked = Promise.withResolvers<void>();
  const ready = Promise.withResolvers<Backup>();
  const copying = () => {
    asked.resolve();
    return ready.promise;
  };
  await served(copying, async (url) => {
    const leaving = new AbortController();
    const answer = fetch(url, { signal: leaving.signal });
    await asked.promise;
    leaving.abort();
    await assertRejects(() => answer, DOMException);
    ready.resolve(backup);
    await cancelled;
  });
});

Deno.test("GET /v1/cluster/backup breaks off where the copy fails, so that nobody takes it for whole", async () => {
  let pulls = 0;
  const failing = () =>
    Promise.resolve({
      stateHash: STATUS.replicas[0].stateHash,
      body: new ReadableStream<Uint8Array>({
        pull(controller) {
          if (++pulls > 3) controller.error(new Error("the snapshot does not read back"));
          else controller.enqueue(PIECE.slice());
        },
      }),
    });
  await served(failing, async (url) => {
    const response = await fetch(url);
    await assertRejects(() => response.bytes(), TypeError);
  });
});

Deno.test("GET /v1/cluster/backup is a problem if no copy can be made; HEAD makes none", async () => {
  let asked = 0;
  const app = quietApp(
    scripted({}),
    scriptedCluster({
      backup: () => {
        asked += 1;
        return Promise.reject(new NoLeader());
      },
    }),
  );
  await assertProblem(await app.request(PATH), "no-leader");
  const head = await app.request(PATH, { method: "HEAD" });
  assertEquals([head.status, head.headers.get("allow"), asked], [405, "GET", 1]);
});
