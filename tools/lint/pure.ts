/**
 * Lint rule `house/pure`: `raft/` and `kv/` compute the same result from the same input, on every
 * machine and in every run. So they have no clock, randomness, I/O, promise or locale.
 *
 * It judges names, not what they are bound to: a local variable called `fetch` is refused too.
 *
 * @module
 */

import { isIn, projectPath } from "./project_path.ts";

const pureRooms: readonly string[] = ["raft", "kv"];

/** What each forbidden global would bring in. */
const forbiddenGlobals: ReadonlyMap<string, string> = new Map([
  ...named("reads a clock", ["Date", "Temporal", "performance"]),
  ...named("starts a timer", [
    "setTimeout",
    "setInterval",
    "setImmediate",
    "clearTimeout",
    "clearInterval",
    "clearImmediate",
  ]),
  ...named("defers work", ["Promise", "queueMicrotask", "MessageChannel", "Worker"]),
  ...named("is random", ["crypto"]),
  ...named("reaches the outside", [
    "Deno",
    "process",
    "fetch",
    "console",
    "navigator",
    "WebSocket",
    "EventSource",
    "BroadcastChannel",
    "localStorage",
    "sessionStorage",
    "caches",
  ]),
  ...named("depends on the garbage collector", ["WeakRef", "FinalizationRegistry"]),
  ...named("depends on the locale", ["Intl"]),
  ...named("hides what it reaches", ["globalThis", "window", "self", "global", "eval", "Function"]),
]);

/** Methods whose result differs between machines. */
const forbiddenMembers: ReadonlyMap<string, string> = new Map(
  named("depends on the locale", [
    "localeCompare",
    "toLocaleString",
    "toLocaleUpperCase",
    "toLocaleLowerCase",
  ]),
);

/** Reports everything in the pure rooms that is not a function of its input. */
export const pure: Deno.lint.Rule = {
  create(ctx) {
    if (!isIn(projectPath(ctx.filename), pureRooms)) return {};

    function refuse(node: Deno.lint.Node, what: string): void {
      ctx.report({ node, message: `${what}; raft/ and kv/ are pure.` });
    }

    function refuseAsync(node: Deno.lint.Node & { async: boolean }): void {
      if (node.async) refuse(node, "An async function defers work");
    }

    return {
      FunctionDeclaration: refuseAsync,
      FunctionExpression: refuseAsync,
      ArrowFunctionExpression: refuseAsync,
      AwaitExpression: (node) => refuse(node, "await defers work"),
      ForOfStatement(node) {
        if (node.await) refuse(node, "for await defers work");
      },
      ImportExpression: (node) => refuse(node, "A dynamic import defers work"),
      MetaProperty: (node) => refuse(node, "import.meta depends on where the code lies"),
      Identifier(node) {
        const reason = forbiddenGlobals.get(node.name);
        if (reason !== undefined && !isPropertyName(node)) refuse(node, `${node.name} ${reason}`);
      },
      MemberExpression(node) {
        const name = memberName(node);
        if (name === undefined) return;
        if (name === "random" && isNamed(node.object, "Math")) {
          refuse(node, "Math.random is random");
        }
        const reason = forbiddenMembers.get(name);
        if (reason !== undefined) refuse(node, `${name} ${reason}`);
      },
    };
  },
};

function named(reason: string, names: readonly string[]): [string, string][] {
  return names.map((name) => [name, reason]);
}

/** Whether an identifier is only the name of a property, as in `x.Date` or `{ Date: 1 }`. */
function isPropertyName(node: Deno.lint.Identifier): boolean {
  const parent = node.parent as Deno.lint.Node & {
    computed?: boolean;
    shorthand?: boolean;
    property?: unknown;
    key?: unknown;
  };
  switch (parent.type) {
    case "MemberExpression":
      return !parent.computed && isSame(parent.property, node);
    case "Property":
      return !parent.computed && !parent.shorthand && isSame(parent.key, node);
    case "MethodDefinition":
    case "PropertyDefinition":
    case "TSPropertySignature":
    case "TSMethodSignature":
      return !parent.computed && isSame(parent.key, node);
    default:
      return false;
  }
}

/** Nodes may be wrapped anew at each access, so they are compared by where they stand. */
function isSame(one: unknown, other: Deno.lint.Node): boolean {
  const range = (one as Deno.lint.Node | undefined)?.range;
  return range !== undefined && range[0] === other.range[0] && range[1] === other.range[1];
}

function isNamed(node: Deno.lint.Node, name: string): boolean {
  return node.type === "Identifier" && node.name === name;
}

function memberName(node: Deno.lint.MemberExpression): string | undefined {
  const { property } = node;
  if (!node.computed) return property.type === "Identifier" ? property.name : undefined;
  return property.type === "Literal" && typeof property.value === "string"
    ? property.value
    : undefined;
}
