/**
 * Which files a child syncs between what it says: `begin …` and `acknowledged …` on its output.
 *
 * @module
 */

/**
 * Whether strace is there, may be run, and may trace, which some containers forbid. It is optional:
 * `apt install strace`; `deno task test` then permits it.
 */
export async function hasStrace(): Promise<boolean> {
  const { state } = await Deno.permissions.query({ name: "run", command: "strace" });
  if (state !== "granted") return false;
  try {
    const args = ["-o", "/dev/null", "strace", "-V"];
    return (await new Deno.Command("strace", { args }).output()).success;
  } catch {
    return false;
  }
}

/** The program that writes down, into the file `trace`, what the one started under it syncs. */
export function tracer(trace: string): string[] {
  const options = ["-f", "-y", "-s", "40", "-e", "trace=fsync,fdatasync,write", "-o", trace];
  return ["strace", ...options];
}

/** The files synced between each `begin` and its `acknowledged`, in order of completion. */
export function syncsIn(trace: string): string[][] {
  const commits: string[][] = [];
  const unfinished = new Map<string, string>();
  let current: string[] | null = null;
  for (const line of trace.split("\n")) {
    if (/write\(1<.*"begin /.test(line)) current = [];
    if (/write\(1<.*"acknowledged /.test(line) && current !== null) {
      commits.push(current);
      current = null;
    }
    const thread = /^\d+/.exec(line)?.[0] ?? "";
    const file = /f(?:data)?sync\(\d+<[^>]*\/([^/>]+)>/.exec(line)?.[1];
    if (file !== undefined && line.includes("unfinished")) unfinished.set(thread, file);
    else if (file !== undefined) current?.push(file);
    else if (/<\.\.\. f(data)?sync resumed>/.test(line)) current?.push(unfinished.get(thread)!);
  }
  return commits;
}
