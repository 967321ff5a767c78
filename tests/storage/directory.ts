/**
 * A directory for the length of a test.
 *
 * @module
 */

/** Runs a test with an empty directory, named without symbolic links as permissions are, and removes it. */
export async function withDirectory(act: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "kvorum-test-" }));
  try {
    await act(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
