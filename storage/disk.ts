/**
 * Where the data of a replica lies: a Deno KV database and, where there is a directory for it, a
 * second one for the chunks of snapshots, a mark, and a reserve.
 *
 * @module
 */
import type { GroupId } from "../raft/types.ts";
import { makeDirectory, syncDirectory } from "./directory.ts";
import { RESERVE_BYTES } from "./limits.ts";
import type { MarkPlace } from "./mark.ts";
import { MarkFile } from "./mark_file.ts";
import { ReserveFile, type ReservePlace } from "./reserve_file.ts";

/** The name of the Deno KV file in a data directory. */
export const KV_FILE_NAME = "kvorum.sqlite3";
/** The name of the Deno KV file of the snapshots' chunks. */
export const CHUNK_FILE_NAME = "snapshots.sqlite3";
/** A location that lives and dies with its handle. */
export const LOCATION_MEMORY = ":memory:";
/** What stands before the URL in the location of a remote database. */
export const LOCATION_URL_PREFIX = "kv:";

/** The name of a group's mark in a data directory. */
export function markFileName(group: GroupId): string {
  return `mark.${group}`;
}

/** A place that a store can open. */
export interface Disk {
  openKv(): Promise<Deno.Kv>;
  /** Opens the database of the snapshots' chunks; null if that is the same. */
  readonly openChunkKv: (() => Promise<Deno.Kv>) | null;
  /** Null where there is nothing beside the database. */
  readonly marks: MarkPlace | null;
  /** Null where there is nothing beside the database, or none is wanted. */
  readonly reserve: ReservePlace | null;
}

/**
 * The disk at a location:
 *
 * - a path: the directory of the data, made if it is missing,
 * - `:memory:`: nothing survives the handle; for tests,
 * - `kv:` and a URL (`kv:https://…`): a database served over KV Connect, for a process that is
 *   disposable. The access token is Deno's own business (`DENO_KV_ACCESS_TOKEN`). There is **no
 *   mark**: that nothing acknowledged gets lost there is that server's promise alone.
 *
 * A directory keeps `reserveBytes` free for when the disk is full.
 */
export function diskAt(
  location: string,
  group: GroupId,
  reserveBytes: number = RESERVE_BYTES,
): Disk {
  const alone = { openChunkKv: null, marks: null, reserve: null };
  if (location === LOCATION_MEMORY) {
    return { openKv: () => Deno.openKv(LOCATION_MEMORY), ...alone };
  }
  if (location.startsWith(LOCATION_URL_PREFIX)) {
    const url = location.slice(LOCATION_URL_PREFIX.length);
    return { openKv: () => Deno.openKv(url), ...alone };
  }
  return new FileDisk(location, group, reserveBytes);
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
  readonly reserve: ReservePlace | null;

  constructor(directory: string, group: GroupId, reserveBytes: number) {
    this.#directory = directory;
    this.marks = new MarkFile(directory, markFileName(group));
    const name = `reserve.${group}`;
    this.reserve = reserveBytes > 0 ? new ReserveFile(directory, name, reserveBytes) : null;
  }

  openKv(): Promise<Deno.Kv> {
    return this.#open(KV_FILE_NAME);
  }

  openChunkKv(): Promise<Deno.Kv> {
    return this.#open(CHUNK_FILE_NAME);
  }

  async #open(name: string): Promise<Deno.Kv> {
    await makeDirectory(this.#directory);
    const path = `${this.#directory}/${name}`;
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
