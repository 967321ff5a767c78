/**
 * A Deno program of ours as a child process: what it says is kept, it ends with this process (its
 * standard input ends then), and it can be awaited and ended by its id.
 *
 * @module
 */
import { signalChild } from "../../cli/signals.ts";

/** Of what a child has printed, so much is kept for an error message. */
const LOG_CHARACTERS_MAX = 16_384;

export class Child {
  readonly #child: Deno.ChildProcess;
  readonly #output: Promise<unknown>;
  #log = "";
  #isRunning = true;

  /** Starts `deno run` with the permissions told, never with a prompt. */
  constructor(script: URL, permissions: readonly string[], args: readonly string[]) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", ...permissions, script.href, ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      env: { DENO_NO_UPDATE_CHECK: "1" },
    }).spawn();
    void this.#child.status.then(() => this.#isRunning = false);
    this.#output = Promise.all(
      [this.#child.stdout, this.#child.stderr].map((stream) =>
        stream.pipeThrough(new TextDecoderStream()).pipeTo(
          new WritableStream({ write: (text) => this.#keep(text) }),
        )
      ),
    );
  }

  #keep(text: string): void {
    this.#log = (this.#log + text).slice(-LOG_CHARACTERS_MAX);
  }

  /** The end of what it has printed, to both streams. */
  get log(): string {
    return this.#log;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Ends its standard input, which ends it, and waits for that. */
  async close(): Promise<void> {
    await this.#child.stdin.close().catch(() => {});
    await this.#ended();
  }

  /** Ends it at once, if it still runs, and waits for that. */
  async kill(): Promise<void> {
    signalChild(this.#child, "SIGKILL");
    await this.#child.stdin.close().catch(() => {});
    await this.#ended();
  }

  async #ended(): Promise<void> {
    await this.#child.status;
    await this.#output;
  }
}
