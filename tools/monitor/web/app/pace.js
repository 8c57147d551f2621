// How often a page loads again while a program is followed. Many pages may follow the same program.
import { received } from "./api.js";

/** How many times as long as a load the pause after it is. */
const TIMES = 10;

/**
 * A load that begins now; call the result at its end for the ms to wait until the next.
 * @param {number} often the shortest time from one to the next, in ms
 * @param {number} bytes the most bytes per second
 */
export function loadBegins(often, bytes) {
  const [began, before] = [Date.now(), received];
  return () => {
    const took = Date.now() - began;
    return Math.max(often - took, took * TIMES, ((received - before) / bytes) * 1000 - took);
  };
}
