/**
 * The three processes of the ceiling (bench/ceiling_node.ts), as a contender needs them: started, found,
 * ended.
 *
 * @module
 */
import { eventually } from "../../tests/cluster/harness.ts";
import { Child } from "./child.ts";

const FOLLOWERS = 2;
const script = new URL("../ceiling_node.ts", import.meta.url);

export class CeilingCluster {
  readonly #nodes: Child[] = [];
  readonly #directory: string;
  #origin = "";

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Starts all three, with their data below `directory`. @throws {Error} if one does not listen in time. */
  static async start(directory: string): Promise<CeilingCluster> {
    const cluster = new CeilingCluster(directory);
    try {
      const followers = Array.from({ length: FOLLOWERS }, () => cluster.#run("--follow=0"));
      const ports = await Promise.all(followers);
      const port = await cluster.#run("--port=0", `--followers=${ports}`);
      cluster.#origin = `http://127.0.0.1:${port}`;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** Starts a process; gives the port at which it listens. */
  async #run(...args: string[]): Promise<string> {
    const data = `${this.#directory}/ceiling-${this.#nodes.length}`;
    Deno.mkdirSync(data);
    const node = new Child(script, [
      "--allow-net=127.0.0.1",
      `--allow-read=${data}`,
      `--allow-write=${data}`,
    ], [`--data=${data}`, "--exit-with-parent", ...args]);
    this.#nodes.push(node);
    return await eventually("a process of the ceiling listens", () => {
      if (!node.isRunning) throw new Error(`a process of the ceiling ended: ${node.log}`);
      return /^listening (\d+)$/m.exec(node.log)?.[1];
    });
  }

  /** Where it takes requests. */
  get origin(): string {
    return this.#origin;
  }

  /** Ends all its processes. */
  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.kill()));
  }
}
