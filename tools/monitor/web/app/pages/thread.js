// One thread.
import { of } from "../api.js";
import { Shares } from "../chart/shares.js";
import { STATE } from "../colours.js";
import { h, replace } from "../dom.js";
import { count, duration, moment, words } from "../format.js";
import { show } from "../motion.js";
import { state } from "../state.js";
import { Table } from "../table.js";
import { fact, keepLoaded } from "./loader.js";
import { stateText } from "./threads.js";

const KNOWN = new Set(["id", "label", "state", "reason", "cap", "run_time", "blocked", "switches", "created", "ended", "until", "runs", "events", "row", "age", "since", "runnable", "foreign", "blocked_total", "migrations", "waits_for"]);

/** @typedef {{ from: number, to: number, cap: number }} Run */

/**
 * @param {HTMLElement} root
 * @param {Api.Session} session
 * @param {AbortSignal} signal
 */
export function mount(root, session, signal) {
  const id = Number(state.place.page.split("/")[1]);
  /** @type {Api.Thread | null} */
  let known = null;
  const name = h("h1", null, `Thread ${id}`);
  const head = h("div", { class: "page-head" }, name,
    h("button", { type: "button", onclick: () => known && zoomTo(known) }, "Show on the timeline"),
    h("button", { type: "button", onclick: () => state.go({ page: "threads" }) }, "All threads"));
  const cards = h("div", { class: "cards" });
  const blocked = new Shares({
    title: "Blocked", unit: "ns", head: ["reason", "state", "ns"], empty: "It was never blocked, according to the log.", help: "By reason; a whole bar is the lifetime of the thread",
  });
  const waits = h("section");
  const more = h("section");
  /** @type {Table<Run>} */
  const runs = new Table({
    label: "the newest runs", sort: "from", descending: true, empty: "No run of this thread is kept.", height: 300, filter: false,
    open: ({ from, to }) => {
      show(from, to);
      state.go({ page: "timeline", sel: `t${id}@${Math.round(from)}`, more: { threads: "1" } });
    },
    columns: [
      { key: "from", name: "From", number: true, width: 140, text: ({ from }) => moment(from), value: ({ from }) => from },
      { key: "length", name: "Length", number: true, text: ({ from, to }) => duration(to - from), value: ({ from, to }) => to - from },
      { key: "cap", name: "Capability", number: true, text: ({ cap }) => String(cap), value: ({ cap }) => cap },
    ],
  });
  const runsPart = h("section", null, h("h2", null, "Runs"), runs.node);
  root.append(head, cards, blocked.node, waits, more, runsPart);
  keepLoaded(root, signal, async (round) => {
    /** @type {Api.Thread} */
    const thread = await of(session.id, `thread/${id}`, {}, round);
    known = thread;
    replace(name, thread.label ? `Thread ${id}: ${thread.label}` : `Thread ${id}`);
    const end = thread.ended ?? state.session?.end ?? 0;
    const life = thread.created == null ? null : end - thread.created;
    replace(cards,
      fact("State", stateText(thread), thread.cap == null ? "" : `on capability ${thread.cap}`),
      fact("Run time", duration(thread.run_time), life && thread.run_time != null ? `${((thread.run_time / life) * 100).toFixed(1)} % of its lifetime` : ""),
      fact("Age", duration(life), thread.created == null ? "older than the log" : `since ${moment(thread.created, 1e6)}`),
      fact("Runnable", duration(number(thread.runnable)), "waited for a capability"),
      ...(number(thread.foreign) ? [fact("Foreign calls", duration(number(thread.foreign)), "outside of Haskell")] : []),
      fact("Switches", count(thread.switches), thread.migrations == null ? "" : `${count(number(thread.migrations))} migrations`),
      fact("Finished", thread.ended == null ? "no" : moment(thread.ended, 1e6)));
    reasons(blocked, thread, life);
    replace(waits, ...longest(thread), ...owner(thread), ...spansOpen(thread));
    replace(more, ...others(thread));
    const list = Array.isArray(thread.runs) ? thread.runs : null;
    runsPart.hidden = !list;
    if (list) runs.fill(list);
  });
}

/** @param {unknown} value */
const number = (value) => (typeof value === "number" ? value : null);

/** @param {Api.Thread} thread */
function zoomTo(thread) {
  const end = thread.ended ?? state.session?.end ?? 0;
  const from = thread.created ?? state.session?.begin ?? 0;
  show(from, end);
  state.go({ page: "timeline", more: { threads: "1" }, sel: `t${thread.id}@${Math.round(from)}` });
}

/**
 * @param {Shares} chart
 * @param {Api.Thread} thread
 * @param {number | null} life
 */
function reasons(chart, thread, life) {
  const all = Object.entries(thread.blocked ?? {}).filter(([, ns]) => ns > 0).sort((a, b) => b[1] - a[1]);
  const total = all.reduce((sum, [, ns]) => sum + ns, 0);
  chart.show([{ name: "blocked", colour: STATE.blocked }], all.map(([reason, ns]) => ({ name: words(reason), text: duration(ns), values: [ns] })),
    Math.max(life ?? 0, all[0]?.[1] ?? 1), { name: "All reasons", text: "", values: [total] });
}

/** The longest time that it was blocked, among its newest intervals. @param {Api.Thread} thread */
function longest(thread) {
  const one = /** @type {{ from: number, to: number, reason: string } | null | undefined} */ (thread.blocked_longest);
  if (!one) return [];
  return [h("p", null, `The longest lately: ${duration(one.to - one.from)} (${words(one.reason)}) `, h("button", {
    type: "button", onclick: () => {
      show(one.from, one.to);
      state.go({ page: "timeline", sel: `t${thread.id}@${Math.round(one.from)}`, more: { threads: "1" } });
    },
  }, "Show it"))];
}

/** The thread that has what it waits for. @param {Api.Thread} thread */
function owner(thread) {
  const id = number(thread.waits_for);
  if (id == null) return [];
  return [h("p", null, "It waits for ", h("button", { type: "button", onclick: () => state.go({ page: `thread/${id}` }) }, `thread ${id}`))];
}

/** @param {Api.Thread} thread */
function spansOpen(thread) {
  const open = /** @type {{ name: string, from: number }[]} */ (Array.isArray(thread.spans_open) ? thread.spans_open : []);
  if (!open.length) return [];
  return [h("h2", null, "Open spans"), h("dl", { class: "facts" }, ...open.flatMap(({ name, from }) => [h("dt", null, name), h("dd", null, `since ${moment(from, 1e6)}`)]))];
}

/** @param {Api.Thread} thread */
function others(thread) {
  const rows = Object.entries(thread).filter(([key, value]) => !KNOWN.has(key) && (typeof value === "string" || typeof value === "number" || typeof value === "boolean"));
  if (!rows.length) return [];
  return [h("h2", null, "More"), h("dl", { class: "facts" }, ...rows.flatMap(([key, value]) => [h("dt", null, words(key)),
    h("dd", null, typeof value === "number" && /time|longest|_ns$|allocated_at/.test(key) ? duration(value) : String(value))]))];
}
