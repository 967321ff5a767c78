/**
 * How much the checker may spend before it says "unknown", and how much of a history it holds.
 *
 * @module
 */

/** Attempts to put an operation next, over all components of a history. Some 5 to 10 million a second. */
export const STEPS_MAX = 100_000_000;
/** Configurations remembered as hopeless, a component. */
export const CONFIGURATIONS_MAX = 2_000_000;
/** Their size, in units of 16 bits: half of the memory that they may take, a component. */
export const CONFIGURATION_UNITS_MAX = 128_000_000;
/** States listed where an operation could not be explained. */
export const POSSIBLE_STATES_MAX = 8;
/** Operations that a recorder holds. */
export const OPERATIONS_MAX = 2_000_000;
/** Characters that a history file's writer gathers before it writes them. */
export const WRITER_CHARS_MAX = 64 * 1024;
/** Totals that are followed when unknown sums of different sizes are counted (accounting.ts). */
export const SUBSET_SUMS_MAX = 100_000;
