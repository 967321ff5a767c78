/**
 * `deno task node` with the stand-in as its node program, as a process of its own for the tests.
 *
 * @module
 */
import { runNode } from "../../cli/node.ts";

const standIn = new URL("./stand_in_node.ts", import.meta.url);
Deno.exit(await runNode(Deno.args, standIn));
