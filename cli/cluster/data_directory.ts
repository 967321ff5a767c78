/**
 * The launcher's data directory: whose it is, and which cluster lives in it.
 *
 * In it: `cluster.json` (identity, size and ports of the cluster), `cluster.lock` (locked by the running
 * launcher), and `n1` to `n9`, the directories of the nodes. Nothing else is ever written or deleted.
 *
 * @module
 */
import { UsageError } from "../args.ts";
import { replaceFile, syncDirectoryOf } from "../durable_file.ts";
import { CLUSTER_SIZE_MAX } from "../limits.ts";

const CLUSTER_FILE = "cluster.json";
const LOCK_FILE = "cluster.lock";
const FORMAT = 2;

/** What a cluster in a directory cannot change. */
export interface Shape {
  /** Nodes. */
  readonly size: number;
  /** The HTTP port of `n1`, from which all others follow: the members know each other under them. */
  readonly basePort: number;
}

/** What `cluster.json` holds. */
interface ClusterFile extends Shape {
  /** A UUID. */
  readonly clusterId: string;
}

/**
 * Makes sure that a cluster of this shape can be started in `path`, changing nothing.
 *
 * @throws {UsageError} if the directory is somebody else's, or holds a cluster of another shape.
 */
export function requireOurs(path: string, shape: Shape, fresh: boolean): void {
  readClusterFile(path, fresh ? null : shape);
}

/**
 * Makes sure that a new cluster can be put into `path`, changing nothing.
 *
 * @throws {UsageError} if there is anything in it.
 */
export function requireEmpty(path: string): void {
  const { text, names } = readDirectory(path);
  if (text === null && names.length === 0) return;
  throw new UsageError([
    `cannot use the directory ${path}: it is not empty (${
      text === null ? names[0] : CLUSTER_FILE
    })`,
  ]);
}

/** Whether a launcher has put a cluster there. */
export function isLaunched(path: string): boolean {
  try {
    return Deno.statSync(`${path}/${CLUSTER_FILE}`).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
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
  identify(shape: Shape, fresh: boolean): string {
    const present = readClusterFile(this.#path, fresh ? null : shape);
    if (present !== null && !fresh) return present.clusterId;
    const clusterId = crypto.randomUUID();
    // First the new identity: a crash while deleting must not leave some of the old nodes' data
    // under an identity that would still accept it.
    this.found(clusterId, shape);
    if (fresh) this.#deleteNodes();
    return clusterId;
  }

  /** The shape of the cluster in the directory; null if there is none. @throws {UsageError} */
  get shape(): Shape | null {
    return readClusterFile(this.#path, null);
  }

  /** Makes the directory nobody's: no launcher will start what is in it any more. */
  abandon(): void {
    Deno.renameSync(`${this.#path}/${CLUSTER_FILE}`, `${this.#path}/${CLUSTER_FILE}.abandoned`);
    syncDirectoryOf(`${this.#path}/${CLUSTER_FILE}`);
  }

  [Symbol.dispose](): void {
    this.#lock.close();
  }

  /** Makes the directory that of a cluster. */
  found(clusterId: string, { size, basePort }: Shape): void {
    const text = `${JSON.stringify({ format: FORMAT, clusterId, size, basePort }, null, 2)}\n`;
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
 * @param shape what the cluster in it must be like; null for anything.
 * @throws {UsageError}
 */
function readClusterFile(path: string, shape: Shape | null): ClusterFile | null {
  const { text, names } = readDirectory(path);
  if (text === null) {
    if (names.length === 0) return null;
    throw new UsageError([
      `cannot use the directory ${path}: it is not empty (${names[0]}) and holds no ` +
      `${CLUSTER_FILE}, so no cluster of ours made it; give --data another directory`,
    ]);
  }
  const content = parseClusterFile(text);
  if (content === null) {
    throw new UsageError([
      `cannot use the directory ${path}: its ${CLUSTER_FILE} was not written by this version`,
    ]);
  }
  if (shape === null) return content;
  if (content.size !== shape.size) {
    throw new UsageError([
      `cannot start ${shape.size} nodes in ${path}: it holds a cluster of ${content.size}; ` +
      `say --size ${content.size}, or --fresh to delete it and found a new one`,
    ]);
  }
  if (content.basePort !== shape.basePort) {
    throw new UsageError([
      `cannot start ${path} at port ${shape.basePort}: its members know each other at ports from ` +
      `${content.basePort} on; say --base-port ${content.basePort}, or --fresh to delete it and ` +
      "found a new one",
    ]);
  }
  return content;
}

/** The text of `cluster.json`, null if there is none, and the names of what does not belong to an empty one. */
function readDirectory(path: string): { readonly text: string | null; names: readonly string[] } {
  try {
    const names = [...Deno.readDirSync(path)].map((entry) => entry.name).sort();
    return {
      text: names.includes(CLUSTER_FILE) ? Deno.readTextFileSync(`${path}/${CLUSTER_FILE}`) : null,
      // A launcher that died before it wrote the first cluster.json leaves these two at most.
      names: names.filter((name) => name !== LOCK_FILE && name !== `${CLUSTER_FILE}.new`),
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { text: null, names: [] };
    throw new UsageError([`cannot use the directory ${path}: ${reason(error)}`]);
  }
}

function parseClusterFile(text: string): ClusterFile | null {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof content !== "object" || content === null) return null;
  const { format, clusterId, size, basePort } = content as Record<string, unknown>;
  if (format !== FORMAT || typeof clusterId !== "string") return null;
  if (typeof size !== "number" || typeof basePort !== "number") return null;
  return { clusterId, size, basePort };
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
