// Heap sizes, and the heap profile by band.
import { of } from "../api.js";
import { LineChart } from "../chart/line.js";
import { StackChart } from "../chart/stack.js";
import { perSecond } from "../chart/rate.js";
import { named, OTHER } from "../colours.js";
import { h, replace } from "../dom.js";
import { bytes, moment } from "../format.js";
import { state } from "../state.js";
import { Table } from "../table.js";
import { HeapDiff } from "./heap_diff.js";
import { keepLoaded, sayKept, title } from "./loader.js";

const TOP = 15;
const SIZES = /** @type {const} */ ([["size", "heap.size", "#56B4E9"], ["blocks", "heap.blocks", "#E69F00"], ["live", "heap.live", "#D55E00"]]);
const NO_PROFILE = "No heap profile in this range: run with +RTS -l -hT (any program), or -hc, -hm, -hd, -hy, -hr, -hb with profiling, or -hi.";
const NAMES = /** @type {Record<string, string>} */ ({
  closure_type: "closure type (-hT)", type: "type (-hy)", cost_centre: "cost-centre stack (-hc)", module: "module (-hm)", retainer: "retainer (-hr)",
  biography: "biography (-hb)", closure_description: "closure description (-hd)", info_table: "info table, source (-hi)",
});

/**
 * @param {HTMLElement} root
 * @param {Api.Session} session
 * @param {AbortSignal} signal
 */
export function mount(root, session, signal) {
  const kept = h("p", { class: "note", hidden: true });
  const sizes = new LineChart({ title: "Sizes", unit: "B", height: 150, empty: "The log has no heap sizes: run with +RTS -l or -lg." });
  const rate = new LineChart({ title: "Allocation", unit: "B/s", height: 150, empty: "The log has no allocation: run with +RTS -l or -lg." });
  const profile = new StackChart({ title: "Profile", unit: "B", height: 280, empty: NO_PROFILE });
  const way = h("select", { "aria-label": "How the profile is drawn", onchange: () => put() },
    ...[["stacked", "Stacked"], ["lines", "Lines"], ["share", "Share"]].map(([value, name]) => h("option", { value }, name)));
  const what = h("span", { class: "quiet" });
  /** @type {Api.Heap | null} */
  let heap = null;
  let only = "";
  /** @type {Table<Api.Band>} */
  const table = new Table({
    label: "bands", sort: "newest", descending: true, empty: NO_PROFILE, height: 300,
    open: ({ name }) => {
      only = only === name ? "" : name;
      put();
    },
    columns: [
      { key: "name", name: "Band", wide: true, text: ({ name }) => name, colour: ({ name }) => named(name) },
      { key: "newest", name: "Newest", number: true, text: (band) => bytes(newest(band)), value: newest },
      { key: "largest", name: "Largest", number: true, text: (band) => bytes(largest(band)), value: largest },
      { key: "trend", name: "Trend", number: true, title: "Growth over the range", text: trend, value: ({ trend: value }) => value },
      { key: "detail", name: "Source", wide: true, text: ({ detail }) => detailText(detail) },
    ],
  });
  const diff = new HeapDiff(session.id, signal);
  const put = () => {
    const bands = (heap?.bands ?? []).map(({ name, values }) => ({ name, values, colour: named(name) }));
    const shown = only ? bands.filter(({ name }) => name === only) : bands;
    if (!only && heap?.other?.some((value) => value)) shown.push({ name: "others", values: heap.other, colour: OTHER });
    profile.show(heap?.samples ?? [], shown, /** @type {import("../chart/stack.js").Way} */ (way.value));
  };
  const controls = h("div", { class: "tools" }, way, what);
  root.append(title("Heap"), kept, h("div", { class: "columns even" }, sizes.node, rate.node), controls, profile.node, table.node, diff.node);
  keepLoaded(root, signal, async (round) => {
    const [answer, series] = await Promise.all([
      /** @type {Promise<Api.Heap>} */ (of(session.id, "heap", { ...state.window, points: 300, top: TOP }, round)),
      /** @type {Promise<Api.SeriesAnswer>} */ (of(session.id, "series", { names: "heap.live,heap.size,heap.blocks,heap.allocated", ...state.window, points: 400 }, round)),
    ]);
    sayKept(kept, answer.kept_from);
    heap = answer;
    const { names } = series;
    sizes.show(SIZES.flatMap(([name, key, colour]) => (names[key]?.points.length ? [{ name, colour, points: names[key].points }] : [])));
    const allocated = perSecond(names["heap.allocated"], state.range);
    rate.show(allocated.length ? [{ name: "allocated", colour: "#0072B2", points: allocated }] : []);
    const some = answer.samples.length > 0;
    replace(what, some ? `by ${NAMES[answer.breakdown ?? ""] ?? answer.breakdown ?? "band"}, ${answer.samples.length} samples, from ${moment(answer.samples[0], 1e7)}` : "");
    way.hidden = !some;
    table.node.hidden = !some;
    diff.offer(answer.samples);
    put();
    table.fill(answer.bands);
  });
}

/** @param {Api.Band} band */
const newest = ({ values }) => values[values.length - 1] ?? null;
/** @param {Api.Band} band */
const largest = ({ values }) => values.reduce((/** @type {number | null} */ most, value) => (value != null && (most == null || value > most) ? value : most), null);

/** @param {Api.Band} band */
function trend({ trend: value }) {
  if (value == null) return "–";
  if (typeof value === "string") return value;
  return `${value > 0 ? "+" : ""}${bytes(value)}/s`;
}

/**
 * @param {unknown} detail
 * @returns {string}
 */
function detailText(detail) {
  if (detail == null) return "";
  if (typeof detail === "string") return detail;
  if (Array.isArray(detail)) return detail.map(detailText).join(" ← ");
  return Object.values(detail).filter((value) => typeof value === "string" || typeof value === "number").join(" ");
}
