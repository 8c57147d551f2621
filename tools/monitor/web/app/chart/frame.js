// The common parts of all charts: axes, values under the pointer, selecting a range by
// dragging, export.
import { byteTicks, ticks, timeLabel, timeTicks } from "../axis.js";
import { download, frame, h, replace, s } from "../dom.js";
import { moment, quantity } from "../format.js";
import { state } from "../state.js";
import { saveSvg } from "./save.js";

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
export class TimeChart {
  /** @type {Scale | null} */
  scale = null;
  #told = h("div", { class: "chart-told", "aria-live": "off" });
  #drag = /** @type {{ at: number, now: number } | null} */ (null);

  /** @param {Options} options */
  constructor(options) {
    this.options = options;
    this.height = options.height ?? 160;
    this.svg = s("svg", { class: "chart", role: "img", height: this.height, width: "100%" });
    this.inside = s("g");
    this.over = s("g");
    this.keys = h("div", { class: "keys" });
    this.emptyText = options.empty;
    this.node = h("figure", { class: "chart-box" },
      h("figcaption", { title: options.help }, h("span", { class: "chart-title" }, options.title), this.keys,
        h("span", { class: "chart-buttons" },
          h("button", { type: "button", title: `Save ${options.title} as SVG`, onclick: () => saveSvg(this.svg, `${this.#name()}.svg`) }, "SVG"),
          h("button", { type: "button", title: `Save ${options.title} as CSV`, onclick: () => this.#saveCsv() }, "CSV"))),
      h("div", { class: "chart-area" }, this.svg, this.#told));
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
   * The values at a time.
   * @param {number} _time
   * @returns {{ name: string, text: string, colour?: string }[]}
   */
  tell(_time) {
    return [];
  }
  /** @returns {(string | number | null)[][]} including a head row */
  rows() {
    return [];
  }

  #draw() {
    const width = this.svg.clientWidth;
    if (!width) return;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    const bounds = this.bounds();
    this.svg.setAttribute("aria-label", `${this.options.title}${bounds ? "" : `: ${this.emptyText}`}`);
    replace(this.svg);
    replace(this.inside);
    if (!bounds) {
      this.scale = null;
      const text = h("p", { class: "empty" }, this.emptyText);
      replace(this.#told, text);
      this.#told.classList.add("shown", "is-empty");
      return;
    }
    this.#told.classList.remove("is-empty", "shown");
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
      s("title", null, this.options.title),
      s("defs", null, s("clipPath", { id: clip }, s("rect", { x: LEFT, y: 0, width: Math.max(0, width - LEFT - RIGHT), height: this.height - BOTTOM + 1 }))),
      ...this.#axes(this.scale), this.inside, this.over);
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

  /** @param {PointerEvent} event */
  #time(event) {
    const scale = this.scale;
    if (!scale) return null;
    const x = event.clientX - this.svg.getBoundingClientRect().left;
    return scale.from + ((x - LEFT) / (scale.width - LEFT - RIGHT)) * (scale.to - scale.from);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    const time = this.#time(event);
    if (time == null || event.button !== 0) return;
    this.#drag = { at: time, now: time };
    this.svg.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const time = this.#time(event);
    const scale = this.scale;
    if (time == null || !scale) return;
    const x = scale.x(time);
    if (x < LEFT && !this.#drag) {
      this.#leave();
      return;
    }
    replace(this.over, s("line", { x1: x, x2: x, y1: 0, y2: this.height - BOTTOM, class: "cursor", stroke: "#888" }));
    if (this.#drag) {
      this.#drag.now = time;
      const [a, b] = [scale.x(this.#drag.at), x].sort((p, q) => p - q);
      this.over.append(s("rect", { x: a, width: b - a, y: 0, height: this.height - BOTTOM, class: "range", fill: "#0072B2", "fill-opacity": 0.2 }));
    }
    const told = this.tell(time);
    replace(this.#told, h("div", { class: "quiet" }, moment(time, (scale.to - scale.from) / scale.width)),
      ...told.map(({ name, text, colour }) => {
        const dot = h("span", { class: "dot" });
        dot.style.background = colour ?? "transparent";
        return h("div", { class: "told" }, dot, h("span", { class: "told-name" }, name), h("b", null, text));
      }));
    this.#told.classList.add("shown");
    const right = x > scale.width / 2;
    this.#told.style.left = right ? "auto" : `${x + 12}px`;
    this.#told.style.right = right ? `${scale.width - x + 12}px` : "auto";
  }

  /** @param {PointerEvent} event */
  #up(event) {
    const drag = this.#drag;
    const time = this.#time(event);
    this.#drag = null;
    if (!drag || time == null || !this.scale) return;
    const [from, to] = [drag.at, time].sort((a, b) => a - b);
    replace(this.over);
    if (this.scale.x(to) - this.scale.x(from) > 4) state.go({ from, to, last: null });
  }

  #leave() {
    if (this.#drag || !this.scale) return;
    replace(this.over);
    this.#told.classList.remove("shown");
  }

  #saveCsv() {
    const cell = (/** @type {string | number | null} */ value) => {
      const text = value == null ? "" : String(value);
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    download(`${this.#name()}.csv`, "text/csv", this.rows().map((row) => row.map(cell).join(",")).join("\r\n"));
  }

  #name() {
    return `${state.session?.name ?? "eventlog"}-${this.options.title}`.replace(/[^\w.-]+/g, "-").toLowerCase();
  }
}

/**
 * The legend of colours.
 * @param {HTMLElement} node
 * @param {{ name: string, colour: string }[]} keys
 */
export function showKeys(node, keys) {
  replace(node, ...keys.map(({ name, colour }) => {
    const dot = h("span", { class: "dot" });
    dot.style.background = colour;
    return h("span", { class: "key" }, dot, name);
  }));
}
