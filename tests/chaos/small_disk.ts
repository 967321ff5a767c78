/**
 * A disk that can be filled: a small file system in memory, under the data of one node. Needs the right to
 * mount; where that is missing, full disks are faults within a node (faulty_log.ts).
 *
 * @module
 */
import { SMALL_DISK_BYTES } from "./limits.ts";

const BALLAST = "ballast";
/** Ballast is written in ever smaller pieces, so that nothing is left. */
const PIECES_BYTES = [1024 * 1024, 4096, 1];

export class SmallDisk implements AsyncDisposable {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Mounts one at a directory that is there; null if that is not allowed. */
  static async mount(directory: string): Promise<SmallDisk | null> {
    const options = `size=${SMALL_DISK_BYTES},mode=700`;
    const isMounted = await run("mount", ["-t", "tmpfs", "-o", options, "kvorum-chaos", directory]);
    return isMounted ? new SmallDisk(directory) : null;
  }

  /** Takes all the room that is left. */
  async fill(): Promise<void> {
    using file = await Deno.open(`${this.directory}/${BALLAST}`, { append: true, create: true });
    for (const bytes of PIECES_BYTES) {
      const piece = new Uint8Array(bytes);
      try {
        while (await file.write(piece) === bytes);
      } catch {
        // There is no room for a piece of this size.
      }
    }
  }

  /** Gives the room back. */
  async free(): Promise<void> {
    try {
      await Deno.remove(`${this.directory}/${BALLAST}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Unmounts it, with all that is on it. Nobody may use it any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await run("umount", [this.directory]);
  }
}

/** Whether the program could be run, and did what it was to do. */
async function run(program: string, args: readonly string[]): Promise<boolean> {
  try {
    const command = new Deno.Command(program, { args: [...args], stdout: "null", stderr: "null" });
    return (await command.output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) {
      return false;
    }
    throw error;
  }
}
