/**
 * The members of a JSON object in a request, read strictly: an unknown one is refused, since a misspelt
 * `expireIn` or `replaces` must not be dropped in silence.
 *
 * @module
 */
import { HttpProblem } from "./problem.ts";

export type Fields = Readonly<Record<string, unknown>>;

/**
 * An object's own members, all of them among `known` unless that is null.
 *
 * @param what the object's name in the detail of a problem.
 * @throws {HttpProblem} `bad-request`.
 */
export function fieldsOf(json: unknown, what: string, known: readonly string[] | null): Fields {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new HttpProblem("bad-request", `${what} is not an object.`);
  }
  for (const name of known === null ? [] : Object.keys(json)) {
    if (!known?.includes(name)) {
      const list = known?.length === 0 ? "none" : known?.join(", ");
      throw new HttpProblem(
        "bad-request",
        `${what} has the unknown field ${JSON.stringify(name)}; known: ${list}.`,
      );
    }
  }
  return json as Fields;
}
