/**
 * Ports for programs that must be told theirs.
 *
 * @module
 */

const PORT_MIN = 10_240;
const PORT_MAX = 30_240;

/**
 * Ports that nobody listens on now, below the range from which the system gives ports to outgoing
 * connections: those could otherwise take the port of a node while it is down.
 */
export function freePorts(count: number): number[] {
  const listeners: Deno.Listener[] = [];
  const ports: number[] = [];
  while (ports.length < count) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    try {
      listeners.push(Deno.listen({ hostname: "127.0.0.1", port }));
      ports.push(port);
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  for (const listener of listeners) listener.close();
  return ports;
}
