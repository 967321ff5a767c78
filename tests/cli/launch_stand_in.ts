/**
 * The launcher with the stand-in as its node program, as a process of its own for the tests.
 *
 * @module
 */
import { runCluster } from "../../cli/cluster/launcher.ts";

const standIn = new URL("./stand_in_node.ts", import.meta.url);
Deno.exit(await runCluster(Deno.args, standIn));
