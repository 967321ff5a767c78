/**
 * Lint rule `house/whole-tests`: no test is left out for good, none shuts the others out, and none
 * switches off the checks for leaked timers, resources and exits.
 *
 * A condition is allowed (`ignore: !hasWrk`): such a test runs where it can.
 *
 * @module
 */

const forbiddenMethods: readonly string[] = ["only", "ignore", "skip"];
const forbiddenWhenTrue: readonly string[] = ["only", "ignore"];
const forbiddenWhenFalse: readonly string[] = [
  "sanitizeOps",
  "sanitizeResources",
  "sanitizeExit",
  // The same for a whole module: `Deno.test.sanitizer({ ops: false })`.
  "ops",
  "resources",
];

/** Reports focused and disabled tests and benchmarks, and sanitizers that are switched off. */
export const wholeTests: Deno.lint.Rule = {
  create(ctx) {
    return {
      CallExpression(node) {
        const { callee } = node;
        if (callee.type === "MemberExpression" && isForbiddenMethod(callee)) {
          ctx.report({ node, message: "A test that is left out or runs alone proves nothing." });
        }
        if (!isTestCall(callee)) return;
        for (const argument of node.arguments) {
          if (argument.type !== "ObjectExpression") continue;
          for (const property of argument.properties) {
            const complaint = judgeOption(property);
            if (complaint !== undefined) ctx.report({ node: property, message: complaint });
          }
        }
      },
    };
  },
};

/** `Deno.test`, `Deno.bench`, `t.step`, `Deno.test.sanitizer`. */
function isTestCall(callee: Deno.lint.Node): boolean {
  if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return false;
  const method = callee.property.name;
  if (method === "sanitizer") return isTestCall(callee.object);
  return method === "step" || (isDeno(callee.object) && (method === "test" || method === "bench"));
}

/** `Deno.test.only` and its like. */
function isForbiddenMethod(callee: Deno.lint.MemberExpression): boolean {
  return callee.property.type === "Identifier" &&
    forbiddenMethods.includes(callee.property.name) && isTestCall(callee.object);
}

function judgeOption(property: Deno.lint.Node): string | undefined {
  if (property.type !== "Property" || property.key.type !== "Identifier") return undefined;
  if (property.value.type !== "Literal") return undefined;
  const { key: { name }, value: { value } } = property;
  if (value === true && forbiddenWhenTrue.includes(name)) {
    return `${name}: true: a test that is left out or runs alone proves nothing.`;
  }
  if (value === false && forbiddenWhenFalse.includes(name)) {
    return `${name}: false hides what the test leaks.`;
  }
  return undefined;
}

function isDeno(node: Deno.lint.Node): boolean {
  return node.type === "Identifier" && node.name === "Deno";
}
