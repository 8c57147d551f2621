// A histogram of durations, on a logarithmic axis.
import { download, h, replace, s } from "../dom.js";
import { count, duration } from "../format.js";
import { showKeys } from "./frame.js";
import { saveSvg } from "./save.js";

/**
 * @param {{ title: string, empty: string, height?: number, groups: { name: string, colour: string, buckets: Api.Bucket[] }[] }} options
 */
export function histogram({ title, empty, groups, height = 160 }) {
  const keys = h("div", { class: "keys" });
  const svg = s("svg", { class: "chart", role: "img", height, width: "100%", "aria-label": title });
  const box = h("div", { class: "chart-area" }, svg);
  const used = groups.filter(({ buckets }) => buckets.some((bucket) => bucket.count > 0));
  showKeys(keys, used);
  /** @type {(string | number)[][]} */
  const rows = [["group", "from_ns", "to_ns", "count"]];
  for (const { name, buckets } of used) for (const bucket of buckets) rows.push([name, bucket.from, bucket.to, bucket.count]);
  const save = (/** @type {"svg" | "csv"} */ kind) => {
    const name = `${title.replace(/\W+/g, "-").toLowerCase()}.${kind}`;
    if (kind === "csv") return download(name, "text/csv", rows.map((row) => row.map((cell) => `"${String(cell).replaceAll('"', '""')}"`).join(",")).join("\r\n"));
    return saveSvg(svg, name);
  };
  const node = h("figure", { class: "chart-box" },
    h("figcaption", null, h("span", { class: "chart-title" }, title), keys, h("span", { class: "chart-buttons" },
      h("button", { type: "button", title: `Save ${title} as SVG`, onclick: () => save("svg") }, "SVG"),
      h("button", { type: "button", title: `Save ${title} as CSV`, onclick: () => save("csv") }, "CSV"))),
    box);
  if (!used.length) {
    box.append(h("div", { class: "chart-told shown is-empty" }, h("p", { class: "empty" }, empty)));
    return node;
  }
  const draw = () => paint(svg, used, height);
  new ResizeObserver(draw).observe(svg);
  return node;
}

/**
 * @param {SVGSVGElement} svg
 * @param {{ name: string, colour: string, buckets: Api.Bucket[] }[]} groups
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
