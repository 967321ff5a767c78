/**
 * `kvctl backup`: the whole state, as of one log index, in one file.
 *
 * The file is checked as it comes, and has its name only once it is whole and durable.
 *
 * @module
 */
import { type BackupHeader, BackupReader } from "../../kv/backup_file.ts";
import { UsageError } from "../args.ts";
import { syncDirectoryOf } from "../durable_file.ts";
import { EXIT_OK } from "../exit_codes.ts";
import { watchStopSignals } from "../signals.ts";
import { backupFailure } from "./backup_source.ts";
import type { ClusterClient } from "./client.ts";
import type { Command, Context } from "./command.ts";
import { CommandFailed, messageOf } from "./failure.ts";
import { BACKUP_STALL_MS } from "./limits.ts";

export const backupCommand: Command = {
  name: "backup",
  summary: "copies the whole state into a file",
  usage: "backup FILE [--force] [flags]",
  help:
    `The copy is of one moment, and as fresh as a linearizable read; the cluster goes on meanwhile. "restore"
makes a new cluster of it. --timeout bounds the wait for the beginning of the answer, not the copying.

  --force  replaces FILE if it is there`,
  flags: { switches: ["force"] },
  positionalsMin: 1,
  positionalsMax: 1,
  run: backup,
};

async function backup({ args, client, io, json }: Context): Promise<number> {
  const [path] = args.positionals;
  const force = args.switches.has("force");
  requireAbsent(path, force);
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.part`;
  const file = create(temporary);
  let copied: Copied;
  try {
    copied = await copy(client, file);
    await file.sync();
    // It may have come to be meanwhile.
    requireAbsent(path, force);
    Deno.renameSync(temporary, path);
    syncDirectoryOf(path);
  } catch (error) {
    removeIfPresent(temporary);
    throw error instanceof UsageError ? error : backupFailure(error, path);
  } finally {
    file.close();
  }
  const { bytes, header } = copied;
  if (json) await io.write(`${JSON.stringify({ file: path, bytes, ...header })}\n`);
  else {
    await io.write(
      `cluster ${header.clusterId} at index ${header.index}, state hash ${header.stateHash}: ` +
        `${bytes} bytes in ${path}\n`,
    );
  }
  return EXIT_OK;
}

interface Copied {
  readonly header: BackupHeader;
  readonly bytes: number;
}

/** Copies a backup from the cluster into the file, checking it on the way. */
async function copy(client: ClusterClient, file: Deno.FsFile): Promise<Copied> {
  const over = new AbortController();
  const stall = new Stall(over);
  const interrupted = new CommandFailed("interrupted", null, "interrupted: nothing was kept");
  const unwatch = watchStopSignals(() => over.abort(interrupted), () => {});
  try {
    const response = await client.open({
      method: "GET",
      path: "/v1/cluster/backup",
      signal: over.signal,
    });
    const reader = new BackupReader();
    let bytes = 0;
    stall.restart();
    for await (const piece of response.body ?? []) {
      stall.restart();
      reader.push(piece);
      for (let written = 0; written < piece.length;) {
        written += await file.write(piece.subarray(written));
      }
      bytes += piece.length;
    }
    reader.finish();
    return { header: reader.header!, bytes };
  } catch (error) {
    if (over.signal.aborted) throw over.signal.reason;
    if (error instanceof TypeError) {
      throw new CommandFailed("broken-off", null, "the connection broke off before the end");
    }
    throw error;
  } finally {
    stall.stop();
    unwatch();
    // Whatever failed here, the node need not go on.
    over.abort(interrupted);
  }
}

/** Gives up when nothing comes for a while. */
class Stall {
  readonly #over: AbortController;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(over: AbortController) {
    this.#over = over;
  }

  restart(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const message = `nothing came for ${BACKUP_STALL_MS} ms`;
      this.#over.abort(new CommandFailed("stalled", null, message));
    }, BACKUP_STALL_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** @throws {UsageError} if something is there that was not to be replaced. */
function requireAbsent(path: string, force: boolean): void {
  if (force) return;
  try {
    Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new UsageError([`cannot write ${path}: ${messageOf(error)}`]);
  }
  throw new UsageError([`${path} is there already: --force replaces it`]);
}

function create(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { createNew: true, write: true });
  } catch (error) {
    throw new UsageError([`cannot write ${path}: ${messageOf(error)}`]);
  }
}

function removeIfPresent(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
