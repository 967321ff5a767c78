/**
 * The place of the contract for a transport with faults over it, none of them set: what is put over a
 * transport must keep its promises.
 *
 * @module
 */
import { faultyTransport } from "../../transport/faulty.ts";
import { LinkTable } from "../../transport/memory_links.ts";
import type { Place } from "./place.ts";

/** The same place with faults over each of its transports, at both ends. */
export function faultyPlace(place: Place): Place {
  const links = new LinkTable();
  const env = {
    defer: (callback: () => void) => void setImmediate(callback),
    setTimer: () => {
      throw new Error("a link without faults holds nothing back");
    },
    randomUint32: () => 0,
  };
  return {
    ...place,
    create: (id, options) =>
      faultyTransport(place.create(id, options), { env, links, side: "both" }),
  };
}
