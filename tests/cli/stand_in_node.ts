/**
 * Stands in for main.ts under the launcher: takes the same flags, serves `/readyz` and `/v1/cluster`
 * as a healthy member of a cluster led by `n1`, and misbehaves on request.
 *
 * What the tests ask of it: `POST /exit/<code>` ends it at once; `POST /permissions` with a list of
 * permission descriptors answers the state of each; the variable `KVORUM_STAND_IN`, a JSON
 * object by node id, holds `exit` (end with this code at start), `unready` (say so, with this reason),
 * `stubborn` (ignore SIGTERM).
 *
 * @module
 */
import { resolveNodeConfig } from "../../cli/config.ts";

const config = resolveNodeConfig(Deno.args, Deno.env.get, Deno.readTextFileSync);
const orders = JSON.parse(Deno.env.get("KVORUM_STAND_IN") ?? "{}")[config.id] ?? {};
if (orders.exit !== undefined) {
  console.error("ending as ordered");
  Deno.exit(orders.exit);
}

Deno.mkdirSync(config.data, { recursive: true });
Deno.writeTextFileSync(`${config.data}/starts`, `${config.clusterId}\n`, { append: true });

if (config.exitWithParent) {
  void Deno.stdin.readable.pipeTo(new WritableStream()).then(() => Deno.exit(0));
}
Deno.addSignalListener("SIGTERM", () => {
  console.log(orders.stubborn ? "not stopping" : "draining");
  if (!orders.stubborn) Deno.exit(0);
});

const urls = config.peers.map((peer) => peer.url);
Deno.serve(
  { hostname: config.host, port: config.port, onListen: () => console.log("serving") },
  async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/exit/")) Deno.exit(Number(pathname.slice("/exit/".length)));
    if (pathname === "/permissions") {
      const wanted: Deno.PermissionDescriptor[] = await request.json();
      return Response.json(wanted.map((one) => Deno.permissions.querySync(one).state));
    }
    if (pathname === "/readyz" && orders.unready !== undefined) {
      return Response.json({ code: "not-serving", detail: orders.unready }, { status: 503 });
    }
    if (pathname === "/readyz") return new Response("ready");
    return Response.json({ node: config.id, leader: "n1", clusterId: config.clusterId, urls });
  },
);
