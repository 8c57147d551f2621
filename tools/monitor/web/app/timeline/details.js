// Details of the clicked interval.
import { of, Refused } from "../api.js";
import { dotOf } from "../chart/base.js";
import { MARK, series, STATE } from "../colours.js";
import { h, replace } from "../dom.js";
import { clock, duration, moment, percent, words } from "../format.js";
import { show } from "../motion.js";
import { state } from "../state.js";

export class Details {
  #round = new AbortController();
  #shown = "";

  /**
   * @param {string} session
   * @param {import("./view.js").View} view
   */
  constructor(session, view) {
    this.session = session;
    this.view = view;
    this.node = h("aside", { class: "details", "aria-label": "Details of the selection", "aria-live": "polite", hidden: true });
  }

  close() {
    this.#round.abort();
  }

  /** Shows the selection in the address: `c0@123`, `t17@123`, or a span: `sTRACK/DEPTH@123`, with its beginning. */
  async follow() {
    const { sel } = state.place;
    if ((sel ?? "") === this.#shown) return;
    this.#shown = sel ?? "";
    this.#round.abort();
    const parts = /^(c\d+|t\d+|s.*\/\d+)@(\d+)$/s.exec(sel ?? "");
    if (!parts) {
      this.node.hidden = true;
      this.view.marked = null;
      this.view.redraw();
      return;
    }
    this.#round = new AbortController();
    const { signal } = this.#round;
    const time = Number(parts[2]);
    try {
      if (parts[1].startsWith("s")) {
        await this.#span(parts[1], time, signal);
        return;
      }
      /** @type {Api.At} */
      const answer = await of(this.session, "at", { row: parts[1], time }, signal);
      if (signal.aborted) return;
      const { interval } = answer;
      this.view.marked = interval ? { row: parts[1], from: interval.from, to: interval.to ?? state.session?.end ?? time } : { row: parts[1], from: time, to: time };
      this.#put(parts[1], time, answer);
    } catch (error) {
      if (signal.aborted) return;
      this.#frame(parts[1], [h("p", { class: "trouble" }, error instanceof Refused ? error.message : String(error))]);
    }
    this.view.redraw();
  }

  /**
   * @param {string} row
   * @param {number} time its beginning
   * @param {AbortSignal} signal
   */
  async #span(row, time, signal) {
    // The depth depends on which other spans are in the answer.
    const track = row.slice(1, row.lastIndexOf("/"));
    const fits = (/** @type {Api.Span} */ span) => span.from === time && String(span.track) === track;
    const known = () => this.view.data.spans.find((span) => fits(span) && `s${span.track}/${span.depth}` === row) ?? this.view.data.spans.find(fits);
    let span = known();
    if (!span) {
      /** @type {Api.Spans} */
      const answer = await of(this.session, "spans", { from: time, to: time + 1, limit: 10_000 }, signal);
      if (signal.aborted) return;
      span = known() ?? answer.rows.find(fits);
    }
    if (!span) {
      this.#frame("Span", [h("p", { class: "empty" }, "This span is not kept any more.")]);
      this.view.marked = null;
      return;
    }
    const { name, from, to, thread, running, collecting } = span;
    const until = to ?? state.session?.end ?? from;
    this.view.marked = { row, from, to: until };
    const share = (/** @type {number | null | undefined} */ ns) => (ns == null ? null : `${duration(ns)}${until > from ? ` (${percent(ns / (until - from))})` : ""}`);
    const rows = /** @type {[string, import("../dom.js").Child][]} */ ([
      ["Duration", h("b", null, duration(until - from), to == null ? ", not finished" : "")], ["From", moment(from)], ["To", to == null ? null : moment(to)],
      ["Track", span.track == null ? null : String(span.track)], ["Thread", thread == null ? null : this.#thread(thread)],
      ["Running", share(running)], ["Collecting", share(collecting)],
    ]);
    this.#frame(name, [
      h("dl", { class: "facts" }, ...rows.filter(([, value]) => value != null).flatMap(([key, value]) => [h("dt", null, key), h("dd", null, value)])),
      h("button", { type: "button", onclick: () => show(from, until) }, "Zoom to it"), " ",
      h("button", { type: "button", onclick: () => state.go({ page: "spans", more: { name } }) }, "All of this name"),
    ]);
  }

  /**
   * @param {string} title
   * @param {import("../dom.js").Child[]} content
   */
  #frame(title, content) {
    this.node.hidden = false;
    // What is pressed again and again keeps the focus.
    const pressed = document.activeElement;
    const step = pressed instanceof HTMLElement && this.node.contains(pressed) ? pressed.dataset.step : null;
    replace(this.node,
      h("div", { class: "details-head" }, h("h2", null, title),
        h("button", { type: "button", "aria-label": "Close the details", title: "Close (Escape)", onclick: () => state.go({ sel: null }, false) }, "×")),
      ...content);
    if (step) /** @type {HTMLElement | null} */ (this.node.querySelector(`[data-step="${step}"]`))?.focus();
  }

  /**
   * @param {string} row
   * @param {number} time
   * @param {Api.At} answer
   */
  #put(row, time, { interval, events }) {
    const name = row.startsWith("c") ? `Capability ${row.slice(1)}` : this.view.data.names.get(Number(row.slice(1))) ?? `Thread ${row.slice(1)}`;
    const content = [];
    if (interval) content.push(this.#interval(interval), steps(row, interval));
    else content.push(h("p", { class: "empty" }, "The state here is unknown: the events are lost, or have not arrived yet."));
    content.push(h("p", { class: "quiet" }, `Selected: ${moment(time)}`, clockText(time)));
    content.push(h("h3", null, "Events around it"));
    if (!events.length) content.push(h("p", { class: "empty" }, "No events of this time are kept."));
    content.push(h("ol", { class: "events" }, ...events.map((event) => this.#event(event, time))));
    this.#frame(name, content);
  }

  /** @param {Api.Interval} interval */
  #interval(interval) {
    const { state: name, from, to, thread, cap, reason, woken_by: wokenBy, waits_for: waitsFor, ...more } = interval;
    const dot = dotOf(STATE[name] ?? (name === "unknown" ? "lost" : "idle"));
    const until = to ?? state.session?.end ?? from;
    const rows = /** @type {[string, import("../dom.js").Child][]} */ ([
      ["State", h("span", null, dot, words(name), reason ? `: ${words(reason)}` : "")],
      ["Duration", h("b", null, duration(until - from), to == null ? ", not finished" : "")],
      ["From", moment(from)],
      ["To", moment(until)],
    ]);
    if (thread != null) rows.push(["Thread", this.#thread(thread)]);
    if (cap != null) rows.push(["Capability", String(cap)]);
    if (wokenBy?.thread != null) rows.push(["Woken by", this.#thread(wokenBy.thread)]);
    if (wokenBy) rows.push(["Woken at", `${moment(wokenBy.time)}${wokenBy.cap == null ? "" : ` by capability ${wokenBy.cap}`}`]);
    if (waitsFor != null) rows.push(["Waits for", this.#thread(waitsFor)]);
    for (const [key, value] of Object.entries(more)) {
      if (typeof value === "string" || typeof value === "number") rows.push([words(key), String(value)]);
    }
    return h("div", null,
      h("dl", { class: "facts" }, ...rows.flatMap(([key, value]) => [h("dt", null, key), h("dd", null, value)])),
      h("button", { type: "button", onclick: () => show(from, until) }, "Zoom to it"));
  }

  /** @param {number} id */
  #thread(id) {
    const name = this.view.data.names.get(id);
    return h("a", { href: `#/thread/${id}`, onclick: (/** @type {Event} */ event) => {
      event.preventDefault();
      state.go({ page: `thread/${id}` });
    } }, name ? `${id} ${name}` : String(id));
  }

  /**
   * @param {Api.Event} event
   * @param {number} time
   */
  #event(event, time) {
    const near = 20_000;
    return h("li", { class: event.time <= time ? "before" : null },
      h("button", {
        type: "button", title: "Zoom to this event", class: "plain",
        onclick: () => state.go({ from: event.time - near, to: event.time + near, last: null, sel: event.cap == null ? state.place.sel : `c${event.cap}@${event.time}` }),
      }, moment(event.time)),
      h("span", { class: "event-name" }, words(event.name)), h("span", { class: "event-text" }, event.text === event.name ? "" : event.text));
  }
}

/**
 * Goes to the interval before or after this one.
 * @param {string} row
 * @param {Api.Interval} interval
 */
function steps(row, { from, to }) {
  const go = (/** @type {number} */ time) => {
    const { from: left, to: right } = state.range;
    const by = time < left || time > right ? time - (left + right) / 2 : 0;
    state.go({ sel: `${row}@${time}`, ...(by ? { from: left + by, to: right + by, last: null } : {}) }, false);
  };
  const [begin, end] = [state.session?.begin ?? 0, state.session?.end ?? 0];
  return h("div", { class: "tools" },
    h("button", { type: "button", "data-step": "before", disabled: from <= begin, onclick: () => go(from - 1) }, "◂ Before it"),
    h("button", { type: "button", "data-step": "after", disabled: to == null || to >= end, onclick: () => to != null && go(to) }, "After it ▸"));
}

/** @param {number} time */
function clockText(time) {
  const text = clock(time, state.session?.wall ?? null);
  return text ? ` (${text})` : "";
}

/** The legend of the colours. */
export function legend() {
  const entries = [
    ["mutator, running", STATE.mutator], ["collecting", STATE.collecting], ["waiting for the collection", STATE.waiting_for_collection],
    ["switching, runnable", STATE.runnable], ["foreign call", STATE.foreign_call], ["blocked", STATE.blocked], ["writing log, marker", MARK],
  ];
  // Spans have a colour for each name.
  const spans = h("span", { class: "dot" });
  spans.style.background = `linear-gradient(90deg, ${series(0)} 0 33%, ${series(9)} 33% 66%, ${series(10)} 66%)`;
  return h("div", { class: "legend" }, ...entries.map(([name, colour]) => {
    const dot = h("span", { class: "dot" });
    dot.style.background = colour;
    return h("span", { class: "key" }, dot, name);
  }), h("span", { class: "key" }, h("span", { class: "dot idle" }), "idle"), h("span", { class: "key" }, h("span", { class: "dot lost" }), "unknown"),
  h("span", { class: "key" }, spans, "spans, by name"));
}
