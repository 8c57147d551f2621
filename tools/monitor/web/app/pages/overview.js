// The program, its main figures, and what is missing in the log.
import { of } from "../api.js";
import { LineChart } from "../chart/line.js";
import { Shares } from "../chart/shares.js";
import { STATE } from "../colours.js";
import { h, replace } from "../dom.js";
import { bytes, clock, count, duration, percent, words } from "../format.js";
import { state } from "../state.js";
import { fact, keepLoaded, title } from "./loader.js";

/**
 * @param {HTMLElement} root
 * @param {Api.Session} session
 * @param {AbortSignal} signal
 */
export function mount(root, session, signal) {
  const cards = h("div", { class: "cards" });
  const caps = new Shares({
    title: "Capabilities", unit: "share", head: ["capability", "state", "share"], empty: "No capability has written anything yet.",
    help: "The share of the time in each state; the number is that in the mutator, which is Haskell code",
  });
  const program = h("section");
  const missing = h("section");
  const activity = new LineChart({ title: "Activity", unit: "share", height: 110, empty: "No capability has run anything yet.", help: "Share of the capabilities' time spent in Haskell code" });
  const heap = new LineChart({ title: "Heap", unit: "B", height: 130, empty: "The log has no heap sizes: run with +RTS -l or -lg (events of the collector)." });
  root.append(title("Overview"), cards, h("div", { class: "columns" }, h("div", null, activity.node, heap.node, caps.node), h("div", null, program, missing)));
  keepLoaded(root, signal, async (round) => {
    const [overview, series] = await Promise.all([
      /** @type {Promise<Api.Overview>} */ (of(session.id, "overview", {}, round)),
      /** @type {Promise<Api.SeriesAnswer>} */ (of(session.id, "series", { names: "activity,heap.live,heap.size", ...state.window, points: 400 }, round)),
    ]);
    const now = state.session ?? session;
    replace(cards, ...numbers(overview, now));
    shares(caps, overview);
    replace(program, h("h2", null, "Program"), facts(overview, now));
    replace(missing, ...gaps(overview));
    const { names } = series;
    activity.show(names.activity?.points.length ? [{ name: "mutator", colour: STATE.mutator, points: names.activity.points }] : []);
    heap.show([["size", "heap.size", "#56B4E9"], ["live", "heap.live", "#D55E00"]].flatMap(([name, key, colour]) => (names[key]?.points.length ? [{ name, colour, points: names[key].points }] : [])));
  });
}

/**
 * @param {Api.Overview} overview
 * @param {Api.Session} session
 */
function numbers(overview, session) {
  const { heap, losses = {} } = overview;
  const pauses = overview.pauses ?? {};
  const lost = LOST.map((name) => /** @type {[string, number]} */ ([name, losses[name] ?? 0])).filter(([, value]) => value > 0);
  const late = losses.late ? `${count(losses.late)} events came too late to be put in order, so spans and waits may be wrong; flushing the eventlog every second avoids that` : "";
  return [
    fact("Uptime", duration(overview.uptime ?? session.end - session.begin)),
    fact("Productivity", percent(overview.productivity), overview.collecting == null ? "" : `collecting ${duration(overview.collecting)}`),
    fact("Heap", bytes(heap.live), heap.size == null ? "live" : `live, of ${bytes(heap.size)}`),
    fact("Allocation", heap.rate == null ? "–" : `${bytes(heap.rate)}/s`, heap.allocated == null ? "" : `${bytes(heap.allocated)} in all`),
    fact("Pauses", pauses.count == null ? "–" : count(pauses.count), pauses.max == null ? "" : `p50 ${duration(pauses.p50)}, p99 ${duration(pauses.p99)}, longest ${duration(pauses.max)}`),
    fact("Threads", count(session.threads_live), `alive, of ${count(session.threads_ever)} created`),
    fact("Events", count(session.events), overview.event_rate == null ? bytes(session.bytes) : `${count(overview.event_rate)}/s, ${bytes(session.bytes)}`),
    lost.length ? fact("Lost", lost.map(([name, value]) => lostText(name, value)).join(", "), ["these times are hatched in the timeline", late].filter(Boolean).join("; ")) : fact("Lost", "nothing", late),
  ];
}

