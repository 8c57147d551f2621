// User spans: how often, how long, and when.
import { of } from "../api.js";
import { histogram } from "../chart/bars.js";
import { named } from "../colours.js";
import { h, replace } from "../dom.js";
import { count, duration, moment, percent } from "../format.js";
import { show } from "../motion.js";
import { state } from "../state.js";
import { Table } from "../table.js";
import { keepLoaded, sayKept, title } from "./loader.js";
import { Waterfall } from "../chart/waterfall.js";

const LIMIT = 3000;
const EMPTY = "No span in this range. A program writes them as messages: traceEventIO \"START name\" … \"STOP name\" (+RTS -l).";

/**
 * @param {HTMLElement} root
 * @param {Api.Session} session
 * @param {AbortSignal} signal
 */
export function mount(root, session, signal) {
  const kept = h("p", { class: "note", hidden: true });
  let chosen = state.place.more.name ?? "";
  const lengths = h("div");
  const fall = new Waterfall({ title: "When", unit: "none", height: 230, empty: EMPTY });
  /** @type {Api.SpanSummary[]} */
  let summary = [];
  /** @type {Api.Span[]} */
  let spans = [];
  /** @type {Table<Api.SpanSummary>} */
  const names = new Table({
    label: "spans by name", sort: "total", descending: true, empty: EMPTY, height: 260,
    open: ({ name }) => {
      chosen = chosen === name ? "" : name;
      state.go({ more: { name: chosen } }, false);
      put();
    },
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
    label: "spans", sort: "length", descending: true, empty: EMPTY,
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
  const listTitle = h("h2", null, "Spans");
  let total = 0;
  const put = () => {
    const one = summary.find(({ name }) => name === chosen);
    const shown = one ? [one] : summary.slice(0, 6);
    replace(lengths, histogram({ title: one ? `Lengths of ${one.name}` : "Lengths", empty: EMPTY, height: 230, groups: shown.map(({ name, histogram: buckets }) => ({ name, colour: named(name), buckets: buckets ?? [] })) }));
    const some = one ? spans.filter(({ name }) => name === chosen) : spans;
    fall.show(some);
    list.fill(some, one ? some.length : total, total > spans.length ? `the longest of ${count(total)}` : "");
    replace(listTitle, one ? `Spans called ${one.name}` : "Spans", one ? h("button", { type: "button", onclick: () => {
      chosen = "";
      state.go({ more: {} }, false);
      put();
    } }, "All names") : null);
  };
  root.append(title("Spans"), kept, names.node, h("div", { class: "columns even" }, lengths, fall.node), listTitle, list.node);
  keepLoaded(root, signal, async (round) => {
    const [answer, sums] = await Promise.all([
      /** @type {Promise<Api.Spans>} */ (of(session.id, "spans", { ...state.window, limit: LIMIT }, round)),
      /** @type {Promise<Api.SpanSummary[]>} */ (of(session.id, "spans/summary", { ...state.window }, round)),
    ]);
    sayKept(kept, answer.kept_from);
    summary = sums;
    spans = answer.rows;
    total = answer.total;
    names.fill(summary);
    put();
  });
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
