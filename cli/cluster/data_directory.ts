/**
 * The launcher's data directory: whose it is, and which cluster lives in it.
 *
 * In it: `cluster.json` (identity and size of the cluster), `cluster.lock` (locked by the running
 * launcher), and `n1` to `n9`, the directories of the nodes. Nothing else is ever written or deleted.
 *
 * @module
 */
import { UsageError } from "../args.ts";
import { replaceFile } from "../durable_file.ts";
import { CLUSTER_SIZE_MAX } from "../limits.ts";

const CLUSTER_FILE = "cluster.json";
const LOCK_FILE = "cluster.lock";
const FORMAT = 1;

/** What `cluster.json` holds. */
interface ClusterFile {
  readonly format: typeof FORMAT;
  /** A UUID. */
  readonly clusterId: string;
  /** Nodes. */
  readonly size: number;
}

/**
 * Makes sure that a cluster of `size` can be started in `path`, changing nothing.
 *
 * @throws {UsageError} if the directory is somebody else's, or holds a cluster of another size.
 */
export function requireOurs(path: string, size: number, fresh: boolean): void {
  readClusterFile(path, size, fresh);
}

/** A data directory that this launcher has to itself until it closes it. */
export class DataDirectory implements Disposable {
  readonly #path: string;
  readonly #lock: Deno.FsFile;

  private constructor(path: string, lock: Deno.FsFile) {
    this.#path = path;
    this.#lock = lock;
  }

  /**
   * Takes the directory, making it if it is not there.
   *
   * @throws {UsageError} if another launcher has it.
   */
  static open(path: string): DataDirectory {
    let lock: Deno.FsFile;
    try {
      Deno.mkdirSync(path, { recursive: true });
      lock = Deno.openSync(`${path}/${LOCK_FILE}`, { create: true, write: true });
    } catch (error) {
      throw new UsageError([`cannot use the directory ${path}: ${reason(error)}`]);
    }
    if (lock.tryLockSync(true)) return new DataDirectory(path, lock);
    lock.close();
    throw new UsageError([`another launcher is running a cluster in ${path}`]);
  }

  /**
   * Gives the identity of the cluster in the directory, founding one if there is none.
   *
   * @param fresh found a new one in any case, and delete what the old one left.
   * @throws {UsageError} like {@linkcode requireOurs}.
   */
  identify(size: number, fresh: boolean): string {
    const present = readClusterFile(this.#path, size, fresh);
    if (present !== null && !fresh) return present.clusterId;
    const clusterId = crypto.randomUUID();
    // First the new identity: a crash while deleting must not leave some of the old nodes' data
    // under an identity that would still accept it.
    this.#writeClusterFile({ format: FORMAT, clusterId, size });
    if (fresh) this.#deleteNodes();
    return clusterId;
  }

  [Symbol.dispose](): void {
    this.#lock.close();
  }

  #writeClusterFile(content: ClusterFile): void {
    const text = `${JSON.stringify(content, null, 2)}\n`;
    replaceFile(`${this.#path}/${CLUSTER_FILE}`, new TextEncoder().encode(text));
  }

  #deleteNodes(): void {
    for (let i = 1; i <= CLUSTER_SIZE_MAX; i++) {
      try {
        Deno.removeSync(`${this.#path}/n${i}`, { recursive: true });
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }
}

/**
 * Reads `cluster.json`; null if the directory is absent or empty.
 *
 * @throws {UsageError}
 */
function readClusterFile(path: string, size: number, fresh: boolean): ClusterFile | null {
  let names: string[];
  let text: string | null = null;
  try {
    names = [...Deno.readDirSync(path)].map((entry) => entry.name);
    if (names.includes(CLUSTER_FILE)) text = Deno.readTextFileSync(`${path}/${CLUSTER_FILE}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw new UsageError([`cannot use the directory ${path}: ${reason(error)}`]);
  }
  if (text === null) {
    // A launcher that died before it wrote the first cluster.json leaves these two at most.
    const foreign = names.filter((name) => name !== LOCK_FILE && name !== `${CLUSTER_FILE}.new`);
    if (foreign.length === 0) return null;
    throw new UsageError([
      `cannot use the directory ${path}: it is not empty (${foreign.sort()[0]}) and holds no ` +
      `${CLUSTER_FILE}, so no cluster of ours made it; give --data another directory`,
    ]);
  }
  const content = parseClusterFile(text);
  if (content === null) {
    throw new UsageError([
      `cannot use the directory ${path}: its ${CLUSTER_FILE} was not written by this version`,
    ]);
  }
  if (content.size !== size && !fresh) {
    throw new UsageError([
      `cannot start ${size} nodes in ${path}: it holds a cluster of ${content.size}; ` +
      `say --size ${content.size}, or --fresh to delete it and found a new one`,
    ]);
  }
  return content;
}

function parseClusterFile(text: string): ClusterFile | null {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof content !== "object" || content === null) return null;
  const { format, clusterId, size } = content as Record<string, unknown>;
  if (format !== FORMAT || typeof clusterId !== "string" || typeof size !== "number") return null;
  return { format, clusterId, size };
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
