/**
 * Server-sent events, read as they come (WHATWG HTML, section 9.2.6).
 *
 * @module
 */
import { EVENT_CHARS_MAX } from "./limits.ts";

/** One event: its data is never empty. */
export interface ServerEvent {
  /** `message` unless the stream names it. */
  readonly name: string;
  readonly data: string;
}

/** An event is longer than any that a node sends. */
export class EventTooLong extends Error {
  override readonly name = "EventTooLong";
}

/** Takes the text of a stream in pieces of any size, and gives the events that are whole. */
export class EventParser {
  /** Where another stream would go on: the id of the last event, or a later one that came without data. */
  lastId = "";
  #rest = "";
  #name = "";
  #data: string[] = [];
  #id = "";
  #chars = 0;

  /** @throws {EventTooLong} */
  push(text: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) {
      this.#chars += line.length + 1;
      const event = this.#line(line.endsWith("\r") ? line.slice(0, -1) : line);
      if (event !== null) events.push(event);
    }
    if (this.#chars + this.#rest.length > EVENT_CHARS_MAX) {
      throw new EventTooLong(`Cannot read events: one has more than ${EVENT_CHARS_MAX} characters`);
    }
    return events;
  }

  #line(line: string): ServerEvent | null {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "event") this.#name = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id") this.#id = value;
    return null;
  }

  #dispatch(): ServerEvent | null {
    const [name, data] = [this.#name || "message", this.#data];
    this.lastId = this.#id;
    this.#name = "";
    this.#data = [];
    this.#chars = 0;
    return data.length === 0 ? null : { name, data: data.join("\n") };
  }
}
