/**
 * Starts the programs that the suites on real processes need, with no more permissions than a node
 * has for its data.
 *
 * @module
 */

/** A child and the lines it prints. */
export interface Child {
  readonly process: Deno.ChildProcess;
  /** The next line; null at the end. */
  nextLine(): Promise<string | null>;
  /** Waits for the end and gives the exit code; what it printed and nobody read is dropped. */
  ended(): Promise<number>;
}

/** Starts a script beside this file that may use `directory`, optionally under another program. */
export function startChild(
  script: string,
  directory: string,
  args: readonly string[] = [],
  under: readonly string[] = [],
): Child {
  const command = [
    ...under,
    Deno.execPath(),
    "run",
    "--no-prompt",
    `--allow-read=${directory}`,
    `--allow-write=${directory}`,
    new URL(script, import.meta.url).pathname,
    directory,
    ...args,
  ];
  const process = new Deno.Command(command[0], {
    args: command.slice(1),
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  return {
    process,
    async nextLine() {
      while (!rest.includes("\n")) {
        const { value, done } = await reader.read();
        if (done) return null;
        rest += value;
      }
      const end = rest.indexOf("\n");
      const line = rest.slice(0, end);
      rest = rest.slice(end + 1);
      return line;
    },
    async ended() {
      while (!(await reader.read()).done);
      return (await process.status).code;
    },
  };
}
