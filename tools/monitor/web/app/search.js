// Search for threads, spans, messages and events by name.
import { of, Refused } from "./api.js";
import { h, replace, settled } from "./dom.js";
import { searchEvents } from "./events.js";
import { duration, moment } from "./format.js";
import { show } from "./motion.js";
import { state } from "./state.js";

/** On a page with a filter, `/` focuses the filter; elsewhere it opens the search. */
export function openSearch() {
  const field = /** @type {HTMLElement | null} */ (document.querySelector("main [data-search]"));
  if (field && state.place.page !== "timeline") {
    field.focus();
    return;
  }
  const { session } = state;
  if (!session || document.querySelector("dialog[open]")) return;
  const input = h("input", { type: "text", placeholder: "Thread, span, message, event (regular expression)", "aria-label": "Search" });
  const results = h("div", { class: "results", "aria-live": "polite" });
  const dialog = h("dialog", { class: "search", "aria-label": "Search" }, input, results);
  let round = new AbortController();
  const close = () => dialog.close();
  const ask = settled(200, async () => {
    round.abort();
    round = new AbortController();
    const find = input.value.trim();
    if (!find) {
      replace(results);
      return;
    }
    const { signal } = round;
    const found = /** @type {Node[][]} */ ([[], [], []]);
    let waiting = found.length;
    const put = (/** @type {number} */ n, /** @type {Node[]} */ nodes) => {
      if (signal.aborted) return;
      found[n] = nodes;
      const all = found.flat();
      replace(results, ...all, all.length && !waiting ? null : h("p", { class: "empty" }, waiting ? "Searching…" : "Nothing has a matching name."));
    };
    const parts = [threads(session.id, find, signal, close), spans(session.id, find, signal, close), events(session.id, find, signal, close, (some) => put(2, some))];
    parts.forEach((answer, n) => void answer.then((nodes) => {
      waiting--;
      put(n, nodes);
    }));
  });
  input.addEventListener("input", () => ask());
  input.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "Enter") return;
    event.preventDefault();
    const first = /** @type {HTMLElement | null} */ (results.querySelector("button"));
    if (event.key === "Enter") first?.click();
    else first?.focus();
  });
  results.addEventListener("keydown", (event) => {
    const now = document.activeElement;
    const other = event.key === "ArrowDown" ? now?.nextElementSibling : event.key === "ArrowUp" ? now?.previousElementSibling : null;
    if (other instanceof HTMLElement) {
      event.preventDefault();
      other.focus();
    }
  });
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  dialog.addEventListener("close", () => {
    round.abort();
    dialog.remove();
  });
  addEventListener("popstate", close, { once: true });
  document.body.append(dialog);
  dialog.showModal();
}

/**
 * @param {string} kind
 * @param {string} name
 * @param {string} note
 * @param {() => void} chosen
 */
function result(kind, name, note, chosen) {
  return h("button", { type: "button", class: "result", onclick: chosen }, h("span", { class: "quiet" }, kind), h("span", { class: "result-name" }, name), h("span", { class: "quiet" }, note));
}

/**
 * @template T
 * @param {Promise<T>} answer
 * @param {(answer: T) => Node[]} rows
 */
async function part(answer, rows) {
  try {
    return rows(await answer);
  } catch (error) {
    return error instanceof Refused ? [h("p", { class: "trouble" }, error.message)] : [];
  }
}

/**
 * @param {string} session
 * @param {string} find
 * @param {AbortSignal} signal
 * @param {() => void} close
 */
const threads = (session, find, signal, close) => part(/** @type {Promise<Api.Threads>} */ (of(session, "threads", { find, limit: 12 }, signal)), ({ rows, total }) => rows.map((row) => result(
  "thread", row.label ? `${row.id} ${row.label}` : String(row.id), total > 12 ? `of ${total}` : row.run_time == null ? "" : `ran ${duration(row.run_time)}`, () => {
    close();
    state.go({ page: `thread/${row.id}` });
  })));

/**
 * @param {string} session
 * @param {string} find
 * @param {AbortSignal} signal
 * @param {() => void} close
 */
const spans = (session, find, signal, close) => part(/** @type {Promise<Api.Spans>} */ (of(session, "spans", { limit: 1000 }, signal)), ({ rows }) => rows
  .filter(({ name }) => name.toLowerCase().includes(find.toLowerCase())).slice(0, 12).map((row) => result(
    "span", row.name, `${moment(row.from, 1e6)}, ${row.to == null ? "open" : duration(row.to - row.from)}`, () => {
      close();
      show(row.from, row.to ?? state.session?.end ?? row.from);
    })));

/**
 * @param {string} session
 * @param {string} find
 * @param {AbortSignal} signal
 * @param {() => void} close
 * @param {(some: Node[]) => void} each
 */
const events = (session, find, signal, close, each) => part(searchEvents(session, { find, kind: "all", limit: 20 }, signal, (some) => each(eventRows(some, close))), (all) => eventRows(all, close));

/**
 * @param {Api.Events} answer
 * @param {() => void} close
 */
const eventRows = ({ rows }, close) => rows.map((row) => result(
  row.name, row.text, moment(row.time, 1e3), () => {
    close();
    state.go({ from: row.time - 20_000, to: row.time + 20_000, last: null, sel: row.cap == null ? null : `c${row.cap}@${row.time}` });
  }));
