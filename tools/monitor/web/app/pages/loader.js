// Loads the data of a page for the current range, and again when the range changes.
import { Refused } from "../api.js";
import { h, replace, settled } from "../dom.js";
import { moment } from "../format.js";
import { loadBegins } from "../pace.js";
import { state } from "../state.js";

/** The shortest time between two loads of a live page, in ms, and the most bytes per second. */
const LIVE = 1000;
const BYTES_PER_SECOND = 80_000;

/**
 * @param {HTMLElement} root
 * @param {AbortSignal} life
 * @param {(signal: AbortSignal) => Promise<void>} load
 */
export function keepLoaded(root, life, load) {
  const trouble = h("div", { class: "trouble", role: "alert", hidden: true });
  root.prepend(trouble);
  let round = new AbortController();
  let running = false;
  let again = false;
  let due = 0;
  let timer = 0;

  const run = async () => {
    if (life.aborted) return;
    round.abort();
    clearTimeout(timer);
    running = true;
    again = false;
    const pause = loadBegins(LIVE, BYTES_PER_SECOND);
    round = new AbortController();
    const { signal } = round;
    try {
      await load(signal);
      trouble.hidden = true;
    } catch (error) {
      if (!signal.aborted) {
        trouble.hidden = false;
        replace(trouble, error instanceof Refused ? error.message : `This page failed: ${error}`);
      }
    }
    // Another one has begun since.
    if (signal !== round.signal) return;
    running = false;
    due = Date.now() + pause();
    if (again) change();
  };
  const soon = settled(120, () => void run());
  const change = () => {
    if (state.follows) {
      // For a live session: a running load is not cancelled.
      if (running) again = true;
      else {
        clearTimeout(timer);
        timer = window.setTimeout(() => void run(), Math.max(0, due - Date.now()));
      }
      return;
    }
    round.abort();
    soon();
  };
  state.on(["range"], change, life);
  life.addEventListener("abort", () => {
    round.abort();
    soon.stop();
    clearTimeout(timer);
  });
  void run();
  return { renew: soon };
}

/**
 * Shows that older raw data is not kept.
 * @param {HTMLElement} node
 * @param {number | null | undefined} from
 */
export function sayKept(node, from) {
  const gone = from != null && state.range.from < from;
  node.hidden = !gone;
  replace(node, gone ? `Before ${moment(from, 1e6)} only series are kept, and no single events.` : null);
}

/**
 * @param {string} name
 * @param {import("../dom.js").Child[]} more
 */
export const title = (name, ...more) => h("div", { class: "page-head" }, h("h1", null, name), ...more);

/**
 * A value with its name.
 * @param {string} name
 * @param {string} value
 * @param {string} [note]
 */
export function fact(name, value, note = "") {
  return h("div", { class: "card" }, h("div", { class: "card-name" }, name), h("div", { class: "card-value" }, value), note ? h("div", { class: "quiet" }, note) : null);
}
