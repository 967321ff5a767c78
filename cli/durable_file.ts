/**
 * Files that are there as a whole or not at all, also after a power cut.
 *
 * @module
 */

/** Puts `bytes` in place of whatever is at `path`, durably and in one step. */
export function replaceFile(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.new`;
  const file = Deno.createSync(temporary);
  try {
    for (let written = 0; written < bytes.length;) {
      written += file.writeSync(bytes.subarray(written));
    }
    file.syncSync();
  } finally {
    file.close();
  }
  Deno.renameSync(temporary, path);
  syncDirectoryOf(path);
}

/** A rename or a new name is durable only once the directory is. */
export function syncDirectoryOf(path: string): void {
  const slash = path.lastIndexOf("/");
  using directory = Deno.openSync(slash === -1 ? "." : path.slice(0, slash) || "/");
  directory.syncSync();
}
