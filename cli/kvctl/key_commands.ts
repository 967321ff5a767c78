/**
 * `kvctl put`, `get` and `delete`: one key.
 *
 * @module
 */
import { UsageError } from "../args.ts";
import { EXIT_OK } from "../exit_codes.ts";
import { type Answer, answerJson } from "./client.ts";
import { type Command, type Context, readDuration } from "./command.ts";
import { addConsistency, consistencyFlags, consistencyHelp, servedOf } from "./consistency.ts";
import { readAll } from "./io.ts";
import { keyPath } from "./keys.ts";
import { BODY_BYTES_MAX, VALUE_BYTES_MAX } from "./limits.ts";

const keyHelp = `KEY is written a/b/c: each part between slashes is one string part of the key.`;

const forms = ["bytes", "text", "json"] as const;
type Form = typeof forms[number];

export const putCommand: Command = {
  name: "put",
  summary: "stores a value under a key",
  usage: "put KEY VALUE [flags]",
  help: `${keyHelp}
VALUE is stored as the bytes that it is, and "get" prints the same bytes. The value - reads
standard input. After -- nothing is a flag: kvctl put KEY -- -5

  --as bytes|text|json  what Deno clients read back: a Uint8Array (bytes, the default), a string
                        (text), or the JavaScript value that the JSON says (json)
  --expire-in TIME      the key goes away after so long
  --if-match VS         only if the key's versionstamp is VS
  --if-absent           only if there is no such key
  --idempotency-key ID  tells a second run of the same put from a new one; random unless given`,
  flags: {
    values: ["as", "expire-in", "if-match", "idempotency-key"],
    switches: ["if-absent"],
  },
  positionalsMin: 2,
  positionalsMax: 2,
  run: put,
};

export const getCommand: Command = {
  name: "get",
  summary: "prints the value of a key",
  usage: "get KEY [flags]",
  help: `${keyHelp}
Bytes and strings are printed as they are (with a newline at the end on a terminal only), everything
else as JSON. --json adds the versionstamp and says what kind of value it is.

  --raw                  prints exactly what the node sent: a string then is JSON, too
${consistencyHelp}`,
  flags: { values: consistencyFlags, switches: ["raw"] },
  positionalsMin: 1,
  positionalsMax: 1,
  run: get,
};

export const deleteCommand: Command = {
  name: "delete",
  summary: "deletes a key",
  usage: "delete KEY [flags]",
  help: `${keyHelp}
Deleting a key that does not exist succeeds.

  --if-match VS         only if the key's versionstamp is VS
  --idempotency-key ID  tells a second run of the same delete from a new one; random unless given`,
  flags: { values: ["if-match", "idempotency-key"] },
  positionalsMin: 1,
  positionalsMax: 1,
  run: remove,
};

async function put(context: Context): Promise<number> {
  const { args, io, client } = context;
  const [key, argument] = args.positionals;
  const path = keyPath(key);
  const form = readForm(args.values.get("as") ?? "bytes");
  const expireInMs = readDuration(args, "expire-in");
  const headers = writeHeaders(context);
  if (args.switches.has("if-absent")) {
    if ("if-match" in headers) {
      throw new UsageError(["--if-match and --if-absent exclude each other"]);
    }
    headers["if-none-match"] = "*";
  }
  headers["content-type"] = form === "bytes" ? "application/octet-stream" : "application/json";
  const given = argument === "-"
    ? await readAll(io.input, form === "bytes" ? VALUE_BYTES_MAX : BODY_BYTES_MAX)
    : new TextEncoder().encode(argument);
  const answer = await client.call({
    method: "PUT",
    path: `/v1/kv/${path}${expireInMs === null ? "" : `?expireIn=${expireInMs}`}`,
    headers,
    body: formBody(form, given),
  });
  return await printVersionstamp(context, answer);
}

async function get(context: Context): Promise<number> {
  const { args, io, client, json } = context;
  const raw = args.switches.has("raw");
  if (raw && json) throw new UsageError(["--raw and --json exclude each other"]);
  const [key] = args.positionals;
  const query = new URLSearchParams();
  addConsistency(context, query);
  const path = `/v1/kv/${keyPath(key)}${query.size === 0 ? "" : `?${query}`}`;
  const answer = await client.call({ method: "GET", path });
  const { headers, body } = answer;
  if (raw) {
    await io.write(body);
    return EXIT_OK;
  }
  const isJson = (headers.get("content-type") ?? "").startsWith("application/json");
  const value: unknown = isJson ? answerJson(answer) : null;
  if (json) {
    await io.write(`${
      JSON.stringify({
        key: key.split("/"),
        value: isJson ? value : { bytes: body.toBase64() },
        encoding: headers.get("x-kvorum-encoding") ?? (isJson ? "json" : "bytes"),
        versionstamp: (headers.get("etag") ?? "").replaceAll('"', ""),
        ...servedOf(headers),
      })
    }\n`);
  } else if (isJson && typeof value !== "string") {
    await io.write(`${JSON.stringify(value)}\n`);
  } else {
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : body;
    await io.write(bytes);
    if (io.isTerminal && bytes.at(-1) !== 0x0a) await io.write("\n");
  }
  return EXIT_OK;
}

async function remove(context: Context): Promise<number> {
  const [key] = context.args.positionals;
  const answer = await context.client.call({
    method: "DELETE",
    path: `/v1/kv/${keyPath(key)}`,
    headers: writeHeaders(context),
  });
  return await printVersionstamp(context, answer);
}

function writeHeaders({ args }: Context): Record<string, string> {
  const headers: Record<string, string> = {
    // One key for all attempts: that is what makes trying another node safe.
    "idempotency-key": args.values.get("idempotency-key") ?? crypto.randomUUID(),
  };
  if (!/^[\x20-\x7e]{1,256}$/.test(headers["idempotency-key"])) {
    throw new UsageError(["--idempotency-key takes 1 to 256 printable ASCII characters"]);
  }
  const versionstamp = args.values.get("if-match");
  if (versionstamp === undefined) return headers;
  if (!/^[0-9a-f]{20}$/.test(versionstamp)) {
    throw new UsageError([`--if-match takes a versionstamp, 20 hex digits, not ${versionstamp}`]);
  }
  headers["if-match"] = `"${versionstamp}"`;
  return headers;
}

function readForm(text: string): Form {
  const form = forms.find((form) => form === text);
  if (form === undefined) throw new UsageError([`--as takes ${forms.join(", ")}, not ${text}`]);
  return form;
}

/** @throws {UsageError} if the given bytes are not what they are said to be. */
function formBody(form: Form, given: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (form === "bytes") return given;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: form === "text" }).decode(given);
    if (form === "json") JSON.parse(text);
  } catch (error) {
    const why = error instanceof SyntaxError ? error.message : "it is not UTF-8";
    throw new UsageError([`the value is not ${form === "json" ? "JSON" : "text"}: ${why}`]);
  }
  return form === "json" ? given : new TextEncoder().encode(JSON.stringify(text));
}

async function printVersionstamp({ io, json }: Context, answer: Answer): Promise<number> {
  const { versionstamp } = answerJson(answer) as { versionstamp: string };
  await io.write(json ? `${JSON.stringify({ versionstamp })}\n` : `${versionstamp}\n`);
  return EXIT_OK;
}
