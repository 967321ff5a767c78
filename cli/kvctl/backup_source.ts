/**
 * A backup in a file, as what a cluster is founded from.
 *
 * @module
 */
import {
  type BackupHeader,
  BackupReader,
  MalformedBackup,
  UnsupportedBackup,
} from "../../kv/backup_file.ts";
import { MalformedSnapshot, SnapshotReader } from "../../kv/snapshot_reader.ts";
import { CommandFailed, messageOf } from "./failure.ts";

/**
 * Gives the chunks of the state, in order, each as soon as it has been checked; what is wrong may show at
 * the end only.
 *
 * @throws {CommandFailed}
 */
export async function* backupChunks(path: string): AsyncGenerator<Uint8Array, BackupHeader> {
  const reader = new BackupReader();
  try {
    using file = await Deno.open(path);
    const piece = new Uint8Array(PIECE_BYTES);
    for (;;) {
      const bytes = await file.read(piece);
      if (bytes === null) break;
      yield* reader.push(piece.subarray(0, bytes));
    }
    reader.finish();
    return reader.header!;
  } catch (error) {
    throw backupFailure(error, path);
  }
}

/** Bytes read at a time. */
const PIECE_BYTES = 256 * 1024;

/**
 * Reads all of a backup, builds the state and compares its hash with the one that it should have.
 *
 * @throws {CommandFailed}
 */
export async function checkBackup(path: string): Promise<BackupHeader> {
  const chunks = backupChunks(path);
  const reader = new SnapshotReader();
  try {
    for (;;) {
      const { done, value } = await chunks.next();
      if (done) {
        const { index, hash } = reader.finish().hash();
        if (hash === value.stateHash && index === value.index) return value;
        throw new MalformedBackup(
          `its state is at index ${index} with the hash ${hash}, not at ${value.index} with ` +
            value.stateHash,
        );
      }
      reader.push(value);
    }
  } catch (error) {
    throw backupFailure(error, path);
  }
}

/** What an error in reading, or receiving, a backup comes to. */
export function backupFailure(error: unknown, path: string): unknown {
  if (error instanceof CommandFailed) return error;
  if (error instanceof UnsupportedBackup) {
    return new CommandFailed("unsupported-backup", null, `${path}: ${error.message}`);
  }
  if (error instanceof MalformedBackup || error instanceof MalformedSnapshot) {
    return new CommandFailed("malformed-backup", null, `${path}: ${error.message}`);
  }
  return new CommandFailed("file-error", null, `cannot use ${path}: ${messageOf(error)}`);
}
