// A histogram of durations, on a logarithmic axis.
import { download, h, replace, s } from "../dom.js";
import { count, duration } from "../format.js";
import { showKeys } from "./frame.js";
import { saveSvg } from "./save.js";

/** @typedef {{ name: string, colour: string, buckets: Api.Bucket[] }} Group */

export class Histogram {
  /** @type {Group[]} */
  #used = [];

  /** @param {{ title: string, empty: string, height?: number }} options */
  constructor({ title, empty, height = 160 }) {
    this.height = height;
    this.title = h("span", { class: "chart-title" }, title);
    this.keys = h("div", { class: "keys" });
    this.svg = s("svg", { class: "chart", role: "img", height, width: "100%" });
    this.empty = h("div", { class: "chart-told shown is-empty", hidden: true }, h("p", { class: "empty" }, empty));
    this.node = h("figure", { class: "chart-box" },
      h("figcaption", null, this.title, this.keys, h("span", { class: "chart-buttons" },
        h("button", { type: "button", title: "Save this histogram as SVG", onclick: () => saveSvg(this.svg, this.#file("svg")) }, "SVG"),
        h("button", { type: "button", title: "Save this histogram as CSV", onclick: () => this.#saveCsv() }, "CSV"))),
      h("div", { class: "chart-area" }, this.svg, this.empty));
    new ResizeObserver(() => this.#draw()).observe(this.svg);
  }

  /**
   * @param {Group[]} groups
   * @param {string} [title]
   */
  show(groups, title = this.title.textContent ?? "") {
    this.#used = groups.filter(({ buckets }) => buckets.some((bucket) => bucket.count > 0));
    replace(this.title, title);
    this.svg.setAttribute("aria-label", title);
    this.empty.hidden = this.#used.length > 0;
    showKeys(this.keys, this.#used);
    this.#draw();
  }

  #draw() {
    if (this.#used.length) paint(this.svg, this.#used, this.height);
    else replace(this.svg);
  }

  /** @param {string} kind */
  #file(kind) {
    return `${(this.title.textContent ?? "").replace(/\W+/g, "-").toLowerCase()}.${kind}`;
  }

  #saveCsv() {
    /** @type {(string | number)[][]} */
    const rows = [["group", "from_ns", "to_ns", "count"]];
    for (const { name, buckets } of this.#used) for (const bucket of buckets) rows.push([name, bucket.from, bucket.to, bucket.count]);
    download(this.#file("csv"), "text/csv", rows.map((row) => row.map((cell) => `"${String(cell).replaceAll('"', '""')}"`).join(",")).join("\r\n"));
  }
}

/**
 * @param {SVGSVGElement} svg
 * @param {Group[]} groups
 * @param {number} height
 */
function paint(svg, groups, height) {
  const width = svg.clientWidth;
  if (!width) return;
  const all = groups.flatMap(({ buckets }) => buckets.filter((bucket) => bucket.count > 0));
  const least = Math.max(1, Math.min(...all.map(({ from }) => from)));
  const most = Math.max(least * 2, ...all.map(({ to }) => to));
  // Bars of different groups in the same bucket are stacked.
  /** @type {Map<number, number>} */
  const sums = new Map();
  for (const { from, count: n } of all) sums.set(from, (sums.get(from) ?? 0) + n);
  const top = Math.max(...sums.values());
  const [left, right, bottom] = [48, 8, 22];
  const x = (/** @type {number} */ ns) => left + (Math.log(Math.max(ns, least) / least) / Math.log(most / least)) * (width - left - right);
  const y = (/** @type {number} */ n) => height - bottom - (n / top) * (height - bottom - 10);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const nodes = [];
  for (const part of [0, 0.5, 1]) {
    const value = Math.round(top * part);
    nodes.push(s("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), stroke: "#8886" }),
      s("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end", class: "tick", "font-size": 11 }, count(value)));
  }
  let before = -100;
  for (let ten = 10 ** Math.floor(Math.log10(least)); ten <= most; ten *= 10) {
    for (const factor of [1, 2, 5]) {
      const at = x(ten * factor);
      if (ten * factor < least || ten * factor > most || at - before < 60 || at > width - 30) continue;
      before = at;
      nodes.push(s("line", { x1: at, x2: at, y1: height - bottom, y2: height - bottom + 4, stroke: "#888" }),
        s("text", { x: at, y: height - 6, "text-anchor": "middle", class: "tick", "font-size": 11 }, duration(ten * factor)));
    }
  }
  /** @type {Map<number, number>} */
  const base = new Map();
  for (const { name, colour, buckets } of groups) {
    for (const bucket of buckets) {
      if (!bucket.count) continue;
      const under = base.get(bucket.from) ?? 0;
      base.set(bucket.from, under + bucket.count);
      const bar = s("rect", {
        x: x(bucket.from) + 0.5, width: Math.max(1, x(bucket.to) - x(bucket.from) - 1),
        y: y(under + bucket.count), height: Math.max(1, y(under) - y(under + bucket.count)), fill: colour,
      }, s("title", null, `${name}: ${count(bucket.count)} of ${duration(bucket.from)} to ${duration(bucket.to)}`));
      nodes.push(bar);
    }
  }
  replace(svg, ...nodes);
}
