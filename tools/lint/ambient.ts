/**
 * Lint rule `house/ambient`: only the entries of the program read the environment and the command
 * line. Every other room gets its configuration handed in, and so can be tested.
 *
 * @module
 */

import { isIn, projectPath } from "./project_path.ts";

const readers: readonly string[] = ["main.ts", "cli", "tools", "tests", "bench"];
const ambient: ReadonlyMap<string, readonly string[]> = new Map([
  ["Deno", ["env", "args"]],
  ["process", ["env", "argv"]],
]);

/** Reports `Deno.env`, `Deno.args`, `process.env` and `process.argv` away from the entries. */
export const ambientInput: Deno.lint.Rule = {
  create(ctx) {
    if (isIn(projectPath(ctx.filename), readers)) return {};

    function refuse(node: Deno.lint.Node, what: string): void {
      ctx.report({
        node,
        message: `${what} is read in main.ts and cli/ only; take it as a value.`,
      });
    }

    return {
      MemberExpression(node) {
        const { object, property } = node;
        if (object.type !== "Identifier") return;
        const name = property.type === "Identifier" && !node.computed
          ? property.name
          : property.type === "Literal"
          ? String(property.value)
          : "";
        if (ambient.get(object.name)?.includes(name)) refuse(node, `${object.name}.${name}`);
      },
      VariableDeclarator(node) {
        // `const { env } = Deno` reads the same thing by another form.
        if (node.id.type !== "ObjectPattern" || node.init?.type !== "Identifier") return;
        for (const property of node.id.properties) {
          if (property.type !== "Property" || property.key.type !== "Identifier") continue;
          const name = property.key.name;
          if (ambient.get(node.init.name)?.includes(name)) {
            refuse(node, `${node.init.name}.${name}`);
          }
        }
      },
      ImportDeclaration(node) {
        if (node.source.value === "node:process") refuse(node, "node:process");
      },
    };
  },
};
