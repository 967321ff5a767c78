/**
 * The limits and waiting times of the command-line tools.
 *
 * @module
 */

/** Members of a founding cluster. More voters make every write slower and survive little more. */
export const CLUSTER_SIZE_MAX = 9;
/** The highest TCP port. */
export const PORT_MAX = 65_535;
/** The launcher's peer ports are its HTTP ports plus this. */
export const PEER_PORT_OFFSET = 1000;

/** The most that `--snapshot-entries`, `--snapshot-bytes` and `--log-tail-entries` take. */
export const SNAPSHOT_ENTRIES_MAX = 1_000_000_000;
export const SNAPSHOT_BYTES_MAX = 2 ** 40;
export const LOG_TAIL_ENTRIES_MAX = 1_000_000_000;

/**
 * The ports from 1024 that no browser and no `fetch` connects to (Fetch standard, "port blocking").
 * A node there would run, and no client would reach it.
 */
export const PORTS_BLOCKED: ReadonlySet<number> = new Set(
  [1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669]
    .concat([6679, 6697, 10080]),
);

/** A node that joins asks again after so long. */
export const JOIN_PAUSE_MS = 500;
/** One round of its questions takes at most so long. */
export const JOIN_CALL_MS = 10_000;
/** So long `deno task node` waits for the cluster to join, if the node has no data to go on with. */
export const JOIN_WAIT_MS = 30_000;
/** And so long if it has. */
export const JOIN_GLANCE_MS = 2000;
/** While it is no member yet, a node looks so often who is one. */
export const SEEDS_REFRESH_MS = 1000;

/** The launcher asks the nodes so often whether they serve. */
export const READY_POLL_MS = 50;
/** One such question takes at most so long: a paused node accepts connections but never answers. */
export const READY_PROBE_MS = 1000;
/** Once a quorum serves, so long the launcher waits for the other nodes before it calls the cluster ready. */
export const READY_STRAGGLERS_MS = 2000;
/** After so long without readiness, and again after each further time, it says what it waits for. */
export const READY_REPORT_MS = 30_000;

/** The first pause before a dead node is started again; it doubles with each death. */
export const RESTART_MIN_MS = 100;
export const RESTART_MAX_MS = 5000;
/** A node that was up for so long has its restart pause reset. */
export const RESTART_RESET_MS = 30_000;

/** How long nodes may take to drain before they are killed. */
export const DRAIN_MS = 10_000;
/**
 * Stop signals closer together than this are one: with `npx`, a single Ctrl-C reaches the launcher
 * twice (from the terminal and forwarded by `deno task`), 1 ms apart when measured.
 */
export const SIGNAL_MERGE_MS = 500;

/** A log line longer than this is cut into several. */
export const LOG_LINE_BYTES_MAX = 65_536;
/** Output that waits for a terminal or pipe that does not take it; what comes beyond is dropped and counted. */
export const LOG_QUEUE_BYTES_MAX = 4 * 1024 * 1024;

/** A peer that cannot be reached for so long is told of: a cluster that starts has come together by then. */
export const UNREACHED_MS = 10_000;
