/**
 * Runs docs/operations.md: every procedure's commands, as they stand there, on other ports and in a
 * directory of the test's own.
 *
 * Of a shell only what the page needs is there: words, `kill`, `rm -r`, `mkdir`, `mv FILE* DIRECTORY`, and the project's tasks.
 */
import { assert, assertEquals } from "@std/assert";
import { sendSignals } from "../cli/program.ts";
import { parsePage, type Procedure } from "./operations_page.ts";
import { eventually } from "./harness.ts";
import { freeBasePort } from "./ports.ts";

const PAGE = new URL("../../docs/operations.md", import.meta.url);
const PROJECT = new URL("../../deno.json", import.meta.url);
const LAUNCHER_PREFIX = "npx -y deno@2.9.6 task ";
/** Ports of the page that a procedure may use: 8001 to 8006, and the same from 9001. */
const PORTS = 6;
/** A command that takes longer has failed. */
const COMMAND_MS = 60_000;

/** One command in a terminal of its own, until the procedure is over. */
class Terminal {
  readonly #child: Deno.ChildProcess;
  readonly #output: Promise<unknown>;
  #isOver = false;
  text = "";

  constructor(args: readonly string[], env: Record<string, string>) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "--config", PROJECT.pathname, ...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      detached: true,
      env,
    }).spawn();
    const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) this.text += text;
    };
    this.#output = Promise.all([read(this.#child.stdout), read(this.#child.stderr)]);
    void this.#child.status.then(() => void (this.#isOver = true));
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  async until(pattern: RegExp): Promise<void> {
    await eventually(`a line like ${pattern}`, () => {
      return this.#isOver || pattern.test(this.text);
    }, COMMAND_MS);
    assert(pattern.test(this.text), `ended without a line like ${pattern}:\n${this.text}`);
  }

  async close(): Promise<void> {
    if (!this.#isOver) await sendSignals([-this.#child.pid, "SIGTERM"]).catch(() => {});
    await this.#child.status;
    await this.#output;
  }
}

/** Moves all files whose paths begin as the pattern does, which ends with a star; there must be one. */
async function moveAll(pattern: string, to: string): Promise<void> {
  const slash = pattern.lastIndexOf("/");
  const [from, prefix] = [pattern.slice(0, slash), pattern.slice(slash + 1).replace(/\*$/, "")];
  const names = await Array.fromAsync(Deno.readDir(from), ({ name }) => name);
  const moved = names.filter((name) => name.startsWith(prefix));
  assert(moved.length > 0, `there is no ${pattern}`);
  for (const name of moved) await Deno.rename(`${from}/${name}`, `${to}/${name}`);
}

/** Runs one procedure of the page. */
class Session {
  readonly #base = freeBasePort(PORTS);
  readonly #directory: string;
  readonly #terminals: Terminal[] = [];

  constructor(directory: string) {
    this.#directory = directory;
  }

  async run({ blocks }: Procedure): Promise<void> {
    for (const block of blocks) {
      for (const command of block.commands) {
        if (block.isTerminal) await this.#open(command);
        else await this.#do(command);
      }
    }
  }

  async close(): Promise<void> {
    // The nodes that joined first: a launcher's nodes end with it.
    for (const terminal of this.#terminals.toReversed()) await terminal.close();
  }

  describe(): string {
    return this.#terminals.map((terminal) => terminal.text).join("\n----\n");
  }

  async #open(command: string): Promise<void> {
    const args = this.#taskOf(command);
    const isCluster = args[0] === "cluster";
    const terminal = new Terminal(args, this.#env());
    this.#terminals.push(terminal);
    await terminal.until(isCluster ? /cluster ready/ : /listens on/);
  }

  async #do(command: string): Promise<void> {
    const words = this.#translated(command).split(/\s+/);
    if (words[0] === "rm" && words[1] === "-r") {
      return await Deno.remove(words[2], { recursive: true });
    }
    if (words[0] === "mkdir") return await Deno.mkdir(words[1]);
    if (words[0] === "mv") return await moveAll(words[1], words[2]);
    if (words[0] === "kill") return await this.#kill(command);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["task", "--quiet", "--config", PROJECT.pathname, ...this.#taskOf(command)],
      stdin: "null",
      env: this.#env(),
      signal: AbortSignal.timeout(COMMAND_MS),
    }).output();
    const text = new TextDecoder();
    assertEquals(code, 0, `${command}\n${text.decode(stdout)}\n${text.decode(stderr)}`);
  }

  /** `kill -TERM <process id of n2>`: the id stands in a launcher's output, the last one counts. */
  async #kill(command: string): Promise<void> {
    const match = /^kill -(\w+) <process id of (\S+|the launcher)>$/.exec(command);
    assert(match !== null, `cannot run: ${command}`);
    const [, signal, whom] = match;
    const pid = this.#processOf(whom);
    await sendSignals([pid, `SIG${signal}` as Deno.Signal]);
    if (whom === "the launcher") {
      const [launcher] = this.#terminals;
      await eventually("the end of the launcher", () => launcher.isOver, COMMAND_MS);
    }
    const gone = new RegExp(`^${whom} (exited|was killed)`, "m");
    await eventually(
      `the end of ${whom}`,
      () => whom === "the launcher" || gone.test(this.describe()),
    );
  }

  #processOf(whom: string): number {
    const patterns = whom === "the launcher" ? [/launcher: process id (\d+)/g] : [
      new RegExp(`^${whom}\\s+http\\S+\\s+(\\d+)`, "gm"),
      new RegExp(`^${whom} restarted, process id (\\d+)`, "gm"),
    ];
    const found = patterns.flatMap((pattern) => [...this.describe().matchAll(pattern)]);
    assert(found.length > 0, `no process id of ${whom} in\n${this.describe()}`);
    return Number(found.at(-1)![1]);
  }

  #taskOf(command: string): string[] {
    assert(command.startsWith(LAUNCHER_PREFIX), `not a task: ${command}`);
    const args = this.#translated(command.slice(LAUNCHER_PREFIX.length)).split(/\s+/);
    // Where the page relies on the launcher's first port.
    const isLaunched = args[0] === "cluster" || args.includes("--size");
    return isLaunched ? [...args, "--base-port", String(this.#base)] : args;
  }

  #translated(command: string): string {
    return command
      .replace(
        /\b([89])00(\d)\b/g,
        (_, door: string, node: string) =>
          String(this.#base + Number(node) - 1 + (door === "9" ? 1000 : 0)),
      )
      .replaceAll("./", `${this.#directory}/`);
  }

  #env(): Record<string, string> {
    const urls = [0, 1, 2].map((i) => `http://127.0.0.1:${this.#base + i}`);
    return { KVORUM_URL: urls.join(",") };
  }
}

const page = parsePage(await Deno.readTextFile(PAGE));

Deno.test("docs/operations.md has procedures to run", () => {
  assert(page.length >= 8, `${page.length} procedures were found`);
});

for (const procedure of page) {
  Deno.test(`docs/operations.md: ${procedure.title}`, async () => {
    const directory = await Deno.makeTempDir({ prefix: "kvorum-operations-" });
    const session = new Session(directory);
    try {
      await session.run(procedure);
    } catch (error) {
      console.error(session.describe());
      throw error;
    } finally {
      await session.close();
      await Deno.remove(directory, { recursive: true });
    }
  });
}
