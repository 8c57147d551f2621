// Lines with the smallest and the largest value of each point, so that no peak is hidden. They are
// steps: each value holds until the next one, or has held since the one before.
import { s } from "../dom.js";
import { quantity } from "../format.js";
import { showKeys } from "./base.js";
import { stopsOf, TimeChart } from "./frame.js";

/**
 * `stems`: each point is a single event, not a continuous value. `since`: each value is that of the
 * time since the point before, as a rate is.
 * @typedef {{ name: string, colour: string, points: Api.Point[], unit?: string, stems?: boolean, since?: boolean }} Line
 */

export class LineChart extends TimeChart {
  /** @type {Line[]} */
  lines = [];

  /** @param {Line[]} lines */
  show(lines) {
    this.lines = lines;
    showKeys(this.keys, lines);
    this.redraw();
  }

  /** @override */
  bounds() {
    let most = -Infinity;
    let least = 0;
    for (const { points } of this.lines) {
      for (const point of points) {
        if (point[2] != null) most = Math.max(most, point[2]);
        if (point[1] != null) least = Math.min(least, point[1]);
      }
    }
    return most === -Infinity ? null : { least, most: most === least ? least + 1 : most };
  }

  /**
   * @override
   * @param {import("./frame.js").Scale} scale
   */
  paint(scale) {
    for (const { points, colour, stems, since } of this.lines) {
      if (stems) {
        const foot = scale.y(0).toFixed(1);
        const d = points.map(([time, , most]) => (most == null ? "" : `M${scale.x(time).toFixed(1)} ${foot}V${scale.y(most).toFixed(1)}`)).join("");
        this.inside.append(s("path", { d, fill: "none", stroke: colour, "stroke-width": 1.5 }));
        continue;
      }
      const { band, line } = paths(points, scale, since === true);
      if (band) this.inside.append(s("path", { d: band, fill: colour, "fill-opacity": 0.25, stroke: colour, "stroke-opacity": 0.5, "stroke-width": 1 }));
      this.inside.append(s("path", { d: line, fill: "none", stroke: colour, "stroke-width": 1.5, "stroke-linejoin": "round" }));
      if (points.length === 1 && points[0][3] != null) this.inside.append(s("circle", { cx: scale.x(points[0][0]), cy: scale.y(points[0][3]), r: 3, fill: colour }));
    }
  }

  /**
   * @override
   * @param {number} time
   * @param {number | null} series
   */
  tell(time, series) {
    return this.lines.flatMap((line, n) => {
      const point = pointAt(line, time);
      if (!point) return [];
      const [, least, most, middle] = point;
      const own = line.unit ?? this.options.unit;
      const spread = least !== most ? ` (${quantity(least, own)} to ${quantity(most, own)})` : "";
      return [{ name: line.name, colour: line.colour, text: quantity(inside(middle, least, most), own) + spread, chosen: n === series }];
    });
  }

  /** @override */
  series() {
    return this.lines.map(({ name }) => name);
  }

  /**
   * @override
   * @param {number | null} series
   */
  stops(series) {
    const { scale } = this;
    if (!scale) return [];
    const read = series == null ? this.lines : [this.lines[series]];
    const all = read.flatMap(({ points, stems, since }) => stopsOf(scale, points.filter(([, , most]) => most != null).map(([time]) => time), stems ? "at" : since ? "since" : "holds"));
    return stopsOf(scale, all);
  }

  /**
   * @override
   * @param {number} time
   * @param {number} series
   */
  heightAt(time, series) {
    const point = pointAt(this.lines[series], time);
    return point && inside(point[3], point[1], point[2]);
  }

  /** @override */
  rows() {
    const rows = /** @type {(string | number | null)[][]} */ ([["series", "time_ns", "min", "max", "mean", "count"]]);
    for (const { name, points } of this.lines) for (const point of points) rows.push([name, ...point]);
    return rows;
  }
}

/**
 * @param {Line} line
 * @param {number} time
 */
const pointAt = ({ points, since }, time) => (since ? points.find((later) => later[0] >= time) : null) ?? at(points, time);

/**
 * A sum can be larger than all of its values: then the largest one is shown.
 * @param {number | null} middle
 * @param {number | null} least
 * @param {number | null} most
 */
const inside = (middle, least, most) => (middle == null || (most != null && middle > most) || (least != null && middle < least) ? most : middle);

/**
 * @param {Api.Point[]} points
 * @param {import("./frame.js").Scale} scale
 * @param {boolean} since each value is that of the time since the point before
 */
function paths(points, scale, since) {
  /** @param {string} x @param {string} y @param {boolean} forwards */
  const step = (x, y, forwards) => (since === forwards ? `V${y}H${x}` : `H${x}V${y}`);
  let line = "";
  let band = "";
  /** @type {{ x: string, upper: string, lower: string }[]} */
  let run = [];
  const ends = () => {
    if (run.length > 1 && run.some(({ upper, lower }) => upper !== lower)) {
      const [first, ...rest] = run;
      const last = run[run.length - 1];
      const over = rest.map(({ x, upper }) => step(x, upper, true)).join("");
      const under = run.slice(0, -1).reverse().map(({ x, lower }) => step(x, lower, false)).join("");
      band += `M${first.x} ${first.upper}${over}V${last.lower}${under}Z`;
    }
    run = [];
  };
  // A rate is that of the time before it, so the first one begins with the range.
  const whole = since && points.length && points[0][0] > scale.from ? [/** @type {Api.Point} */ ([scale.from, ...points[0].slice(1)]), ...points] : points;
  for (const [time, least, most, middle] of whole) {
    const value = inside(middle, least, most);
    if (value == null || least == null || most == null) {
      ends();
      continue;
    }
    const [x, y] = [scale.x(time).toFixed(1), scale.y(value).toFixed(1)];
    line += run.length ? step(x, y, true) : `M${x} ${y}`;
    run.push({ x, upper: scale.y(most).toFixed(1), lower: scale.y(least).toFixed(1) });
  }
  ends();
  return { line, band };
}

/**
 * The last one at or before a time.
 * @template {ArrayLike<any>} P
 * @param {P[]} points
 * @param {number} time
 */
export function at(points, time) {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] <= time) low = middle + 1;
    else high = middle;
  }
  return low ? points[low - 1] : null;
}
