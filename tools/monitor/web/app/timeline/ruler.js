// The ruler above the rows: time, and the activity of the capabilities.
import { timeLabel, timeTicks } from "../axis.js";
import { STATE, theme } from "../colours.js";
import { h, replace } from "../dom.js";
import { moment, percent } from "../format.js";
import { at } from "../chart/line.js";
import { state } from "../state.js";

const HEIGHT = 44;

export class Ruler {
  /** @param {import("./data.js").TimelineData} data */
  constructor(data) {
    this.data = data;
    this.canvas = h("canvas", { class: "activity", role: "img", "aria-label": "Share of time in which capabilities run Haskell code" });
    this.labels = h("div", { class: "ticks" });
    this.cursor = h("div", { class: "cursor-time" });
    this.lanes = h("div", { class: "ruler-lanes" }, this.labels, this.canvas, this.cursor);
    this.node = h("div", { class: "ruler" }, h("div", { class: "ruler-name" }, h("span", null, "Activity"), h("span", { class: "quiet" }, "share in mutator")), this.lanes);
  }

  /**
   * @param {number} width
   * @param {number | null} cursor
   */
  draw(width, cursor) {
    const { from, to } = state.range;
    const { step, ticks } = timeTicks(from, to, width / 120);
    replace(this.labels, ...ticks.map((time) => {
      const label = h("span", { class: "tick-label" }, timeLabel(time, step));
      label.style.transform = `translateX(${((time - from) / (to - from)) * width}px)`;
      return label;
    }));
    this.#activity(width, from, to);
    if (cursor == null) {
      this.cursor.hidden = true;
      return;
    }
    const x = ((cursor - from) / (to - from)) * width;
    const busy = at(this.data.activity, cursor);
    this.cursor.hidden = false;
    replace(this.cursor, moment(cursor, (to - from) / width), busy?.[3] != null ? `, ${percent(busy[3])} active` : null);
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
    const { points } = { points: this.data.activity };
    if (!points.length) return;
    const x = (/** @type {number} */ time) => ((time - from) / (to - from)) * w;
    const y = (/** @type {number} */ share) => t - Math.min(1, share) * (t - 2);
    context.fillStyle = STATE.mutator;
    // Each value holds until the next one.
    points.forEach(([time, , , mean], n) => {
      if (mean == null) return;
      const next = points[n + 1]?.[0] ?? Math.min(to, state.session?.end ?? to);
      const a = x(time);
      context.globalAlpha = 0.75;
      context.fillRect(a, y(mean), Math.max(1, x(next) - a), t - y(mean));
    });
    context.globalAlpha = 1;
    context.fillStyle = theme().line;
    context.fillRect(0, t - ratio, w, ratio);
  }
}
