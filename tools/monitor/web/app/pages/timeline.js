// The timeline: see timeline/.
import { h, replace } from "../dom.js";
import { Refused } from "../api.js";
import { ARROWS } from "../colours.js";
import { count } from "../format.js";
import { state } from "../state.js";
import { TimelineData } from "../timeline/data.js";
import { Details, legend } from "../timeline/details.js";
import { listen } from "../timeline/input.js";
import { ThreadPages } from "../timeline/threads.js";
import { View } from "../timeline/view.js";
import { keepStill } from "../motion.js";
import { sayKept } from "./loader.js";

/** The limit on the time for reloading the tiles of a live session. */
const BYTES_PER_SECOND = 60_000;

/** How often the threads of a program that is followed are loaded again, in ms. */
const FOLLOWED = 3000;

/**
 * @param {HTMLElement} root
 * @param {Api.Session} session
 * @param {AbortSignal} signal
 */
export function mount(root, session, signal) {
  const data = new TimelineData(session.id, () => arrange(), signal);
  const view = new View(session.id, data, (error) => {
    if (signal.aborted) return;
    data.trouble = error instanceof Refused ? error.message : String(error);
    say();
    setTimeout(() => {
      view.tiles.grown();
      view.redraw();
    }, 3000);
  });
  const threads = new ThreadPages(session.id, view.rows, () => view.redraw());
  const details = new Details(session.id, view);
  const kept = h("p", { class: "note", hidden: true });
  const note = h("span", { class: "quiet", "aria-live": "polite" });
  const sort = h("select", { "aria-label": "Order of the threads", onchange: () => renew() },
    ...[["id", "by age"], ["run_time", "by run time"], ["switches", "by switches"], ["label", "by label"]].map(([value, name]) => h("option", { value }, name)));
  const find = h("input", { type: "search", placeholder: "Filter threads", "aria-label": "Filter threads", size: 14, oninput: () => renew() });
  const nothing = h("p", { class: "empty big", hidden: true }, "No capability has written anything yet. A log has the scheduler's events if it was written with +RTS -l or -ls.");
  const tools = h("span", { class: "thread-tools" }, find, sort);
  root.append(
    h("h1", { class: "off-screen" }, "Timeline"),
    h("div", { class: "timeline-tools" }, legend(), note, tools), kept,
    nothing, h("div", { class: "timeline" }, h("div", { class: "timeline-main" }, view.ruler.node, view.scroller), details.node));

  const renew = () => {
    threads.renew(sort.value, find.value);
    needed();
  };
  const needed = () => {
    if (!view.rows.unfolded) return;
    const top = view.scroller.scrollTop;
    const { from, to } = view.rows.threadsBetween(top, top + view.scroller.clientHeight);
    threads.need(from, Math.max(to, from + 1));
  };
  const arrange = () => {
    const unfolded = state.place.more.threads === "1";
    tools.hidden = !unfolded;
    view.rows.arrange(data.rows, data.spans, data.hasMarks, unfolded, state.place.more.spans === "1");
    view.ruler.keyboard.offer(data.activity.length > 0);
    needed();
    say();
    view.redraw();
  };
  const say = () => {
    sayKept(kept, data.keptFrom);
    nothing.hidden = !data.rows || data.rows.caps.length > 0;
    const parts = data.trouble ? [data.trouble] : [
      ...arrowsText(data, view.rows.unfolded),
      data.spanTotal > data.spans.length ? `the longest ${count(data.spans.length)} of ${count(data.spanTotal)} spans` : "",
      data.moreMarks ? `the first ${count(data.marks.length)} markers: zoom in to see the others` : "",
    ].filter(Boolean);
    replace(note, ...parts.flatMap((part, n) => (n ? [" · ", part] : [part])));
    note.classList.toggle("trouble", Boolean(data.trouble));
  };

  listen(view, (x, y) => {
    const row = view.rowAt(y);
    if (!row) return;
    const time = Math.max(0, Math.round(view.time(x)));
    if (row.kind === "cap" || (row.kind === "thread" && row.key)) state.go({ sel: `${row.key}@${time}` }, false);
    if (row.kind === "span") {
      const span = nearest(row.spans ?? [], (one) => [view.x(one.from), view.x(one.to ?? state.session?.end ?? one.from)], x);
      if (span) state.go({ sel: `s${span.track}/${span.depth}@${span.from}` }, false);
    } else if (row.kind === "marks") {
      const mark = nearest(data.marks, (one) => [view.x(one.time), view.x(one.time)], x);
      if (mark?.cap != null) state.go({ sel: `c${mark.cap}@${mark.time}` }, false);
    }
  }, signal);
  state.on(["range"], () => {
    view.redraw();
    data.soon();
    threadsSoon();
  }, signal);
  let length = 0;
  const threadsSoon = () => {
    // A small move rarely changes which threads are alive: reload only when the range
    // stops moving, and now and then while a program is followed.
    if (!state.follows) clearTimeout(length);
    else if (length) return;
    length = window.setTimeout(() => {
      length = 0;
      renew();
    }, state.follows ? FOLLOWED : 200);
  };
  let bytes = 0;
  let renewed = 0;
  state.on(["sessions"], () => {
    const now = Date.now();
    const wait = Math.min(3000, Math.max(240, (bytes / BYTES_PER_SECOND) * 1000));
    if (now - renewed >= wait) {
      renewed = now;
      bytes = view.rows.between(view.scroller.scrollTop, view.scroller.scrollTop + view.scroller.clientHeight).length * 2000;
      view.tiles.grown();
    }
    if (now - rowsKnown > 2000) {
      rowsKnown = now;
      data.soon();
    }
    view.redraw();
  }, signal);
  let rowsKnown = Date.now();
  state.on(["place"], () => {
    arrange();
    void details.follow();
  }, signal);
  state.on(["theme"], () => view.themed(), signal);
  view.scroller.addEventListener("scroll", needed, { passive: true, signal });
  signal.addEventListener("abort", () => {
    clearTimeout(length);
    threads.close();
    details.close();
    view.close();
    keepStill(null);
  });
  threads.renew("id", "");
  arrange();
  data.paced.now();
  void details.follow();
  // For tests and measurements.
  Object.assign(root, { view });
}

