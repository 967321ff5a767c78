/**
 * The ways in which an ask can end without an answer, one class for each that the asker can act on.
 * What a node's client is told stands in outcomes.ts; this file knows actors only.
 *
 * @module
 */

/** The actor's queue had no room: the question was certainly not taken. */
export class MailboxFull extends Error {
  override readonly name = "MailboxFull";

  constructor(actor: string) {
    super(`actor ${actor} could not take the message: its mailbox is full`);
  }
}

/** The actor has stopped, or stopped before it came to the question: it was certainly not executed. */
export class ActorStopped extends Error {
  override readonly name = "ActorStopped";

  constructor(actor: string) {
    super(`actor ${actor} could not take the message: it has stopped`);
  }
}

/** The deadline passed. The question may have been executed, or still be. */
export class AskTimeout extends Error {
  override readonly name = "AskTimeout";

  constructor(actor: string, timeoutMs: number) {
    super(`actor ${actor} did not answer within ${timeoutMs} ms`);
  }
}

/** The actor took the question and then failed or stopped before it answered. It may have had effects. */
export class ActorFailed extends Error {
  override readonly name = "ActorFailed";

  constructor(actor: string, what: string, cause?: unknown) {
    super(`actor ${actor} ${what}`, cause === undefined ? undefined : { cause });
  }
}

/** The asker's own turn would have to end before the question could be served. */
export class AskCycle extends Error {
  override readonly name = "AskCycle";

  constructor(asker: string, target: string) {
    super(
      asker === target
        ? `actor ${asker} could not ask itself: the answer would wait for the turn that asks`
        : `actor ${asker} could not ask ${target}: ${target} waits for ${asker} in its own turn`,
    );
  }
}