/** What is lost; what only came late is not. */
const LOST = ["chunks", "bytes", "blocks", "unreadable_bytes", "refused_threads"];

/**
 * @param {string} name
 * @param {number} value
 */
const lostText = (name, value) => (name === "bytes" ? bytes(value) : name === "unreadable_bytes" ? `${bytes(value)} unreadable` : `${count(value)} ${words(name)}`);

/** In the order of the rows of the timeline, from the bottom. */
const ORDER = ["mutator", "collecting", "waiting_for_collection", "switching", "writing_log", "idle", "unknown"];

/**
 * @param {Shares} chart
 * @param {Api.Overview} overview
 */
function shares(chart, { capabilities: caps = [] }) {
  const names = ORDER.filter((name) => caps.some(({ shares: parts }) => parts[name] > 0));
  const bars = caps.map(({ cap, shares: parts }) => ({
    name: `Capability ${cap}`, text: `${percent(parts.mutator ?? 0)} mutator`, values: names.map((name) => parts[name] ?? 0),
  }));
  const mean = names.map((_, n) => bars.reduce((sum, { values }) => sum + values[n], 0) / bars.length);
  const parts = names.map((name) => ({ name: words(name), colour: name === "unknown" ? "lost" : STATE[name] ?? "idle" }));
  chart.show(parts, bars, 1, { name: "All capabilities", text: "", values: mean });
}

/**
 * @param {Api.Overview} overview
 * @param {Api.Session} session
 */
function facts(overview, session) {
  const started = clock(0, session.wall);
  const rows = /** @type {[string, string][]} */ ([
    ["Name", session.program || session.name], ["Source", session.source], ["Process", session.pid == null ? "" : String(session.pid)],
    ["Started", started ?? ""], ["Runtime", session.rts ?? ""], ["Capabilities", count(session.caps)],
    ["Arguments", session.args.slice(1).join(" ") || session.args.join(" ")], ["Restarts", session.restarts ? count(session.restarts) : ""],
  ]);
  // All of them are in the command line.
  const told = new Set(["name", "args", "rts", "pid", "started", "flags"]);
  for (const [key, value] of Object.entries(overview.program ?? {})) {
    if (typeof value === "object" && !Array.isArray(value)) {
      for (const [one, amount] of Object.entries(value ?? {})) if (amount) rows.push([called(one), typeof amount === "number" && /heap|area|size/.test(one) ? bytes(amount) : String(amount)]);
      continue;
    }
    if (told.has(key) || value == null || value === 0) continue;
    rows.push([called(key), readable(value)]);
  }
  return h("dl", { class: "facts" }, ...rows.filter(([, value]) => value !== "").flatMap(([name, value]) => [h("dt", null, name), h("dd", null, value)]));
}

const CALLED = /** @type {Record<string, string>} */ ({
  ppid: "Parent process", env_count: "Environment", others: "Other programs", alloc_area: "Allocation area", mblock_size: "Megablock", block_size: "Block",
});

/** @param {string} key */
const called = (key) => CALLED[key] ?? words(key).replace(/^./, (first) => first.toUpperCase());

/** @param {unknown} value */
function readable(value) {
  if (Array.isArray(value)) return value.join(" ");
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}

/** @param {Api.Overview} overview */
function gaps(overview) {
  const list = overview.missing ?? [];
  if (!list.length) return [h("h2", null, "Missing in the log"), h("p", { class: "quiet" }, "Nothing: all pages have what they need.")];
  return [h("h2", null, "Missing in the log"), h("ul", { class: "missing" }, ...list.map(({ what, why, flag }) => h("li", null, h("b", null, words(what)), `: ${why.replace(/\.?$/, ".")}`,
    flag ? h("span", null, " Run with ", h("code", null, flag), ".") : null)))];
}
