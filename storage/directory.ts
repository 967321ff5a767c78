/**
 * Durability of directory entries: a file that is synced can still lose its name in a power failure,
 * because the name belongs to the directory.
 *
 * @module
 */

/** Makes the directory, and its parents, if they are missing; durably. */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await Deno.mkdir(path);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return;
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    await makeDirectory(parent(path));
    return makeDirectory(path);
  }
  await syncDirectory(parent(path));
}

/**
 * Syncs the names in a directory. Where directories cannot be opened as files (Windows) or their
 * reading is not permitted (the parent of the data directory, as a rule), it does nothing: the former
 * journals names itself, and for the latter the name is as old as the operator's own preparations.
 */
export async function syncDirectory(path: string): Promise<void> {
  let directory: Deno.FsFile;
  try {
    directory = await Deno.open(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw error;
    return;
  }
  try {
    await directory.sync();
  } finally {
    directory.close();
  }
}

/** Whether there is anything under this path. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function parent(path: string): string {
  const trimmed = path.replace(/\/+$/, "");
  const slash = trimmed.lastIndexOf("/");
  if (slash < 0) return ".";
  return slash === 0 ? "/" : trimmed.slice(0, slash);
}
