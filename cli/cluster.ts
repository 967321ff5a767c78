/**
 * `deno task cluster`: a whole cluster on this machine. See cli/cluster/launcher.ts.
 *
 * @module
 */
import { runCluster } from "./cluster/launcher.ts";

if (import.meta.main) Deno.exit(await runCluster(Deno.args));
