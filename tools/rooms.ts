/**
 * Who may import whom: the layout of the project as one table, and the judgement of one import
 * against it. The lint plugin asks it for every import that it meets.
 *
 * @module
 */

/** What one room may import. Files of the same room may always import each other. */
interface Room {
  /** Rooms (`"kv"`) or single files (`"actors/service.ts"`). */
  readonly imports: readonly string[];
  /** Rooms whose types alone may be imported. */
  readonly importsTypes: readonly string[];
  /** Packages by their name in the import map; `"node"` stands for every `node:` module. */
  readonly packages: readonly string[];
}

const anyRoom: readonly string[] = [
  "raft",
  "kv",
  "storage",
  "transport",
  "actors",
  "routes",
  "client",
  "cli",
  "main.ts",
];
const testPackages: readonly string[] = [
  "node",
  "@std/assert",
  "@std/cli",
  "fast-check",
  "hono",
  "sorted-btree",
];

/** The layout of docs/architecture.md, as data. */
export const rooms: Readonly<Record<string, Room>> = {
  raft: { imports: [], importsTypes: [], packages: [] },
  kv: { imports: [], importsTypes: ["raft"], packages: ["sorted-btree"] },
  storage: { imports: ["raft", "kv"], importsTypes: [], packages: ["node"] },
  transport: { imports: ["raft", "kv"], importsTypes: [], packages: ["hono", "node"] },
  actors: {
    imports: ["raft", "kv", "storage", "transport"],
    importsTypes: [],
    packages: ["node"],
  },
  routes: {
    imports: ["kv", "actors/service.ts", "actors/outcomes.ts", "actors/types.ts"],
    importsTypes: [],
    packages: ["hono", "node"],
  },
  client: { imports: [], importsTypes: [], packages: [] },
  cli: {
    // Speaks HTTP only, but for what is done to a stopped node's data.
    imports: [
      "client",
      "kv/backup_file.ts",
      "kv/snapshot_reader.ts",
      "raft/types.ts",
      "storage/disk.ts",
      "storage/offline.ts",
    ],
    importsTypes: [],
    packages: ["@std/cli", "node"],
  },
  std: { imports: [], importsTypes: [], packages: ["node"] },
  "main.ts": {
    imports: anyRoom.filter((room) => room !== "main.ts"),
    importsTypes: [],
    packages: ["@std/cli", "hono", "node"],
  },
  tools: { imports: anyRoom, importsTypes: [], packages: ["@std/cli", "node"] },
  bench: { imports: [...anyRoom, "tests", "tools"], importsTypes: [], packages: testPackages },
  tests: {
    imports: [...anyRoom, "bench", "std", "tools"],
    importsTypes: [],
    packages: testPackages,
  },
};

/** The room that a project path belongs to, or undefined if it belongs to none. */
export function roomOf(path: string): string | undefined {
  const first = path.split("/", 1)[0]!;
  return Object.hasOwn(rooms, first) ? first : undefined;
}

/**
 * Judges one import.
 *
 * @param importer the importing file's path in the project, such as `kv/store.ts`.
 * @param specifier what stands in the import, such as `../raft/types.ts` or `hono`.
 * @param typesOnly whether nothing of it is left at run time.
 * @returns why it is not allowed, or undefined if it is.
 */
export function judgeImport(
  importer: string,
  specifier: string,
  typesOnly: boolean,
): string | undefined {
  const from = roomOf(importer);
  if (from === undefined) return `${importer} is in no room; tools/rooms.ts lists them`;
  if (specifier.startsWith(".")) {
    return judgePath(from, resolvePath(importer, specifier), typesOnly);
  }
  return judgePackage(from, specifier);
}

function judgePath(from: string, path: string, typesOnly: boolean): string | undefined {
  const to = roomOf(path);
  if (to === undefined) return `${path} is in no room; tools/rooms.ts lists them`;
  const allowed = rooms[from]!;
  if (to === from || allowed.imports.some((it) => it === to || it === path)) return undefined;
  if (allowed.importsTypes.includes(to)) {
    return typesOnly ? undefined : `${from} may import types from ${to}, but no values`;
  }
  return `${from} may not import ${path}; it may import ${listing(allowed)}`;
}

function judgePackage(from: string, specifier: string): string | undefined {
  if (/^(?:npm|jsr|https?|data|file):/.test(specifier)) {
    return `${specifier} does not go through the import map of deno.json`;
  }
  const name = packageName(specifier);
  if (rooms[from]!.packages.includes(name)) return undefined;
  return `${from} may not import the package ${specifier}; tools/rooms.ts lists what it may`;
}

function packageName(specifier: string): string {
  if (specifier.startsWith("node:")) return "node";
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0]!;
}

function listing(room: Room): string {
  const names = [...room.imports, ...room.importsTypes.map((it) => `types of ${it}`)];
  return names.length === 0 ? "nothing of the project" : names.join(", ");
}

/** Resolves a relative specifier against a project path; `..` above the project is kept. */
function resolvePath(importer: string, specifier: string): string {
  const parts = importer.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "." || part === "") continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else parts.push(part);
  }
  return parts.join("/");
}
