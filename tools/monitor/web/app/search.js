// Search for threads, spans, messages and events by name.
import { of, Refused } from "./api.js";
import { h, replace, settled } from "./dom.js";
import { searchEvents } from "./events.js";
import { count, duration, moment } from "./format.js";
import { show } from "./motion.js";
import { state } from "./state.js";

/** The most threads and spans. */
const MOST = 12;

/** On a page with a filter, `/` focuses the filter; elsewhere it opens the search. */
export function openSearch() {
  const field = /** @type {HTMLElement | null} */ (document.querySelector("main [data-search]"));
  if (field && state.place.page !== "timeline") {
    field.focus();
    return;
  }
  const { session } = state;
  if (!session || document.querySelector("dialog[open]")) return;
  const input = h("input", { type: "text", placeholder: "Thread; or span, message, event (regular expression)", "aria-label": "Search" });
  // One list for each kind: results that arrive later do not replace others, which may be in the middle of a click.
  const lists = [0, 1, 2].map(() => h("div"));
  const note = h("p", { class: "empty", hidden: true });
  const results = h("div", { class: "results", "aria-live": "polite" }, ...lists, note);
  const dialog = h("dialog", { class: "search", "aria-label": "Search" }, input, results);
  let round = new AbortController();
  const close = () => dialog.close();
  // What is not a regular expression is refused for spans and for events, in the same words.
  const tell = (/** @type {HTMLElement} */ list, /** @type {string} */ message) => {
    const told = [...results.querySelectorAll(".trouble")].some(({ textContent }) => textContent === message);
    if (!told) list.append(h("p", { class: "trouble" }, message));
  };
  const ask = settled(200, async () => {
    round.abort();
    round = new AbortController();
    const find = input.value.trim();
    for (const list of lists) replace(list);
    note.hidden = !find;
    replace(note, "Searching…");
    if (!find) return;
    const { signal } = round;
    let waiting = lists.length;
    const finds = [
      threads(session.id, find, signal, close), spans(session.id, find, signal, close),
      events(session.id, find, signal, close, (rows) => !signal.aborted && lists[2].append(...rows.slice(lists[2].childElementCount))),
    ];
    finds.forEach(async (answer, n) => {
      try {
        const rows = await answer;
        if (!signal.aborted) lists[n].append(...rows.slice(lists[n].childElementCount));
      } catch (error) {
        if (!signal.aborted) tell(lists[n], error instanceof Refused ? error.message : String(error));
      }
      if (signal.aborted) return;
      waiting--;
      note.hidden = !waiting && results.querySelector("button, .trouble") != null;
      replace(note, waiting ? "Searching…" : "Nothing has a matching name.");
    });
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
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const all = [...results.querySelectorAll("button")];
    const other = all[all.findIndex((button) => button === document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
    if (!other) return;
    event.preventDefault();
    other.focus();
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
 * @param {string} session
 * @param {string} find
 * @param {AbortSignal} signal
 * @param {() => void} close
 */
async function threads(session, find, signal, close) {
  /** @type {Api.Threads} */
  const { rows, total } = await of(session, "threads", { find, limit: MOST }, signal);
  return rows.map((row) => result("thread", row.label ? `${row.id} ${row.label}` : String(row.id), total > MOST ? `of ${count(total)}` : row.run_time == null ? "" : `ran ${duration(row.run_time)}`, () => {
    close();
    state.go({ page: `thread/${row.id}` });
  }));
}

/**
 * @param {string} session
 * @param {string} find
 * @param {AbortSignal} signal
 * @param {() => void} close
 */
async function spans(session, find, signal, close) {
  /** @type {Api.Spans} */
  const { rows, total } = await of(session, "spans", { find, limit: MOST }, signal);
  const found = rows.map((row) => result("span", row.name, `${moment(row.from, 1e6)}, ${row.to == null ? "open" : duration(row.to - row.from)}`, () => {
    close();
    show(row.from, row.to ?? state.session?.end ?? row.from);
  }));
  return total > MOST ? [...found, h("p", { class: "empty" }, `These are the longest of ${count(total)} spans.`)] : found;
}

/**
 * @param {string} session
 * @param {string} find
 * @param {AbortSignal} signal
 * @param {() => void} close
 * @param {(some: Node[]) => void} each called with all results so far
 */
async function events(session, find, signal, close, each) {
  const rows = (/** @type {Api.Events} */ { rows: some }) => some.map((row) => result(row.name, row.text, moment(row.time, 1e3), () => {
    close();
    state.go({ from: row.time - 20_000, to: row.time + 20_000, last: null, sel: row.cap == null ? null : `c${row.cap}@${row.time}` });
  }));
  return rows(await searchEvents(session, { find, kind: "all", limit: 20 }, signal, (some) => each(rows(some))));
}
