/** What a chaos run says of a file that it cannot write its history to, and what it leaves then: nothing. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { UsageError } from "../../cli/args.ts";
import { prepareHistory } from "./history_file.ts";

const program = new URL("./chaos.ts", import.meta.url).pathname;

Deno.test("prepareHistory() takes a file that can be written, and leaves what is in it", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/history.jsonl`;
    prepareHistory(path);
    assertEquals(await Deno.readTextFile(path), "");
    await Deno.writeTextFile(path, "old\n");
    prepareHistory(path);
    assertEquals(await Deno.readTextFile(path), "old\n");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("prepareHistory() refuses a directory", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const { problems } = assertThrows(() => prepareHistory(directory), UsageError);
    assertEquals(problems.length, 1);
    assertMatch(problems[0]!, /^--history: cannot write .*Is a directory/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

const rows: readonly [name: string, path: string, problem: RegExp][] = [
  [
    "into a folder that is not there",
    "none/history.jsonl",
    /^--history: the folder of .* is not there\n$/,
  ],
  [
    "outside of what it may write to",
    "../history.jsonl",
    /^--history: the file must be inside the checkout: .*\n$/,
  ],
];
for (const [name, path, problem] of rows) {
  Deno.test(`chaos refuses a history ${name} with exit code 2, and leaves nothing`, async () => {
    const directory = await Deno.makeTempDir();
    try {
      const { code, stderr, stdout } = await new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "--no-prompt", "--no-check", "--allow-read", `--allow-write=${directory}`],
          ...["--allow-net=127.0.0.1", program, "--history", `${directory}/${path}`],
        ],
        env: { TMPDIR: directory },
      }).output();
      const decoder = new TextDecoder();
      assertMatch(decoder.decode(stderr), problem);
      assertEquals([code, decoder.decode(stdout)], [2, ""]);
      assertEquals([...Deno.readDirSync(directory)], []);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  });
}
