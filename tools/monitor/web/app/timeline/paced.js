// When to load again: at once when the user moves, now and then while a program is followed.
import { settled } from "../dom.js";
import { loadBegins } from "../pace.js";

/** A move is over after this many ms. */
const SETTLED = 120;
/** The shortest time between two loads while a program is followed, in ms, and the most bytes per second: tiles are
 * loaded besides. */
const OFTEN = 1000;
const BYTES_PER_SECOND = 25_000;

export class Paced {
  #timer = 0;
  #running = 0;
  #due = 0;
  #again = false;

  /** @param {() => Promise<void>} load */
  constructor(load) {
    this.load = load;
    this.moved = settled(SETTLED, () => void this.#run());
  }

  /** Whether a load is running, or about to. */
  get busy() {
    return this.#running > 0 || this.#timer !== 0 || this.moved.waits();
  }

  stop() {
    this.moved.stop();
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  now() {
    void this.#run();
  }

  /** @param {boolean} follows whether only the log has grown */
  wish(follows) {
    if (!follows) {
      this.stop();
      this.moved();
    } else if (this.#running) {
      // What runs is not cancelled: otherwise it would never end.
      this.#again = true;
    } else if (!this.#timer) {
      this.#timer = window.setTimeout(() => void this.#run(), Math.max(SETTLED, this.#due - Date.now()));
    }
  }

  async #run() {
    this.#timer = 0;
    this.#again = false;
    this.#running++;
    const pause = loadBegins(OFTEN, BYTES_PER_SECOND);
    await this.load();
    this.#running--;
    this.#due = Date.now() + pause();
    if (this.#again && !this.#running) this.wish(true);
  }
}
