// User spans: how often, how long, and when.
import { of, Refused } from "../api.js";
import { Histogram } from "../chart/bars.js";
import { named } from "../colours.js";
import { h, replace, settled } from "../dom.js";
import { count, duration, moment, percent } from "../format.js";
import { show } from "../motion.js";
import { state } from "../state.js";
import { Table } from "../table.js";
import { keepLoaded, sayKept, title } from "./loader.js";
import { Waterfall } from "../chart/waterfall.js";

const LIMIT = 3000;
/** The names whose lengths are shown together. */
const SHOWN = 6;
/** The most names of an answer. */
const NAMES = 1000;
const EMPTY = "No span in this range. A program writes them as messages: traceEventIO \"START name\" … \"STOP name\" (+RTS -l).";

/**
 * @param {HTMLElement} root
 * @param {Api.Session} session
 * @param {AbortSignal} signal
 */
export function mount(root, session, signal) {
  const kept = h("p", { class: "note", hidden: true });
  const wrong = h("p", { class: "trouble", role: "alert", hidden: true });
  const find = h("input", { type: "search", placeholder: "Regular expression", "aria-label": "Search names with a regular expression", "data-search": true, size: 32 });
  find.value = state.place.more.find ?? "";
  let chosen = state.place.more.name ?? "";
  const lengths = new Histogram({ title: "Lengths", what: "spans", empty: EMPTY, height: 230 });
  const fall = new Waterfall({ title: "Waterfall", unit: "none", height: 230, empty: EMPTY });
  /** @type {Api.SpanSummary[]} */
  let summary = [];
  /** @type {Api.Span[]} */
  let spans = [];
  /** @type {Table<Api.SpanSummary>} */
  const names = new Table({
    label: "spans by name", sort: "total", descending: true, empty: EMPTY, height: 260, filter: false,
    open: ({ name }) => choose(chosen === name ? "" : name),
    columns: [
      { key: "name", name: "Name", wide: true, text: ({ name }) => name, colour: ({ name }) => named(name) },
      { key: "count", name: "Count", number: true, text: (row) => count(row.count), value: (row) => row.count },
      .../** @type {const} */ (["total", "p50", "p90", "p99", "max"]).map((key) => ({
        key, name: key === "total" ? "Total" : key === "max" ? "Longest" : key, number: true,
        text: (/** @type {Api.SpanSummary} */ row) => duration(row[key]), value: (/** @type {Api.SpanSummary} */ row) => row[key],
      })),
      .../** @type {const} */ (["running", "collecting", "blocked"]).map((key) => ({
        key, name: key[0].toUpperCase() + key.slice(1), number: true, title: `Share of the span's time: ${key}`,
        text: (/** @type {Api.SpanSummary} */ row) => share(row, key), value: (/** @type {Api.SpanSummary} */ row) => row[key],
      })),
    ],
  });
  /** @type {Table<Api.Span>} */
  const list = new Table({
    label: "spans", sort: "length", descending: true, empty: EMPTY, filter: false,
    open: ({ from, to }) => {
      show(from, to ?? state.session?.end ?? from);
      state.go({ page: "timeline", more: {} });
    },
    columns: [
      { key: "name", name: "Name", wide: true, text: ({ name }) => name, colour: ({ name }) => named(name) },
      { key: "track", name: "Track", text: ({ track }) => (track == null ? "" : String(track)) },
      { key: "from", name: "From", number: true, width: 120, text: ({ from }) => moment(from, 1e3), value: ({ from }) => from },
      { key: "length", name: "Length", number: true, text: ({ from, to }) => (to == null ? "open" : duration(to - from)), value: ({ from, to }) => (to ?? state.session?.end ?? from) - from },
    ],
  });
  const listName = h("span");
  const everything = h("button", { type: "button", hidden: true, onclick: () => choose("") }, "All names");
  let total = 0;
  const put = () => {
    const shown = chosen ? summary.filter(({ name }) => name === chosen) : summary.slice(0, SHOWN);
    lengths.show(shown.map(({ name, histogram: buckets }) => ({ name, colour: named(name), buckets: buckets ?? [] })), chosen ? `Lengths of ${chosen}` : summary.length > SHOWN ? `Lengths of the ${SHOWN} names with the most time` : "Lengths");
    fall.show(spans);
    replace(fall.keys, fall.left ? `${count(fall.left)} that overlap too many others are not drawn` : total > spans.length ? `the longest ${count(spans.length)}` : "");
    list.fill(spans, total, total > spans.length ? `the longest of ${count(total)}` : "");
    replace(listName, chosen ? `Spans called ${chosen}` : "Spans");
    everything.hidden = !chosen;
  };
  root.append(title("Spans", find), kept, wrong, names.node, h("div", { class: "columns even" }, lengths.node, fall.node), h("h2", null, listName, " ", everything), list.node);
  const loaded = keepLoaded(root, signal, async (round) => {
    for (const table of [names, list]) table.options.empty = find.value ? "No span with a matching name in this range." : EMPTY;
    try {
      const [answer, sums] = await Promise.all([
        /** @type {Promise<Api.Spans>} */ (of(session.id, "spans", { ...state.window, name: chosen, find: find.value, limit: LIMIT }, round)),
        /** @type {Promise<Api.SpanSummary[]>} */ (of(session.id, "spans/summary", { ...state.window, find: find.value }, round)),
      ]);
      sayKept(kept, answer.kept_from);
      wrong.hidden = true;
      summary = sums;
      spans = answer.rows;
      total = answer.total;
      names.fill(summary, summary.length, summary.length >= NAMES ? "there may be more: search for a name" : "");
      put();
    } catch (error) {
      // A regular expression is often invalid while it is being typed.
      if (!(error instanceof Refused) || error.status !== 400) throw error;
      wrong.hidden = false;
      replace(wrong, error.message);
    }
  });
  const renew = () => {
    state.go({ more: { name: chosen, find: find.value } }, false);
    loaded.renew();
  };
  const choose = (/** @type {string} */ name) => {
    chosen = name;
    renew();
  };
  const typed = settled(250, renew);
  find.addEventListener("input", () => typed());
  signal.addEventListener("abort", () => typed.stop());
}

/**
 * The server sends shares as fractions, or as times.
 * @param {Api.SpanSummary} row
 * @param {"running" | "collecting" | "blocked"} key
 */
function share(row, key) {
  const value = row[key];
  if (value == null) return "–";
  return percent(value > 1 && row.total ? value / row.total : value);
}
