/**
 * One node as a child process: started, its logs passed on, started again when it dies.
 *
 * A node that is merely slow, or paused with SIGSTOP, is left alone.
 *
 * @module
 */
import type { NodeConfig } from "../config.ts";
import { EXIT_FENCED, EXIT_USAGE } from "../exit_codes.ts";
import { RESTART_MAX_MS, RESTART_MIN_MS, RESTART_RESET_MS } from "../limits.ts";
import { nodeCommand } from "../node_command.ts";
import { pause } from "../pause.ts";
import { signalChild } from "../signals.ts";
import { type Output, pumpLines } from "./output.ts";

/** How long to wait before starting a dead node again. */
export class Backoff {
  #nextMs = RESTART_MIN_MS;

  /** The pause after a death, given how long the node was up. */
  next(upMs: number): number {
    if (upMs >= RESTART_RESET_MS) this.#nextMs = RESTART_MIN_MS;
    const pauseMs = this.#nextMs;
    this.#nextMs = Math.min(this.#nextMs * 2, RESTART_MAX_MS);
    return pauseMs;
  }
}

/** What all nodes of one launcher share. */
export interface Launch {
  readonly entry: URL;
  readonly restart: boolean;
  readonly output: Output;
}

/** A running process, with the end of its logs. */
interface Running {
  readonly child: Deno.ChildProcess;
  readonly logs: Promise<unknown>;
  readonly sinceMs: number;
}

/** A node that is running, waiting to be started again, or down for good. */
export class NodeProcess {
  readonly id: string;
  readonly url: string;
  readonly #config: NodeConfig;
  readonly #launch: Launch;
  readonly #backoff = new Backoff();
  readonly #stop = new AbortController();
  #running: Running;

  /** Resolves once the node is down and will not be started again. */
  readonly ended: Promise<void>;

  /** Starts the node. */
  constructor(config: NodeConfig, url: string, launch: Launch) {
    this.id = config.id;
    this.url = url;
    this.#config = config;
    this.#launch = launch;
    this.#running = this.#spawn();
    this.ended = this.#supervise();
  }

  /** The process id of the node itself: what `kill` takes. */
  get pid(): number {
    return this.#running.child.pid;
  }

  /** Sends `signal`, and from now on lets the node be down. */
  stop(signal: "SIGTERM" | "SIGKILL"): void {
    this.#stop.abort();
    signalChild(this.#running.child, signal);
  }

  #spawn(): Running {
    const child = nodeCommand(this.#config, this.#launch.entry, "piped").spawn();
    const prefix = `${this.id} | `;
    const logs = Promise.all([
      pumpLines(child.stdout, prefix, this.#launch.output),
      pumpLines(child.stderr, prefix, this.#launch.output),
    ]);
    return { child, logs, sinceMs: performance.now() };
  }

  async #supervise(): Promise<void> {
    for (;;) {
      const again = await this.#afterDeath(await this.#death());
      if (!again || !await this.#respawn()) return;
      this.#launch.output.say(`${this.id} restarted, process id ${this.pid}`);
    }
  }

  /** Starts the node again, trying until the system lets it; false if it was to stop meanwhile. */
  async #respawn(): Promise<boolean> {
    while (!this.#stop.signal.aborted) {
      try {
        this.#running = this.#spawn();
        return true;
      } catch (error) {
        // Out of processes or memory: that passes, and the other nodes are still needed.
        const pauseMs = this.#backoff.next(0);
        this.#launch.output.say(`${this.id} cannot be started: ${error}; again in ${pauseMs} ms`);
        await pause(pauseMs, this.#stop.signal);
      }
    }
    return false;
  }

  async #death(): Promise<Deno.CommandStatus> {
    const { child, logs } = this.#running;
    const [status] = await Promise.all([child.status, logs]);
    await child.stdin.close().catch(() => {});
    return status;
  }

  /** Says what happened, and whether to start the node again, after waiting as long as is due. */
  async #afterDeath(status: Deno.CommandStatus): Promise<boolean> {
    const { output, restart } = this.#launch;
    const pauseMs = this.#backoff.next(performance.now() - this.#running.sinceMs);
    const why = describeEnd(status);
    const polite = status.code === 0 || status.signal === "SIGINT" || status.signal === "SIGTERM";
    // Ctrl-C reaches the nodes at the same time as the launcher. A node that ended as if asked to may
    // be one that heard of it first: the pause tells.
    if (polite) await pause(RESTART_MIN_MS, this.#stop.signal);
    if (this.#stop.signal.aborted) return false;
    const final = describeFinal(status.code);
    if (final !== null) {
      output.say(`${this.id} ${why}: ${final}; not restarting it`);
      return false;
    }
    if (!restart) {
      output.say(`${this.id} ${why}; not restarting it (--no-restart)`);
      return false;
    }
    output.say(`${this.id} ${why}; restarting it in ${pauseMs} ms`);
    await pause(pauseMs, this.#stop.signal);
    return !this.#stop.signal.aborted;
  }
}

function describeEnd(status: Deno.CommandStatus): string {
  return status.signal === null
    ? `exited with code ${status.code}`
    : `was killed by ${status.signal}`;
}

/** Why starting a node again would come to the same; null if it might not. */
function describeFinal(code: number): string | null {
  if (code === EXIT_USAGE) return "its configuration cannot be used (see its log)";
  if (code === EXIT_FENCED) return "another process has taken over its data directory";
  return null;
}
