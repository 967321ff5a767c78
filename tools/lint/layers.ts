/**
 * Lint rule `house/layers`: every import stays within what tools/rooms.ts allows its room.
 *
 * @module
 */

import { judgeImport } from "../rooms.ts";
import { projectPath } from "./project_path.ts";

/** Reports imports, re-exports, dynamic imports and import types that cross a layer. */
export const layers: Deno.lint.Rule = {
  create(ctx) {
    const importer = projectPath(ctx.filename);

    function judge(node: Deno.lint.Node, specifier: unknown, typesOnly: boolean): void {
      if (typeof specifier !== "string") {
        ctx.report({ node, message: "An import whose target is computed cannot be checked." });
        return;
      }
      const complaint = judgeImport(importer, specifier, typesOnly);
      if (complaint !== undefined) ctx.report({ node, message: `${complaint}.` });
    }

    return {
      ImportDeclaration(node) {
        // `import { type X }` leaves an import behind at run time (verbatimModuleSyntax).
        judge(node, node.source.value, node.importKind === "type");
      },
      ExportNamedDeclaration(node) {
        if (node.source) judge(node, node.source.value, node.exportKind === "type");
      },
      ExportAllDeclaration(node) {
        judge(node, node.source.value, node.exportKind === "type");
      },
      ImportExpression(node) {
        judge(node, node.source.type === "Literal" ? node.source.value : undefined, false);
      },
      TSImportType(node) {
        const { argument } = node;
        const literal = argument.type === "TSLiteralType" ? argument.literal : undefined;
        judge(node, literal?.type === "Literal" ? literal.value : undefined, true);
      },
    };
  },
};
