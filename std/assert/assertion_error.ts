/**
 * The one error class that every assertion of this stand-in throws.
 *
 * @module
 */

/** A failed assertion. Its `name` is `"AssertionError"`. */
export class AssertionError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}
