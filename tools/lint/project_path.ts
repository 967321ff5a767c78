/**
 * Paths as the lint rules speak of them: within the project, with slashes on every system.
 *
 * @module
 */

const root = new URL("../../", import.meta.url);

/** `raft/core.ts` for a file of this checkout; a relative path is taken to be one already. */
export function projectPath(filename: string): string {
  const path = filename.replaceAll("\\", "/");
  const rootPath = decodeURIComponent(root.pathname).replace(/^\/(?=[A-Za-z]:)/, "");
  return path.startsWith(rootPath) ? path.slice(rootPath.length) : path;
}

/** Whether a project path lies in one of the given rooms. */
export function isIn(path: string, rooms: readonly string[]): boolean {
  return rooms.some((room) => path === room || path.startsWith(`${room}/`));
}
