/**
 * One node of a chaos run as a process: started again and again on the same data, killed, stopped and
 * continued, told its faults. What it prints goes to a file, and that it ends without being asked is
 * noticed.
 *
 * @module
 */
import type { NodeConfig } from "../../cli/config.ts";
import { nodeCommand } from "../../cli/node_command.ts";
import { signalChild } from "../../cli/signals.ts";
import { NodeDoor } from "../cluster/node_door.ts";
import { faultLine, NO_FAULTS, type NodeFaults } from "./control.ts";
import { ENDED_MS, REQUEST_MS } from "./limits.ts";

const FAULTY_ENTRY = new URL("faulty_node.ts", import.meta.url);

/** One life of the process. */
interface Life {
  readonly child: Deno.ChildProcess;
  readonly stdin: WritableStreamDefaultWriter<Uint8Array>;
  /** Resolves when it has ended and all it printed is in the file. */
  readonly over: Promise<Deno.CommandStatus>;
  /** Whether somebody has asked it to end. */
  isAsked: boolean;
}

export class ChaosNode extends NodeDoor {
  readonly logPath: string;
  readonly #onCrash: (node: ChaosNode, status: Deno.CommandStatus) => void;
  #life: Life | null = null;
  #faults: NodeFaults = NO_FAULTS;
  #isPaused = false;

  constructor(
    config: NodeConfig,
    logPath: string,
    onCrash: (node: ChaosNode, status: Deno.CommandStatus) => void,
  ) {
    super(config, REQUEST_MS);
    this.logPath = logPath;
    this.#onCrash = onCrash;
  }

  get isRunning(): boolean {
    return this.#life !== null;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get faults(): NodeFaults {
    return this.#faults;
  }

  start(): void {
    if (this.#life !== null) throw new Error(`${this.id} runs already`);
    Deno.mkdirSync(this.config.data, { recursive: true });
    const child = nodeCommand(this.config, FAULTY_ENTRY, "piped").spawn();
    const stdin = child.stdin.getWriter();
    const life: Life = { child, stdin, over: this.#record(child, stdin), isAsked: false };
    this.#life = life;
    this.#isPaused = false;
    this.#tell();
    void life.over.then((status) => {
      if (life.isAsked) return;
      this.#life = null;
      this.#onCrash(this, status);
    });
  }

  /** Sets the faults of this process and of those that follow it. */
  suffer(faults: NodeFaults): void {
    this.#faults = faults;
    this.#tell();
  }

  pause(): void {
    this.#signal("SIGSTOP");
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#life !== null) this.#signal("SIGCONT");
  }

  /** Sends the signal, and waits for the end of the process; does nothing if there is none. */
  async end(signal: Deno.Signal = "SIGKILL"): Promise<void> {
    const life = this.#life;
    if (life === null) return;
    life.isAsked = true;
    this.#signal(signal);
    // A process that is stopped does not see that it should end.
    if (this.#isPaused) this.resume();
    const late = setTimeout(() => signalChild(life.child, "SIGKILL"), ENDED_MS);
    await life.over;
    clearTimeout(late);
    this.#life = null;
  }

  #tell(): void {
    const line = new TextEncoder().encode(faultLine(this.#faults));
    // Whoever is being killed does not read it; it is told again when it starts.
    this.#life?.stdin.write(line).catch(() => {});
  }

  #signal(signal: Deno.Signal): void {
    if (this.#life === null) throw new Error(`${this.id} does not run`);
    signalChild(this.#life.child, signal);
  }

  async #record(child: Deno.ChildProcess, stdin: Life["stdin"]): Promise<Deno.CommandStatus> {
    const open = () => Deno.open(this.logPath, { append: true, create: true });
    // No two writers may share a handle: whichever stream ends first closes it.
    const [status] = await Promise.all([
      child.status,
      ...[child.stdout, child.stderr].map(async (stream) => stream.pipeTo((await open()).writable)),
    ]);
    // A line that nobody read any more has broken it: then there is nothing left to close but the pipe.
    await stdin.close().catch(() => stdin.abort().catch(() => {}));
    return status;
  }
}
