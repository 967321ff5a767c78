/**
 * kvctl's front: finds the command, reads its flags, turns what went wrong into a message and an exit
 * code.
 *
 * @module
 */
import { readArguments, UsageError } from "../args.ts";
import { EXIT_FAILED, EXIT_NOT_FOUND, EXIT_OK, EXIT_UNEQUAL, EXIT_USAGE } from "../exit_codes.ts";
import { formatTable } from "../table.ts";
import { backupCommand } from "./backup_command.ts";
import { ClusterClient } from "./client.ts";
import { type Command, commonFlags, commonHelp, readTimeout, readUrls } from "./command.ts";
import { CommandFailed } from "./failure.ts";
import type { Io } from "./io.ts";
import { deleteCommand, getCommand, putCommand } from "./key_commands.ts";
import { listCommand } from "./list_command.ts";
import { membersCommand } from "./members_command.ts";
import { recoverCommand } from "./recover_command.ts";
import { restoreCommand } from "./restore_command.ts";
import { snapshotCommand } from "./snapshot_command.ts";
import { statusCommand } from "./status_command.ts";
import { transferCommand } from "./transfer_command.ts";
import { verifyCommand } from "./verify_command.ts";
import { watchCommand } from "./watch_command.ts";

const commands: readonly Command[] = [
  putCommand,
  getCommand,
  deleteCommand,
  listCommand,
  watchCommand,
  statusCommand,
  verifyCommand,
  membersCommand,
  transferCommand,
  snapshotCommand,
  backupCommand,
  restoreCommand,
  recoverCommand,
];

const exitCodesHelp = `Exit codes: ${EXIT_OK} done, ${EXIT_FAILED} failed or no node available,
${EXIT_USAGE} wrong usage, ${EXIT_NOT_FOUND} no such key, ${EXIT_UNEQUAL} a precondition failed or replicas differ.`;

/**
 * Runs one command.
 *
 * @param args the command line, from the command's name on.
 * @returns the exit code.
 */
export async function runKvctl(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help") {
    await io.write(help());
    return name === undefined ? EXIT_USAGE : EXIT_OK;
  }
  if (name === "help") return await explain(rest, io);
  const command = findCommand(name);
  if (command === undefined) return unknownCommand(name, io);
  const flagsEnd = rest.indexOf("--");
  if (rest.slice(0, flagsEnd === -1 ? undefined : flagsEnd).includes("--help")) {
    await io.write(commandHelp(command));
    return EXIT_OK;
  }
  return await runCommand(command, rest, io);
}

async function runCommand(command: Command, args: readonly string[], io: Io): Promise<number> {
  // Read by hand, since flags that cannot be read are to be reported in the right form as well.
  const json = args.includes("--json");
  try {
    const parsed = readArguments(args, {
      values: [...command.flags.values ?? [], ...commonFlags.values],
      lists: [...command.flags.lists ?? [], ...commonFlags.lists],
      switches: [...command.flags.switches ?? [], ...commonFlags.switches],
    });
    const count = parsed.positionals.length;
    if (count < command.positionalsMin || count > command.positionalsMax) {
      throw new UsageError([`usage: kvctl ${command.usage}`]);
    }
    const client = new ClusterClient(readUrls(parsed, io), readTimeout(parsed));
    return await command.run({ args: parsed, json: parsed.switches.has("json"), client, io });
  } catch (error) {
    if (error instanceof UsageError) {
      await report(io, json, command, "usage", null, error.problems);
      return EXIT_USAGE;
    }
    if (error instanceof CommandFailed) {
      await report(io, json, command, error.code, error.status, [error.message]);
      return exitCodeOf(error);
    }
    throw error;
  }
}

async function report(
  io: Io,
  json: boolean,
  command: Command,
  code: string,
  status: number | null,
  messages: readonly string[],
): Promise<void> {
  if (json) {
    await io.write(
      `${JSON.stringify({ error: { code, status, message: messages.join("; ") } })}\n`,
    );
    return;
  }
  for (const message of messages) io.complain(`kvctl ${command.name}: ${message}`);
  if (code === "usage") io.complain(`kvctl ${command.name}: see kvctl help ${command.name}`);
}

function exitCodeOf(error: CommandFailed): number {
  if (error.code === "not-found") return EXIT_NOT_FOUND;
  if (error.code === "precondition-failed") return EXIT_UNEQUAL;
  return EXIT_FAILED;
}

async function explain(names: readonly string[], io: Io): Promise<number> {
  const [name] = names;
  if (name === undefined) {
    await io.write(help());
    return EXIT_OK;
  }
  const command = findCommand(name);
  if (command === undefined) return unknownCommand(name, io);
  await io.write(commandHelp(command));
  return EXIT_OK;
}

function findCommand(name: string): Command | undefined {
  return commands.find((command) => command.name === name);
}

function unknownCommand(name: string, io: Io): number {
  io.complain(
    `kvctl: unknown command ${name}; there are ${commands.map((it) => it.name).join(", ")}`,
  );
  return EXIT_USAGE;
}

function help(): string {
  const table = formatTable([
    ...commands.map((command) => [command.name, command.summary]),
    ["help", "explains a command: kvctl help put"],
  ]);
  return `Talks to a Kvorum cluster.

Usage: kvctl COMMAND [arguments] [flags]

${table}

${commonHelp}

${exitCodesHelp}
`;
}

function commandHelp(command: Command): string {
  return `${command.name}: ${command.summary}.

Usage: kvctl ${command.usage}

${command.help}

${commonHelp}

${exitCodesHelp}
`;
}
