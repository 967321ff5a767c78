/**
 * What checking histories costs. `deno bench bench/history_bench.ts`
 *
 * The histories are of thirty clients on a store that is linearizable by construction, and are made outside of
 * the measurement. A check that does not come to "linearizable" stops the bench.
 *
 * @module
 */
import { generate, type Plan, USUAL } from "../tests/history/generate.ts";
import { checkLinearizable } from "../tests/history/mod.ts";

const plans: Readonly<Record<string, Partial<Plan>>> = {
  "10,000 operations, 5 keys, versionstamps": { versions: true },
  "10,000 operations, 5 keys, no versionstamps": {},
  "10,000 operations, 2 keys, no versionstamps": { keys: 2 },
  "10,000 operations, 5 keys, 5 values": { values: 5 },
  "10,000 operations, 5 keys, versionstamps, 10 % unknown": { versions: true, unknown: 0.1 },
  "50,000 operations, 25 keys, versionstamps": { versions: true, operations: 50_000, keys: 25 },
};

for (const [name, plan] of Object.entries(plans)) {
  const history = generate({ ...USUAL, ...plan });
  Deno.bench(`checkLinearizable(), ${name}`, { n: 3, warmup: 1 }, () => {
    const { result } = checkLinearizable(history);
    if (result !== "linearizable") {
      throw new Error(`The verdict is ${result}: the checker is broken`);
    }
  });
}
