/**
 * What a mutant is: one deliberate bug, as a patch of one place in one source file, and the tests that
 * must notice it. Production has no switch for any of them: a mutant exists in a copy of the source only.
 *
 * @module
 */

/** A test that is expected to notice a mutant. */
export interface Check {
  /** Where it stands, from the checkout. */
  readonly file: string;
  /** Its name as it runs, which for a test made from a table is not the text in the file. */
  readonly test: string;
}

export interface Mutant {
  readonly name: string;
  /** The promise that it breaks, and where that is made: the paper, the thesis, the bug catalogue. */
  readonly breaks: string;
  /** The source file, from the checkout. */
  readonly file: string;
  /** Occurs in the file exactly once, so that the patch cannot land anywhere else. */
  readonly find: string;
  readonly replace: string;
  /** In the order in which they are tried. */
  readonly caughtBy: readonly Check[];
}

/** The checks of tests that stand in one file. */
export function testsOf(file: string, ...tests: readonly string[]): Check[] {
  return tests.map((test) => ({ file, test }));
}

/**
 * The text of the mutant's file with the bug in it.
 *
 * @throws {RangeError} if what is to be replaced does not stand there exactly once: the source has moved
 * on, and the mutant must follow it.
 */
export function mutated(text: string, { name, file, find, replace }: Mutant): string {
  const at = text.indexOf(find);
  if (at < 0) throw new RangeError(`Cannot apply mutant ${name}: ${file} has no "${find}"`);
  if (text.indexOf(find, at + 1) >= 0) {
    throw new RangeError(`Cannot apply mutant ${name}: ${file} has "${find}" more than once`);
  }
  return text.slice(0, at) + replace + text.slice(at + find.length);
}
