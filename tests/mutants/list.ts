/**
 * All mutants.
 *
 * @module
 */
import { DISK_MUTANTS } from "./disk_mutants.ts";
import { ELECTION_MUTANTS } from "./election_mutants.ts";
import { LOG_MUTANTS } from "./log_mutants.ts";
import { MEMBERSHIP_MUTANTS } from "./membership_mutants.ts";
import type { Mutant } from "./mutant.ts";
import { READ_MUTANTS } from "./read_mutants.ts";
import { REPLICA_MUTANTS } from "./replica_mutants.ts";
import { STORE_MUTANTS } from "./store_mutants.ts";
import { WATCH_MUTANTS } from "./watch_mutants.ts";

export const MUTANTS: readonly Mutant[] = [
  ...ELECTION_MUTANTS,
  ...LOG_MUTANTS,
  ...READ_MUTANTS,
  ...MEMBERSHIP_MUTANTS,
  ...STORE_MUTANTS,
  ...REPLICA_MUTANTS,
  ...DISK_MUTANTS,
  ...WATCH_MUTANTS,
];
