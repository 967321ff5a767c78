/**
 * A command that could not do what it was asked to.
 *
 * @module
 */

/** What went wrong, for people and for programs. */
export class CommandFailed extends Error {
  override readonly name: string = "CommandFailed";
  /** Stable, as the `code` of a problem+json is. */
  readonly code: string;
  /** The HTTP status, or null if there was none. */
  readonly status: number | null;

  constructor(code: string, status: number | null, message: string) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
