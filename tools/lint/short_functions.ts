/**
 * Lint rule `house/short-functions`: a function that does not fit on a screen is more than one.
 * Tests are exempt: a scenario is told in one piece.
 *
 * @module
 */

import { isIn, projectPath } from "./project_path.ts";

/** Lines from the first to the last of a function, both included. */
export const FUNCTION_LINES_MAX = 70;

/** Reports functions, methods and arrow functions that are too long. */
export const shortFunctions: Deno.lint.Rule = {
  create(ctx) {
    if (isIn(projectPath(ctx.filename), ["tests"])) return {};

    function judge(node: Deno.lint.Node): void {
      const lines = ctx.sourceCode.getText(node).split("\n").length;
      if (lines <= FUNCTION_LINES_MAX) return;
      ctx.report({ node, message: `${lines} lines, at most ${FUNCTION_LINES_MAX}.` });
    }

    return {
      FunctionDeclaration: judge,
      FunctionExpression: judge,
      ArrowFunctionExpression: judge,
    };
  },
};
