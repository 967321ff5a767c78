/**
 * Data of nodes that are not running, for tests: backups to restore, and a look at what was made of them.
 *
 * @module
 */
import { type BackupHeader, encodeBackup } from "../../kv/backup_file.ts";
import { encodeSnapshot } from "../../kv/snapshot_encoder.ts";
import { SnapshotReader } from "../../kv/snapshot_reader.ts";
import type { StateHash } from "../../kv/types.ts";
import { GROUP_DEFAULT } from "../../raft/types.ts";
import { openKvLogStore } from "../../storage/kv_log_store.ts";
import type { Recovery } from "../../storage/types.ts";
import { Fed, key, set } from "../kv/support.ts";

/** A state of some hundred keys (about 70 KB), and a backup of it. */
export function exampleBackup(change: Partial<BackupHeader> = {}, chunkBytesMax = 1000): {
  readonly header: BackupHeader;
  readonly bytes: Uint8Array<ArrayBuffer>;
} {
  const fed = new Fed();
  for (let i = 0; i < 300; i++) {
    fed.write([set(key("k", i), `value ${i}`.padEnd(150))], [], `once-${i}`);
  }
  const { index, hash } = fed.store.hash();
  const header = {
    clusterId: "00000000-0000-4000-8000-00000000000b",
    index,
    term: 3,
    timeMs: fed.timeMs,
    stateHash: hash,
    createdBy: "test",
    ...change,
  };
  const frames = [...encodeBackup(header, encodeSnapshot(fed.store.capture(), chunkBytesMax))];
  return { header, bytes: joined(frames) };
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** What a node finds when it starts on the directory, and the state that its snapshot holds. */
export async function openAsNode(
  directory: string,
  clusterId: string,
  nodeId: string,
): Promise<{ readonly recovery: Recovery; readonly stateHash: StateHash | null }> {
  const identity = { clusterId, nodeId };
  const log = openKvLogStore({ directory, group: GROUP_DEFAULT, identity });
  try {
    const recovery = await log.open();
    const { snapshot } = recovery;
    if (snapshot === null) return { recovery, stateHash: null };
    const reader = new SnapshotReader();
    for (let i = 0; i < snapshot.chunks; i++) reader.push(await log.snapshots.read(snapshot, i));
    return { recovery, stateHash: reader.finish().hash() };
  } finally {
    await log.close();
  }
}

export function names(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map((entry) => entry.name).sort();
}
