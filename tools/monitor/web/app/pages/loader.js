// Pages show what the server says of the range that is looked at, and ask again when it changes.
import { Refused } from "../api.js";
import { h, replace, settled } from "../dom.js";
import { moment } from "../format.js";
import { state } from "../state.js";

/** A live page is renewed at most this often. */
const LIVE = 1000;

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
  let last = 0;

  const run = async () => {
    if (life.aborted) return;
    running = true;
    again = false;
    last = Date.now();
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
    running = false;
    if (again) soon();
  };
  const soon = settled(120, () => void run());
  let timer = 0;
  const change = () => {
    if (state.follows) {
      // Renewed in the order of time: what is under way is not thrown away.
      if (running) again = true;
      else {
        clearTimeout(timer);
        timer = window.setTimeout(() => void run(), Math.max(0, LIVE - (Date.now() - last)));
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
 * Says that older raw data is gone.
 * @param {HTMLElement} node
 * @param {number | null | undefined} from
 */
export function sayKept(node, from) {
  const gone = from != null && state.range.from < from;
  node.hidden = !gone;
  replace(node, gone ? `Before ${moment(from, 1e6)} only series are kept: single events of that time are gone.` : null);
}

/**
 * @param {string} name
 * @param {import("../dom.js").Child[]} more
 */
export const title = (name, ...more) => h("div", { class: "page-head" }, h("h1", null, name), ...more);

/**
 * A number and what it is.
 * @param {string} name
 * @param {string} value
 * @param {string} [note]
 */
export function fact(name, value, note = "") {
  return h("div", { class: "card" }, h("div", { class: "card-name" }, name), h("div", { class: "card-value" }, value), note ? h("div", { class: "quiet" }, note) : null);
}
