/**
 * Runs a program that does not notice the end of its parent, and ends it with its own standard input:
 * `tied.ts PROGRAM ARGUMENT...`. Whatever ends the harness, nothing of it stays behind.
 *
 * Ends the program with SIGKILL, also when it is asked to stop itself; exits as the program did.
 *
 * @module
 */
import { signalChild } from "../../cli/signals.ts";

const [program, ...args] = Deno.args;
const child = new Deno.Command(program, { args, stdin: "null" }).spawn();
const end = () => signalChild(child, "SIGKILL");
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) Deno.addSignalListener(signal, end);
void Deno.stdin.readable.pipeTo(new WritableStream()).finally(end);
const { code } = await child.status;
Deno.exit(code);
