/**
 * What the exit codes of the programs mean.
 *
 * @module
 */

/** Done. */
export const EXIT_OK = 0;
/** It could not be done, or something broke. */
export const EXIT_FAILED = 1;
/** The command line or the configuration cannot be used; nothing was changed. */
export const EXIT_USAGE = 2;
/** A node only: another process has taken over its data directory. */
export const EXIT_FENCED = 3;
/** kvctl only: the key is not there. */
export const EXIT_NOT_FOUND = 3;
/** kvctl only: a precondition failed, or `verify` found replicas that differ. */
export const EXIT_UNEQUAL = 4;
