/**
 * A watch as a stream of server-sent events. Nothing is made before it is read: a reader that is slow
 * leaves what happens in the replica's feed, which is bounded, and is told of a gap if that is too short.
 *
 * | event | data |
 * |---|---|
 * | `watching` | `{"versionstamp"}`: changes behind it will be told |
 * | `change` | `{"versionstamp","changes":[{"type":"set","key","value","encoding"} or {"type":"delete","key"}]}` |
 * | `compacted` | `{"since","versionstamp"}`: changes behind the one and up to the other may be lacking |
 *
 * Between them come ids without data, which move on where a reader would begin anew, and tell nothing else.
 *
 * @module
 */
import type { Watch, WatchEvent } from "../actors/service.ts";
import { decodeKey } from "../kv/key_codec.ts";
import { keyToJson } from "../kv/key_json.ts";
import type { Change, Versionstamp } from "../kv/types.ts";
import { formatVersionstamp } from "../kv/versionstamp.ts";
import { EVENTS_CHARS_MAX, WATCH_RETRY_MS, WATCH_STALL_MS } from "./limits.ts";
import { showValue } from "./value_json.ts";

const utf8Encoder = new TextEncoder();

/** Streams a watch until it ends, its reader goes, or its reader takes nothing for so long; then closes it. */
export function eventStream(
  watch: Watch,
  stallMs: number = WATCH_STALL_MS,
): ReadableStream<Uint8Array> {
  let stall: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  const end = () => {
    isOver = true;
    clearTimeout(stall);
    watch.close();
  };
  const awaitReader = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    stall = setTimeout(() => {
      end();
      controller.error(new Error("Cannot go on with the watch: nothing was read for too long"));
    }, stallMs);
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(utf8Encoder.encode(`retry: ${WATCH_RETRY_MS}\n\n`));
      // Of a client that had gone before its answer, nobody ever reads or cancels anything.
      awaitReader(controller);
    },
    async pull(controller) {
      clearTimeout(stall);
      const { text, isLast } = await nextPiece(watch).catch((error) => {
        end();
        throw error;
      });
      if (isOver) return;
      if (text !== "") controller.enqueue(utf8Encoder.encode(text));
      // The server may find in taking it that its client has gone, and cancel before this goes on.
      if (isOver) return;
      if (isLast) {
        end();
        controller.close();
        return;
      }
      awaitReader(controller);
    },
    cancel: end,
  }, { highWaterMark: 0 });
}

/** The next event, and those that wait behind it. */
async function nextPiece(watch: Watch): Promise<{ text: string; isLast: boolean }> {
  let text = "";
  for (let event: WatchEvent | null = await watch.next(); event !== null; event = watch.take()) {
    if (event.type === "ended") return { text, isLast: true };
    text += eventText(event);
    if (text.length > EVENTS_CHARS_MAX) break;
  }
  return { text, isLast: false };
}

function eventText(event: Exclude<WatchEvent, { type: "ended" }>): string {
  switch (event.type) {
    case "watching":
      return block("watching", event.position, "");
    case "changes": {
      const changes = event.changes.map(changeJson).join(",");
      return block("change", event.versionstamp, `,"changes":[${changes}]`);
    }
    case "compacted": {
      const since = formatVersionstamp(event.since);
      const versionstamp = formatVersionstamp(event.position);
      const data = `{"since":"${since}","versionstamp":"${versionstamp}"}`;
      return `event: compacted\nid: ${versionstamp}\ndata: ${data}\n\n`;
    }
    case "progress":
      return `id: ${formatVersionstamp(event.position)}\n\n`;
  }
}

function block(name: string, position: Versionstamp, rest: string): string {
  const id = formatVersionstamp(position);
  return `event: ${name}\nid: ${id}\ndata: {"versionstamp":"${id}"${rest}}\n\n`;
}

function changeJson({ key, value }: Change): string {
  const keyText = JSON.stringify(keyToJson(decodeKey(key)));
  if (value === null) return `{"type":"delete","key":${keyText}}`;
  const { encoding, json } = showValue(value);
  return `{"type":"set","key":${keyText},"value":${json},"encoding":"${encoding}"}`;
}
