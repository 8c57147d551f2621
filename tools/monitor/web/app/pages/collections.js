// Garbage collections.
import { of } from "../api.js";
import { Histogram } from "../chart/bars.js";
import { LineChart } from "../chart/line.js";
import { series as colour, STATE } from "../colours.js";
import { h } from "../dom.js";
import { bytes, count, duration, moment, percent, words } from "../format.js";
import { show } from "../motion.js";
import { state } from "../state.js";
import { Table } from "../table.js";
import { keepLoaded, sayKept, title } from "./loader.js";

const LIMIT = 5000;
const EMPTY = "No collection in this time. The log has them if it was written with +RTS -l or -lg.";

/**
 * @param {HTMLElement} root
 * @param {Api.Session} session
 * @param {AbortSignal} signal
 */
export function mount(root, session, signal) {
  const pauses = new LineChart({ title: "Pauses", unit: "ns", height: 170, empty: EMPTY, help: "The longest and the shortest pause in each part of the range" });
  const lengths = new Histogram({ title: "Pause durations", what: "pauses", empty: EMPTY, height: 170 });
  const kept = h("p", { class: "note", hidden: true });
  /** @type {Table<Api.Collection>} */
  const table = new Table({
    label: "collections", sort: "from", empty: EMPTY,
    open: (row) => {
      show(row.from, row.to ?? row.from);
      state.go({ page: "timeline" });
    },
    columns: [
      { key: "from", name: "At", number: true, width: 116, text: ({ from }) => moment(from, 1e4), value: ({ from }) => from },
      { key: "pause", name: "Length", number: true, width: 80, text: (row) => duration(length(row)), value: length },
      { key: "generation", name: "Generation", number: true, width: 92, text: ({ generation }) => (generation == null ? "–" : String(generation)), value: ({ generation }) => generation },
      { key: "kind", name: "Kind", width: 84, text: ({ concurrent, cause }) => [concurrent ? "concurrent" : "", cause ? words(cause) : ""].filter(Boolean).join(", ") },
      { key: "sync", name: "Sync", number: true, width: 76, title: "From the request until all capabilities had stopped", text: ({ sync }) => duration(sync), value: ({ sync }) => sync },
      { key: "copied", name: "Copied", number: true, width: 76, text: ({ copied }) => bytes(copied), value: ({ copied }) => copied },
      { key: "slop", name: "Slop", number: true, width: 76, text: ({ slop }) => bytes(slop), value: ({ slop }) => slop },
      { key: "fragmentation", name: "Fragmentation", number: true, width: 116, text: ({ fragmentation }) => bytes(fragmentation), value: ({ fragmentation }) => fragmentation },
      { key: "threads", name: "Threads", number: true, width: 72, title: "Threads that collected in parallel", text: ({ threads }) => count(threads), value: ({ threads }) => threads },
      { key: "balance", name: "Balance", number: true, width: 84, title: "How evenly the work was shared: 100 % is best", text: ({ balance }) => percent(balance), value: ({ balance }) => balance },
      { key: "phases", name: "Phases", wide: true, width: 206, text: ({ phases }) => (phases ?? []).map(({ kind, from, to }) => `${words(kind)} ${duration(to - from)}`).join(", ") },
    ],
  });
  root.append(title("Collections"), kept, h("div", { class: "columns even" }, pauses.node, lengths.node), table.node);
  keepLoaded(root, signal, async (round) => {
    const [list, series] = await Promise.all([
      /** @type {Promise<Api.Collections>} */ (of(session.id, "collections", { ...state.window, limit: LIMIT }, round)),
      /** @type {Promise<Api.SeriesAnswer>} */ (of(session.id, "series", { names: "gc.pause", ...state.window, points: 500 }, round)),
    ]);
    sayKept(kept, list.kept_from);
    const points = series.names["gc.pause"]?.points ?? [];
    pauses.show(points.length ? [{ name: "pause", colour: STATE.collecting, points, stems: true }] : []);
    lengths.show(Object.entries(list.histogram ?? {}).map(([generation, buckets], n) => ({
      name: /^\d+$/.test(generation) ? `generation ${generation}` : words(generation), colour: colour(n), buckets,
    })));
    table.fill(list.rows, list.total, list.total > list.rows.length ? "zoom in for the others" : "");
  });
}

/** @param {Api.Collection} row */
const length = (row) => (row.to == null ? null : row.to - row.from);
