/**
 * The sizes of the log on disk, and what Deno KV allows.
 *
 * @module
 */

/** Bytes of encoded entries in one value; the rest of Deno KV's 64 KiB is room for the header. */
export const BLOCK_PAYLOAD_BYTES_MAX = 60 * 1024;
/** Mutations that Deno KV takes in one atomic. */
export const ATOMIC_MUTATIONS_MAX = 1000;
/** Bytes of keys and values that Deno KV takes in one atomic. */
export const ATOMIC_BYTES_MAX = 800 * 1024;
/** Bytes of one encoded entry: several times what the largest atomic write of a client comes to. */
export const ENTRY_BYTES_MAX = 4 * 1024 * 1024;
/** Bytes of one chunk of a snapshot: with its header it fits into one value. */
export const SNAPSHOT_CHUNK_BYTES_MAX = 60 * 1024;
/** Bytes that the reserve keeps free on the disk. */
export const RESERVE_BYTES = 16 * 1024 * 1024;
/** Values deleted in one piece of garbage: no commit waits for more. */
export const GARBAGE_KEYS_MAX = 32;
/** Bytes of the reason of a quarantine; a longer one is cut off. */
export const QUARANTINE_REASON_BYTES_MAX = 2000;
/** Values fetched at a time while the log is read back: at most 30 MB of them. */
export const RECOVERY_LIST_BATCH = 500;
/** How often `open` tries to take the fence from others that open the same data at the same time. */
export const FENCE_ATTEMPTS_MAX = 10;
/** How often something is tried while another process has the database locked. */
export const BUSY_ATTEMPTS_MAX = 20;
/** The wait before the second try; it grows by as much each time, to 4 s in all. */
export const BUSY_WAIT_MS = 20;
/** Bytes of a cluster id or a node id. */
export const ID_BYTES_MAX = 256;
/** Peers that are remembered: so many fit into one value of Deno KV, whatever their names. */
export const KNOWN_PEERS_MAX = 200;
/** Bytes of one of the two slots of the mark: a page, so that no write of one touches the other. */
export const MARK_SLOT_BYTES = 4096;
/** How long the syncs of the mark may block the event loop, smoothed; longer ones leave it free. */
export const BLOCKING_SYNC_MS_MAX = 2;
/** One in so many syncs blocks even so, to notice that the disk has become fast. */
export const SYNC_PROBE_INTERVAL = 64;

/** What the splitting of a batch goes by. Tests make them small. */
export interface AtomicLimits {
  readonly blockPayloadBytesMax: number;
  readonly atomicMutationsMax: number;
  readonly atomicBytesMax: number;
}

export const ATOMIC_LIMITS: AtomicLimits = {
  blockPayloadBytesMax: BLOCK_PAYLOAD_BYTES_MAX,
  atomicMutationsMax: ATOMIC_MUTATIONS_MAX,
  atomicBytesMax: ATOMIC_BYTES_MAX,
};
