// The ruler above the rows: time, and the activity of the capabilities.
import { timeLabel, timeTicks } from "../axis.js";
import { STATE, theme } from "../colours.js";
import { h, replace } from "../dom.js";
import { moment, percent } from "../format.js";
import { Cursor } from "../chart/cursor.js";
import { endOf, stopsOf } from "../chart/frame.js";
import { at } from "../chart/line.js";
import { state } from "../state.js";

const HEIGHT = 44;
/** About the width of a letter of a label, in pixels. */
const LETTER = 8;

export class Ruler {
  #width = 1;

  /**
   * @param {import("./data.js").TimelineData} data
   * @param {(time: number | null) => void} point shows a time, as if the pointer were there
   */
  constructor(data, point) {
    this.data = data;
    this.canvas = h("canvas", { class: "activity", role: "img", "aria-label": "Share of time in which capabilities run Haskell code" });
    this.labels = h("div", { class: "ticks" });
    this.cursor = h("div", { class: "cursor-time" });
    this.keyboard = new Cursor(h("div", { class: "ruler-lanes" }), {
      label: "Activity",
      series: () => [],
      stops: () => stopsOf(state.range, this.data.activity.filter(([, , , mean]) => mean != null).map(([time]) => time)),
      show: (time, _, apart) => {
        point(time);
        return this.#text(time, apart);
      },
      hide: () => point(null),
    });
    this.lanes = this.keyboard.node;
    this.lanes.append(this.labels, this.canvas, this.cursor);
    this.node = h("div", { class: "ruler" }, h("div", { class: "ruler-name" }, h("span", null, "Activity"), h("span", { class: "quiet" }, "share in mutator")), this.lanes, this.keyboard.told);
  }

  /**
   * @param {number} time
   * @param {number} [resolution] if it is finer than a pixel
   */
  #text(time, resolution = Infinity) {
    const { from, to } = state.range;
    const busy = at(this.data.activity, time);
    return `${moment(time, Math.min(resolution, (to - from) / this.#width))}${busy?.[3] != null ? `, ${percent(busy[3])} active` : ""}`;
  }

  /**
   * @param {number} width
   * @param {number | null} cursor
   */
  draw(width, cursor) {
    const { from, to } = state.range;
    this.#width = width;
    const { step, ticks } = timeTicks(from, to, width / 120);
    // The same nodes in each frame, because removed ones have to be collected.
    while (this.labels.childElementCount > ticks.length) this.labels.lastElementChild?.remove();
    while (this.labels.childElementCount < ticks.length) this.labels.append(h("span"));
    ticks.forEach((time, n) => {
      const label = /** @type {HTMLElement} */ (this.labels.children[n]);
      const x = ((time - from) / (to - from)) * width;
      const text = timeLabel(time, step);
      // No half of a label at the end.
      const fits = x + text.length * LETTER < width;
      label.className = fits ? "tick-label" : "tick-mark";
      if (label.textContent !== (fits ? text : "")) label.textContent = fits ? text : "";
      label.style.transform = `translateX(${x}px)`;
    });
    this.#activity(width, from, to);
    if (cursor == null) {
      this.cursor.hidden = true;
      return;
    }
    const x = ((cursor - from) / (to - from)) * width;
    this.cursor.hidden = false;
    replace(this.cursor, this.#text(cursor));
    this.cursor.style.transform = `translateX(${x > width - 200 ? x - 8 : x + 8}px)${x > width - 200 ? " translateX(-100%)" : ""}`;
  }

  /**
   * @param {number} width
   * @param {number} from
   * @param {number} to
   */
  #activity(width, from, to) {
    const ratio = window.devicePixelRatio || 1;
    const [w, t] = [Math.round(width * ratio), Math.round(HEIGHT * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== t) {
      this.canvas.width = w;
      this.canvas.height = t;
    }
    const context = this.canvas.getContext("2d");
    if (!context) return;
    context.clearRect(0, 0, w, t);
    const points = this.data.activity;
    if (!points.length) return;
    const x = (/** @type {number} */ time) => ((time - from) / (to - from)) * w;
    const y = (/** @type {number} */ share) => t - Math.min(1, share) * (t - 2);
    context.fillStyle = STATE.mutator;
    // Each value holds until the next one; nothing is known after the newest one, which may be late.
    const end = endOf(points.map(([time]) => time), to);
    points.forEach(([time, , , mean], n) => {
      if (mean == null) return;
      const next = points[n + 1]?.[0] ?? end;
      const a = x(time);
      context.globalAlpha = 0.75;
      context.fillRect(a, y(mean), Math.max(1, x(next) - a), t - y(mean));
    });
    context.globalAlpha = 1;
    context.fillStyle = theme().line;
    context.fillRect(0, t - ratio, w, ratio);
  }
}
