// Heap sizes, and the heap profile by band.
import { of } from "../api.js";
import { showKeys } from "../chart/base.js";
import { LineChart } from "../chart/line.js";
import { StackChart } from "../chart/stack.js";
import { perSecond } from "../chart/rate.js";
import { OTHER } from "../colours.js";
import { h, replace } from "../dom.js";
import { moment } from "../format.js";
import { state } from "../state.js";
import * as biography from "./biography.js";
import { Bands } from "./heap_bands.js";
import { HeapDiff } from "./heap_diff.js";
import { about } from "./heap_file.js";
import { bandColour, breakdownName } from "./heap_names.js";
import { HeapTree } from "./heap_tree.js";
import { keepLoaded, sayKept, title } from "./loader.js";

const TOP = 15;
const SIZES = /** @type {const} */ ([["size", "heap.size", "#56B4E9"], ["blocks", "heap.blocks", "#E69F00"], ["live", "heap.live", "#D55E00"]]);
const NO_PROFILE = "No heap profile in this range: run with +RTS -l -hT (any program), or -hc, -hm, -hd, -hy, -hr, -hb with profiling, or -hi.";
const NONE_YET = "No sample in this range yet. If the program runs with +RTS -hT or another heap profile, samples come when the buffer of the runtime system is full, when the program ends, or with +RTS --eventlog-flush-interval=1 (GHC 9.2 and newer).";
const NO_SAMPLE = "No sample in this range yet. The file gets one at each census (+RTS -i sets how often); those of a profile by biography (-hb) come when the program ends.";

/**
 * @param {HTMLElement} root
 * @param {Api.Session} session
 * @param {AbortSignal} signal
 */
export function mount(root, session, signal) {
  const isFile = session.heap_file != null;
  const empty = isFile ? NO_SAMPLE : NO_PROFILE;
  const kept = h("p", { class: "note", hidden: true });
  const file = h("div");
  const profile = new StackChart({ title: "Profile", unit: "B", height: 280, empty });
  const way = h("select", { "aria-label": "How the profile is drawn", onchange: () => put() },
    ...[["stacked", "Stacked"], ["lines", "Lines"], ["share", "Share"]].map(([value, name]) => h("option", { value }, name)));
  const what = h("span", { class: "quiet" });
  const notes = h("div", { class: "notes" });
  /** @type {Api.Heap | null} */
  let heap = null;
  const bands = new Bands(empty, () => put());
  const diff = new HeapDiff(session.id, signal);
  const tree = new HeapTree(session.id, signal);
  const put = () => {
    if (!heap) return;
    const { breakdown } = heap;
    const all = breakdown === "biography" ? biography.ordered(heap.bands) : heap.bands;
    const alone = all.filter(({ id }) => id === bands.only);
    const shown = (alone.length ? alone : all).map(({ name, values }) => ({ name, values, colour: bandColour(breakdown, name) }));
    if (!alone.length && heap.other?.some((value) => value)) shown.push({ name: "others", values: heap.other, colour: OTHER });
    showKeys(profile.keys, breakdown === "biography" ? shown : []);
    profile.show(heap.samples, shown, /** @type {import("../chart/stack.js").Way} */ (way.value));
  };
  const sizes = isFile ? null : new Sizes(session.id);
  root.append(title("Heap"), kept, isFile ? file : "", sizes?.node ?? "", h("div", { class: "tools" }, way, what), profile.node, notes, bands.node, tree.node, diff.node);
  keepLoaded(root, signal, async (round) => {
    const [answer] = await Promise.all([
      /** @type {Promise<Api.Heap>} */ (of(session.id, "heap", { ...state.window, points: 300, top: TOP }, round)),
      sizes?.load(round),
    ]);
    sayKept(kept, answer.kept_from);
    if (isFile) replace(file, about(state.session ?? session));
    heap = answer;
    if (!isFile) profile.emptyText = mayCome(state.session ?? session) ? NONE_YET : NO_PROFILE;
    const { samples, breakdown } = answer;
    const some = samples.length > 0;
    const times = samples.length > 1 ? `from ${moment(samples[0], 1e7)} to ${moment(samples[samples.length - 1], 1e7)}` : `at ${moment(samples[0], 1e7)}`;
    replace(what, some ? `by ${breakdownName(breakdown)}, ${samples.length} ${samples.length === 1 ? "sample" : "samples"}, ${times}` : "");
    replace(notes, ...(some ? remarks(answer, isFile) : []));
    way.hidden = !some;
    put();
    bands.fill(answer);
    tree.offer(samples, isFile ? null : breakdown);
    diff.offer(samples, breakdown);
  });
}

/** Whether a running program may still send samples: as far as its arguments are known. @param {Api.Session} session */
const mayCome = ({ live, args }) => live && (!args.length || args.some((flag) => /^-h[TcmdyrbiI]/.test(flag)));

/**
 * What has to be known to read this profile.
 * @param {Api.Heap} heap
 * @param {boolean} isFile
 */
function remarks({ breakdown, bands, missing }, isFile) {
  const all = [];
  if (breakdown === "biography") all.push(h("p", { class: "note" }, biography.explain(bands.map(({ name }) => name))));
  if (missing) all.push(h("p", { class: "note" }, `Missing: ${missing.what}. ${missing.why.replace(/^./, (first) => first.toUpperCase())}: `, h("code", null, missing.flag)));
  if (breakdown === "info_table" && !missing && bands.some(({ table }) => !table)) {
    all.push(h("p", { class: "note" }, "The map has nothing about bands that are addresses: their code may have been built without ", h("code", null, "-finfo-table-map"), ", like most libraries."));
  }
  if (isFile && (breakdown === "cost_centre" || breakdown === "retainer")) {
    all.push(h("p", { class: "note" }, "In a .hp file these are text, innermost first, and cut off after 25 characters unless +RTS -L says otherwise.",
      breakdown === "cost_centre" ? h("span", null, " The eventlog of a run with ", h("code", null, "+RTS -l -hc"), " has them whole, and the monitor shows them as a tree.") : null));
  }
  return all;
}

/** The sizes that the collector reports. */
class Sizes {
  /** @param {string} session */
  constructor(session) {
    this.session = session;
    this.sizes = new LineChart({ title: "Sizes", unit: "B", height: 150, empty: "The log has no heap sizes: run with +RTS -l or -lg." });
    this.rate = new LineChart({ title: "Allocation", unit: "B/s", height: 150, empty: "The log has no allocation: run with +RTS -l or -lg." });
    this.node = h("div", { class: "columns even" }, this.sizes.node, this.rate.node);
  }

  /** @param {AbortSignal} round */
  async load(round) {
    /** @type {Api.SeriesAnswer} */
    const { names } = await of(this.session, "series", { names: "heap.live,heap.size,heap.blocks,heap.allocated", ...state.window, points: 400 }, round);
    this.sizes.show(SIZES.flatMap(([name, key, colour]) => (names[key]?.points.length ? [{ name, colour, points: names[key].points }] : [])));
    const allocated = perSecond(names["heap.allocated"], state.range);
    this.rate.show(allocated.length ? [{ name: "allocated", colour: "#0072B2", points: allocated, since: true }] : []);
  }
}
