// A histogram of durations, on a logarithmic axis.
import { frame, replace, s } from "../dom.js";
import { count, duration } from "../format.js";
import { Chart, showKeys } from "./base.js";

/** @typedef {{ name: string, colour: string, buckets: Api.Bucket[] }} Group */
/** @typedef {{ least: number, most: number, top: number, x: (ns: number) => number, y: (count: number) => number }} Scale */

const [LEFT, RIGHT, TOP, BOTTOM] = [48, 8, 10, 22];

export class Histogram extends Chart {
  /** @type {Group[]} */
  #used = [];
  /** @type {Scale | null} */
  #scale = null;
  #over = s("g");

  /** @param {{ title: string, what: string, empty: string, height?: number }} options `what`: what is counted */
  constructor({ title, what, empty, height = 160 }) {
    super({ title, height });
    this.what = what;
    this.emptyText = empty;
    this.svg.classList.add("bars");
    this.redraw = frame(() => this.#draw());
    new ResizeObserver(this.redraw).observe(this.svg);
    this.svg.addEventListener("pointermove", (event) => this.#move(event));
    this.svg.addEventListener("pointerleave", () => this.hide());
  }

  /**
   * @param {Group[]} groups
   * @param {string} [title]
   */
  show(groups, title = this.title) {
    this.#used = groups.map((group) => ({ ...group, buckets: group.buckets.filter(({ count: n }) => n > 0) })).filter(({ buckets }) => buckets.length > 0);
    if (title !== this.title) this.title = title;
    showKeys(this.keys, this.#used);
    this.redraw();
  }

  #draw() {
    const width = this.svg.clientWidth;
    if (!width) return;
    this.#scale = this.#used.length ? scaled(this.#used, width, this.height) : null;
    replace(this.svg);
    if (this.#scale) {
      this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
      this.svg.append(...axes(this.#scale, width, this.height), ...bars(this.#scale, this.#used), this.#over);
    }
    this.blank(this.#scale ? "" : this.emptyText);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const scale = this.#scale;
    if (!scale) return;
    const x = event.clientX - this.svg.getBoundingClientRect().left;
    const bucket = this.#used.flatMap(({ buckets }) => buckets).find(({ from, to }) => x >= scale.x(from) && x < scale.x(to));
    if (bucket) this.read(bucket.from, null);
    else this.hide();
  }

  /** @override */
  series() {
    return this.#used.map(({ name }) => name);
  }

  /**
   * @override
   * @param {number | null} series
   */
  stops(series) {
    const read = series == null ? this.#used : [this.#used[series]];
    return [...new Set(read.flatMap(({ buckets }) => buckets.map(({ from }) => from)))].sort((a, b) => a - b);
  }

  /**
   * @override
   * @param {number} from
   * @param {number | null} series
   */
  read(from, series) {
    const scale = this.#scale;
    const there = this.#used.map(({ name, colour, buckets }) => ({ name, colour, bucket: buckets.find((bucket) => bucket.from === from) }));
    const to = there.find(({ bucket }) => bucket)?.bucket?.to;
    if (!scale || to == null) {
      this.hide();
      return "";
    }
    const [a, b] = [scale.x(from), scale.x(to)];
    replace(this.#over, s("rect", { x: a, width: Math.max(1, b - a), y: TOP, height: this.height - TOP - BOTTOM, fill: "#888", "fill-opacity": 0.25 }));
    return this.tellAt((a + b) / 2, `${duration(from)} to ${duration(to)}`, there.flatMap(({ name, colour, bucket }, n) => (bucket || n === series
      ? [{ name, colour, text: `${count(bucket?.count ?? 0)} ${this.what}`, chosen: n === series }] : [])));
  }

  /** @override */
  hide() {
    super.hide();
    replace(this.#over);
  }

  /** @override */
  rows() {
    return [["group", "from_ns", "to_ns", "count"], ...this.#used.flatMap(({ name, buckets }) => buckets.map((bucket) => [name, bucket.from, bucket.to, bucket.count]))];
  }
}

/**
 * @param {Group[]} groups
 * @param {number} width
 * @param {number} height
 * @returns {Scale}
 */
function scaled(groups, width, height) {
  const all = groups.flatMap(({ buckets }) => buckets);
  const least = Math.max(1, Math.min(...all.map(({ from }) => from)));
  const most = Math.max(least * 2, ...all.map(({ to }) => to));
  // Bars of different groups in the same bucket are stacked.
  /** @type {Map<number, number>} */
  const sums = new Map();
  for (const { from, count: n } of all) sums.set(from, (sums.get(from) ?? 0) + n);
  const top = Math.max(...sums.values());
  return {
    least, most, top,
    x: (ns) => LEFT + (Math.log(Math.max(ns, least) / least) / Math.log(most / least)) * (width - LEFT - RIGHT),
    y: (n) => height - BOTTOM - (n / top) * (height - BOTTOM - TOP),
  };
}

/**
 * @param {Scale} scale
 * @param {number} width
 * @param {number} height
 */
function axes({ least, most, top, x, y }, width, height) {
  const nodes = [];
  for (const value of new Set([0, 0.5, 1].map((part) => Math.round(top * part)))) {
    nodes.push(s("line", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value), stroke: "#8886" }),
      s("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end", class: "tick", "font-size": 11 }, count(value)));
  }
  let before = -100;
  for (let ten = 10 ** Math.floor(Math.log10(least)); ten <= most; ten *= 10) {
    for (const factor of [1, 2, 5]) {
      const at = x(ten * factor);
      if (ten * factor < least || ten * factor > most || at - before < 60 || at > width - 30) continue;
      before = at;
      nodes.push(s("line", { x1: at, x2: at, y1: height - BOTTOM, y2: height - BOTTOM + 4, stroke: "#888" }),
        s("text", { x: at, y: height - 6, "text-anchor": "middle", class: "tick", "font-size": 11 }, duration(ten * factor)));
    }
  }
  return nodes;
}

/**
 * @param {Scale} scale
 * @param {Group[]} groups
 */
function bars({ x, y }, groups) {
  /** @type {Map<number, number>} */
  const base = new Map();
  return groups.flatMap(({ name, colour, buckets }) => buckets.map((bucket) => {
    const under = base.get(bucket.from) ?? 0;
    base.set(bucket.from, under + bucket.count);
    return s("rect", {
      x: x(bucket.from) + 0.5, width: Math.max(1, x(bucket.to) - x(bucket.from) - 1),
      y: y(under + bucket.count), height: Math.max(1, y(under) - y(under + bucket.count)), fill: colour,
    }, s("title", null, `${name}: ${count(bucket.count)} of ${duration(bucket.from)} to ${duration(bucket.to)}`));
  }));
}
