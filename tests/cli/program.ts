/**
 * A program of the project as a process of its own, for tests: started with its task's permissions,
 * watched line by line, and killed by its id when the test is over.
 *
 * @module
 */
import { signalChild } from "../../cli/signals.ts";

/** A condition that takes longer than this has failed. */
const DEADLINE_MS = 20_000;
const POLL_MS = 20;

/** Waits until `condition` gives true; fails with `what` after the deadline. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const endMs = performance.now() + DEADLINE_MS;
  while (!await condition()) {
    if (performance.now() > endMs) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Signals processes that this one did not start; a negative id means a process group. */
export async function sendSignals(...signals: [pid: number, signal: Deno.Signal][]): Promise<void> {
  const script = new URL("./send_signal.ts", import.meta.url).href;
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-run", script, ...signals.flat().map(String)],
    stdin: "null",
  }).output();
  if (!success) throw new Error(`cannot send ${signals.join("; ")}`);
}

/** Whether something listens on the port. */
export async function isListening(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

/** A running or ended program. */
export class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #streams: Promise<unknown>;
  readonly #status: Promise<Deno.CommandStatus>;
  #isOver = false;
  /** The lines of standard output so far. */
  readonly lines: string[] = [];
  /** Standard error so far. */
  errors = "";

  /**
   * Starts a script with the permissions that `deno task cluster` and `deno task node` have, at the
   * head of a process group of its own.
   */
  constructor(script: URL, args: readonly string[], env: Record<string, string> = {}) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--allow-net=127.0.0.1",
        "--allow-read",
        "--allow-write",
        "--allow-env=KVORUM_*",
        `--allow-run=${Deno.execPath()}`,
        script.href,
        ...args,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      detached: true,
      env,
    }).spawn();
    this.#streams = Promise.all([this.#readLines(), this.#readErrors()]);
    this.#status = this.#child.status.then((status) => {
      this.#isOver = true;
      return status;
    });
  }

  async #readLines(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      this.lines.push(...lines);
    }
    if (rest !== "") this.lines.push(rest);
  }

  async #readErrors(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.errors += text;
    }
  }

  /** The first line that matches, from line `from` on, once it is there. */
  async line(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    let match: RegExpExecArray | null = null;
    await eventually(`a line like ${pattern} in\n${this}`, () => {
      match = this.lines.slice(from).map((line) => pattern.exec(line)).find(Boolean) ?? null;
      return match !== null || this.#isOver;
    });
    // The last lines may still be on their way when the process is seen to have ended.
    if (match === null) {
      await this.#streams;
      match = this.lines.slice(from).map((line) => pattern.exec(line)).find(Boolean) ?? null;
    }
    if (match === null) throw new Error(`ended without a line like ${pattern}:\n${this}`);
    return match;
  }

  /** Sends the signal, unless the program has ended. */
  signal(signal: Deno.Signal): void {
    signalChild(this.#child, signal);
  }

  /**
   * What Ctrl-C comes to under `npx`: the terminal signals the program and all that it started, and
   * `deno task` passes the signal on to the program once more.
   */
  async interrupt(): Promise<void> {
    await sendSignals([-this.#child.pid, "SIGINT"], [this.#child.pid, "SIGINT"]);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The exit code, once the process has ended and its output is read. */
  async ended(): Promise<number> {
    await eventually(`the end of\n${this}`, () => this.#isOver);
    await this.#streams;
    return (await this.#status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGKILL");
    await this.#status;
    await this.#streams;
  }

  toString(): string {
    return `${this.lines.join("\n")}\n--- standard error\n${this.errors}`;
  }
}
