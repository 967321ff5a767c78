/**
 * Which tests a file holds, from its text: for pages that name tests, and must not rot.
 *
 * @module
 */

/** Of a template at least so many characters must be fixed, or it would be the name of any test. */
const FIXED_CHARS_MIN = 8;
const literalPattern = /"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g;

/**
 * Whether the text of a test file has a test of this name. One that is made from a table is a template
 * there, and fits whatever stands in its holes.
 */
export function hasTest(text: string, name: string): boolean {
  for (const [literal] of text.matchAll(literalPattern)) {
    if (literal.startsWith('"')) {
      if (literal === JSON.stringify(name)) return true;
    } else if (templatePattern(literal.slice(1, -1))?.test(name)) return true;
  }
  return false;
}

function templatePattern(template: string): RegExp | null {
  const parts = template.split(/\$\{(?:[^{}]|\{[^{}]*\})*\}/);
  if (parts.join("").length < FIXED_CHARS_MIN) return null;
  return new RegExp(`^${parts.map((part) => RegExp.escape(part)).join(".*")}$`);
}
