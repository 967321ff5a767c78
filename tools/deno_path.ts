/**
 * Prints the path of the Deno that runs it. Tasks put it into `--allow-run`: under `npx` the name
 * `deno` does not lead to the running binary, and a permission for the name does not cover it.
 *
 * @module
 */

console.log(Deno.execPath());