const KINDS = /** @type {[string, string, string][]} */ ([
  ["wakeup", "wake-up", "wake-ups"], ["migration", "migration", "migrations"], ["blackhole", "to the owner of a black hole", "to owners of black holes"],
]);

/**
 * How many arrows there are, and what their colours mean.
 * @param {TimelineData} data
 * @param {boolean} unfolded whether threads have rows
 * @returns {import("../dom.js").Child[]}
 */
function arrowsText(data, unfolded) {
  if (data.arrowTotal > 0 && !data.arrows.length) return [`${data.moreArrows ? "more than " : ""}${count(data.arrowTotal)} wake-ups and migrations: zoom in to see them`];
  const { from, to } = state.range;
  const arrows = data.arrows.filter(({ time }) => time >= from && time <= to);
  const kinds = KINDS.flatMap(([kind, one, many]) => {
    const number = arrows.filter((arrow) => arrow.kind === kind).length;
    if (!number) return [];
    const sign = h("span", { class: "arrow-key", "aria-hidden": "true" }, "↓");
    sign.style.color = ARROWS[kind] ?? "var(--ink)";
    return [h("span", null, sign, ` ${count(number)} ${number === 1 ? one : many}`)];
  });
  const within = !unfolded && arrows.some(({ from_cap: a, to_cap: b }) => a == null || b == null || a === b);
  return within ? [...kinds, "unfold the threads to see all of them"] : kinds;
}

/** How far beside something a click still means it, in pixels. */
const BESIDE = 6;

/**
 * What is under the pointer, or closest to it.
 * @template T
 * @param {T[]} all
 * @param {(one: T) => [number, number]} place
 * @param {number} x
 */
function nearest(all, place, x) {
  let [found, least] = /** @type {[T | null, number]} */ ([null, BESIDE]);
  for (const one of all) {
    const [a, b] = place(one);
    const distance = Math.max(0, a - x, x - b);
    if (distance < least) [found, least] = [one, distance];
  }
  return found;
}
