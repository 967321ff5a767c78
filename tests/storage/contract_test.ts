/**
 * The contract of stores, held by each of them.
 *
 * @module
 */
import { contractSuite } from "./contract.ts";
import { installSuite } from "./install_contract.ts";
import { PLACE_KINDS } from "./places.ts";
import { snapshotSuite } from "./snapshot_contract.ts";

for (const kind of PLACE_KINDS) {
  contractSuite(kind);
  snapshotSuite(kind);
  installSuite(kind);
}
