// The common parts of all charts over time: axes, the time under the pointer, selecting a range by dragging.
import { byteTicks, ticks, timeLabel, timeTicks } from "../axis.js";
import { frame, replace, s } from "../dom.js";
import { moment, quantity } from "../format.js";
import { state } from "../state.js";
import { Chart } from "./base.js";

/**
 * @typedef {{ title: string, unit: string, height?: number, empty: string, help?: string }} Options
 * @typedef {{ width: number, height: number, from: number, to: number, least: number, most: number,
 *   x: (time: number) => number, y: (value: number) => number }} Scale
 */

export const LEFT = 72;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 22;

/** A chart over time. Subclasses draw its content. */
export class TimeChart extends Chart {
  /** @type {Scale | null} */
  scale = null;
  #drag = /** @type {{ at: number, now: number } | null} */ (null);
  /** Where the pointer is, from the left of the chart. @type {number | null} */
  #pointer = null;

  /** @param {Options} options */
  constructor(options) {
    super({ height: 160, ...options });
    this.options = options;
    this.inside = s("g");
    this.over = s("g");
    this.emptyText = options.empty;
    this.redraw = frame(() => this.#draw());
    new ResizeObserver(this.redraw).observe(this.svg);
    this.svg.addEventListener("pointerdown", (event) => this.#down(event));
    this.svg.addEventListener("pointermove", (event) => this.#move(event));
    this.svg.addEventListener("pointerup", (event) => this.#up(event));
    this.svg.addEventListener("pointerleave", () => this.#leave());
    this.svg.addEventListener("dblclick", () => state.whole());
  }

  // Overridden by subclasses.
  /** @returns {{ least: number, most: number } | null} null: nothing to draw */
  bounds() {
    return null;
  }
  /** @param {Scale} _scale */
  paint(_scale) {}
  /**
   * The values at a time, with or without a chosen series.
   * @param {number} _time
   * @param {number | null} _series
   * @returns {import("./base.js").Value[]}
   */
  tell(_time, _series) {
    return [];
  }
  /**
   * The height at which a series is drawn at a time.
   * @param {number} _time
   * @param {number} _series
   * @returns {number | null}
   */
  heightAt(_time, _series) {
    return null;
  }

  #draw() {
    const width = this.svg.clientWidth;
    if (!width) return;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    const bounds = this.bounds();
    replace(this.svg);
    replace(this.inside);
    if (!bounds) {
      this.scale = null;
      this.blank(this.emptyText);
      return;
    }
    const { from, to } = state.range;
    const { least, most } = bounds;
    const high = most > least ? most + (most - least) * 0.06 : least + 1;
    this.scale = {
      width, height: this.height, from, to, least, most: high,
      x: (time) => LEFT + ((time - from) / (to - from)) * (width - LEFT - RIGHT),
      y: (value) => this.height - BOTTOM - ((value - least) / (high - least)) * (this.height - TOP - BOTTOM),
    };
    const clip = `clip-${Math.random().toString(36).slice(2)}`;
    this.inside.setAttribute("clip-path", `url(#${clip})`);
    this.paint(this.scale);
    this.svg.append(
      s("defs", null, s("clipPath", { id: clip }, s("rect", { x: LEFT, y: 0, width: Math.max(0, width - LEFT - RIGHT), height: this.height - BOTTOM + 1 }))),
      ...this.#axes(this.scale), this.inside, this.over);
    this.blank("");
    if (this.#pointer != null) this.#point(this.#pointer);
  }

  /** @param {Scale} scale */
  #axes(scale) {
    const nodes = [];
    const unit = this.options.unit;
    if (unit === "none") return this.#times(scale);
    const bytes = unit.startsWith("B") || unit.startsWith("byte");
    const { ticks: values } = (bytes ? byteTicks : ticks)(scale.least, scale.most, this.height / 36);
    for (const value of values) {
      const y = scale.y(value);
      nodes.push(
        s("line", { x1: LEFT, x2: scale.width - RIGHT, y1: y, y2: y, class: "grid", stroke: "#8886", "stroke-width": 1 }),
        s("text", { x: LEFT - 6, y: y + 4, class: "tick", "text-anchor": "end", "font-size": 11 }, quantity(value, unit)));
    }
    return [...nodes, ...this.#times(scale)];
  }

  /** @param {Scale} scale */
  #times(scale) {
    const nodes = [];
    const { step, ticks: times } = timeTicks(scale.from, scale.to, (scale.width - LEFT) / 90);
    for (const time of times) {
      const x = scale.x(time);
      nodes.push(s("line", { x1: x, x2: x, y1: this.height - BOTTOM, y2: this.height - BOTTOM + 4, class: "grid", stroke: "#8888" }));
      if (x > LEFT + 20 && x < scale.width - 24) {
        nodes.push(s("text", { x, y: this.height - 6, class: "tick", "text-anchor": "middle", "font-size": 11 }, timeLabel(time, step)));
      }
    }
    return nodes;
  }

  /** @param {number} x from the left of the chart */
  #time(x) {
    const { scale } = this;
    return scale && scale.from + ((x - LEFT) / (scale.width - LEFT - RIGHT)) * (scale.to - scale.from);
  }

  /** @param {PointerEvent} event */
  #x(event) {
    return event.clientX - this.svg.getBoundingClientRect().left;
  }

  /** @param {PointerEvent} event */
  #down(event) {
    const time = this.#time(this.#x(event));
    if (time == null || event.button !== 0) return;
    this.#drag = { at: time, now: time };
    this.svg.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const x = this.#x(event);
    if (x < LEFT && !this.#drag) this.#leave();
    else this.#point(x);
  }

  /** @param {number} x of the pointer */
  #point(x) {
    this.#pointer = x;
    const time = this.#time(x);
    if (time == null) return;
    if (this.#drag) this.#drag.now = time;
    this.#show(time, null);
  }

  /**
   * @override
   * @param {number} time
   * @param {number | null} series
   * @param {number} apart
   */
  read(time, series, apart) {
    this.#pointer = null;
    return this.#show(time, series, apart);
  }

  /**
   * @param {number} time
   * @param {number | null} series
   * @param {number} [resolution] of the time that is told, if it is finer than a pixel
   */
  #show(time, series, resolution = Infinity) {
    const { scale } = this;
    if (!scale) return "";
    const x = scale.x(time);
    replace(this.over, s("line", { x1: x, x2: x, y1: 0, y2: this.height - BOTTOM, class: "cursor", stroke: "#888" }));
    if (this.#drag) {
      const [a, b] = [scale.x(this.#drag.at), scale.x(this.#drag.now)].sort((p, q) => p - q);
      this.over.append(s("rect", { x: a, width: b - a, y: 0, height: this.height - BOTTOM, class: "range", fill: "#0072B2", "fill-opacity": 0.2 }));
    }
    const height = series == null ? null : this.heightAt(time, series);
    if (height != null) this.over.append(s("circle", { cx: x, cy: scale.y(height), r: 4, class: "spot", "stroke-width": 2 }));
    const text = this.tellAt(x, moment(time, Math.min(resolution, (scale.to - scale.from) / scale.width)), this.tell(time, series));
    // The range may have moved on.
    if (x < LEFT - 1 || x > scale.width) this.hide();
    return text;
  }

  /** @param {PointerEvent} event */
  #up(event) {
    const drag = this.#drag;
    const time = this.#time(this.#x(event));
    this.#drag = null;
    if (!drag || time == null || !this.scale) return;
    const [from, to] = [drag.at, time].sort((a, b) => a - b);
    replace(this.over);
    if (this.scale.x(to) - this.scale.x(from) > 4) state.go({ from, to, last: null });
  }

  #leave() {
    if (this.#drag) return;
    this.#pointer = null;
    this.hide();
  }

  /** @override */
  hide() {
    super.hide();
    replace(this.over);
  }
}

/**
 * The places of values within the range, each once, in order. A value that was there before still holds at its beginning; with `since`, one
 * that comes later already holds at its end.
 * @param {{ from: number, to: number }} range
 * @param {number[]} times
 * @param {"at" | "holds" | "since"} [kind]
 */
export function stopsOf({ from, to }, times, kind = "holds") {
  const there = kind === "at" ? times.filter((time) => time >= from && time <= to)
    : kind === "since" ? times.filter((time) => time >= from).map((time) => Math.min(time, to))
    : times.filter((time) => time <= to).map((time) => Math.max(time, from));
  return [...new Set(there)].sort((a, b) => a - b);
}

/**
 * Where the newest of some values ends: it is drawn for as long as the one before it, but not beyond what there is.
 * @param {number[]} times at least one
 * @param {number} to
 */
export function endOf(times, to) {
  const last = times[times.length - 1];
  const end = Math.max(last, Math.min(to, state.session?.end ?? to));
  return times.length > 1 ? Math.min(end, last + (last - times[times.length - 2])) : end;
}
