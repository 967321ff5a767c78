/**
 * Stands in for main.ts: tries what no node has any business doing, and a few things that it has, and prints
 * one JSON line `{"<what>": "done" | "<the error>"}`.
 *
 * Argument: the node's flags, of which it takes `--data` and `--port`.
 *
 * @module
 */

const flag = (name: string): string =>
  Deno.args.find((arg) => arg.startsWith(`--${name}=`))!.slice(name.length + 3);
const data = flag("data");
const port = Number(flag("port"));

const attempts: Record<string, () => unknown> = {
  "write its data": () => Deno.writeTextFile(`${data}/probe`, "x"),
  "read its data": () => Deno.readTextFile(`${data}/probe`),
  "listen on its port": () => Deno.listen({ hostname: "127.0.0.1", port }).close(),
  "read a file of the system": () => Deno.readTextFile("/etc/hostname"),
  "read beside its data": () => Deno.readTextFile(`${data}/../other`),
  "read its data by a detour": () => Deno.readTextFile(`${data}/../../etc/hostname`),
  "write beside its data": () => Deno.writeTextFile(`${data}/../other`, "x"),
  "read its own program": () => Deno.readTextFile(new URL("../../main.ts", import.meta.url)),
  "link out of its data": () => Deno.symlink("/etc/hostname", `${data}/link`),
  "read a variable": () => Deno.env.get("HOME"),
  "read all variables": () => Deno.env.toObject(),
  "run a program": () => new Deno.Command(Deno.execPath(), { args: ["--version"] }).output(),
  "load a library": () => Deno.dlopen("libc.so.6", {}),
  "ask who it runs as": () => Deno.uid(),
  "ask for the host's name": () => Deno.hostname(),
  "connect elsewhere": () => Deno.connect({ hostname: "127.0.0.9", port: 8009 }),
  "listen elsewhere": () => Deno.listen({ hostname: "127.0.0.9", port: 0 }).close(),
  "listen on every address": () => Deno.listen({ hostname: "0.0.0.0", port: 0 }).close(),
  "fetch from elsewhere": () => fetch("http://127.0.0.9:8009/"),
};

const outcomes: Record<string, string> = {};
for (const [what, attempt] of Object.entries(attempts)) {
  try {
    await attempt();
    outcomes[what] = "done";
  } catch (error) {
    const { name, message } = error as Error;
    outcomes[what] = `${name}: ${message}`;
  }
}
console.log(JSON.stringify(outcomes));
Deno.exit(0);
