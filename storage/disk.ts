/**
 * Where the data of a replica lies: a Deno KV database and, where there is a directory for it, a
 * mark beside it.
 *
 * @module
 */
import type { GroupId } from "../raft/types.ts";
import { makeDirectory, syncDirectory } from "./directory.ts";
import type { MarkPlace } from "./mark.ts";
import { MarkFile } from "./mark_file.ts";

/** The name of the Deno KV file in a data directory. */
export const KV_FILE_NAME = "kvorum.sqlite3";
/** A location that lives and dies with its handle. */
export const LOCATION_MEMORY = ":memory:";
/** What stands before the URL in the location of a remote database. */
export const LOCATION_URL_PREFIX = "kv:";

/** A place that a store can open. */
export interface Disk {
  openKv(): Promise<Deno.Kv>;
  /** Null where there is nothing beside the database. */
  readonly marks: MarkPlace | null;
}

/**
 * The disk at a location:
 *
 * - a path: the directory of the data, made if it is missing,
 * - `:memory:`: nothing survives the handle; for tests,
 * - `kv:` and a URL (`kv:https://…`): a database served over KV Connect, for a process that is
 *   disposable. The access token is Deno's own business (`DENO_KV_ACCESS_TOKEN`). There is **no
 *   mark**: that nothing acknowledged gets lost there is that server's promise alone.
 */
export function diskAt(location: string, group: GroupId): Disk {
  if (location === LOCATION_MEMORY) {
    return { openKv: () => Deno.openKv(LOCATION_MEMORY), marks: null };
  }
  if (location.startsWith(LOCATION_URL_PREFIX)) {
    const url = location.slice(LOCATION_URL_PREFIX.length);
    return { openKv: () => Deno.openKv(url), marks: null };
  }
  return new FileDisk(location, group);
}

/**
 * Refuses the setting that makes Deno keep every KV database in memory, whatever its path. It takes
 * the value of the environment variable `DENO_KV_DB_MODE`, which only the entry point may read.
 *
 * @throws {Error} if the setting is `memory`.
 */
export function refuseVolatileKv(dbMode: string | undefined): void {
  if (dbMode !== "memory") return;
  throw new Error(
    "Cannot start: DENO_KV_DB_MODE=memory makes Deno keep all data in memory, where a restart loses it",
  );
}

class FileDisk implements Disk {
  readonly #directory: string;
  readonly marks: MarkPlace;

  constructor(directory: string, group: GroupId) {
    this.#directory = directory;
    this.marks = new MarkFile(directory, `mark.${group}`);
  }

  async openKv(): Promise<Deno.Kv> {
    await makeDirectory(this.#directory);
    const path = `${this.#directory}/${KV_FILE_NAME}`;
    const kv = await Deno.openKv(path);
    try {
      // Seen from the other side as well, since the setting has a way past the entry point: a volatile
      // database leaves no file.
      await Deno.stat(path);
      await syncDirectory(this.#directory);
      return kv;
    } catch (cause) {
      kv.close();
      throw new Error(`Cannot open ${path}: Deno KV made no file there`, { cause });
    }
  }
}
