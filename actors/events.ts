/**
 * What can be observed of a running system. Events are for people and metrics: no actor's behaviour
 * depends on whether anybody listens, and a listener that throws harms nobody.
 *
 * @module
 */
import type { Directive, Lane, StopReason } from "./types.ts";

/** The part of an actor's life in which a fault arose. `child` is one that a child escalated. */
export type FaultPhase = "init" | "receive" | "commit" | "released" | "child";

export type RuntimeEvent =
  /** One turn ended well. Depths are what it left in the queues. */
  | {
    readonly type: "turn";
    readonly actor: string;
    readonly messages: number;
    readonly durationMs: number;
    readonly controlDepth: number;
    readonly userDepth: number;
  }
  /** `init` has succeeded. `restarts` counts the actor's lives before this one. */
  | { readonly type: "started"; readonly actor: string; readonly restarts: number }
  | {
    readonly type: "fault";
    readonly actor: string;
    readonly phase: FaultPhase;
    readonly error: unknown;
    /** What supervision decided; `stop` as well when the restart budget is spent. */
    readonly directive: Directive;
  }
  | { readonly type: "restart"; readonly actor: string; readonly backoffMs: number }
  | { readonly type: "stopped"; readonly actor: string; readonly why: StopReason }
  /** A message was not taken; the sender was told so, if it could be. */
  | {
    readonly type: "refused";
    readonly actor: string;
    readonly lane: Lane;
    readonly why: "full" | "stopped";
    readonly message: unknown;
  }
  /** A message was taken and never executed, since its actor stopped first. */
  | {
    readonly type: "dead-letter";
    readonly actor: string;
    readonly lane: Lane;
    readonly message: unknown;
  }
  /** A message was taken and never executed, since its deadline passed or its asker gave up. */
  | {
    readonly type: "expired";
    readonly actor: string;
    readonly lane: Lane;
    readonly message: unknown;
  }
  /** An ask ended without an answer at its deadline. */
  | { readonly type: "ask-timeout"; readonly actor: string; readonly timeoutMs: number }
  /** An answer came after its ask had ended, and was dropped. */
  | { readonly type: "late-reply"; readonly actor: string }
  /** A repeating timer skipped ticks because the one before had not been served. */
  | { readonly type: "ticks-missed"; readonly actor: string; readonly ticks: number }
  /** A behaviour used the gated half of its context when no turn of its was running; it was dropped. */
  | { readonly type: "outside-turn"; readonly actor: string; readonly call: string }
  /** Code that must not throw did: an `after` effect, an `onStop`, a watch's message, a `decide`. */
  | {
    readonly type: "effect-failed";
    readonly actor: string;
    readonly what: "after" | "send" | "onStop" | "watch" | "decide";
    readonly error: unknown;
  };

export type EventListener = (event: RuntimeEvent) => void;

/**
 * Counts since the system was made. At any moment accepted = processed + failed + expired +
 * cancelled + deadLettered + what is queued or in a turn now.
 */
export interface Counters {
  turns: number;
  /** Messages that a mailbox took, both lanes, ticks and watch signals included. */
  accepted: number;
  /** Messages of turns that committed. */
  processed: number;
  /** Messages of turns that failed or were abandoned. */
  failed: number;
  expired: number;
  /** Ticks and watch signals withdrawn while queued. */
  cancelled: number;
  deadLettered: number;
  /** Messages that no mailbox took. Not part of `accepted`. */
  refused: number;
  faults: number;
  restarts: number;
  askTimeouts: number;
  lateReplies: number;
  /** Events whose listener threw. */
  listenerFaults: number;
}

export function newCounters(): Counters {
  return {
    turns: 0,
    accepted: 0,
    processed: 0,
    failed: 0,
    expired: 0,
    cancelled: 0,
    deadLettered: 0,
    refused: 0,
    faults: 0,
    restarts: 0,
    askTimeouts: 0,
    lateReplies: 0,
    listenerFaults: 0,
  };
}
