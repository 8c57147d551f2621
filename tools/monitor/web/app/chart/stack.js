// Stacked areas, as values or as shares of the total; or lines. Each sample holds until the next one:
// nothing is known in between.
import { s } from "../dom.js";
import { percent, quantity } from "../format.js";
import { TimeChart } from "./frame.js";

/** @typedef {{ name: string, colour: string, values: (number | null)[] }} Band */
/** @typedef {"stacked" | "lines" | "share"} Way */

export class StackChart extends TimeChart {
  /** @type {number[]} */
  times = [];
  /** @type {Band[]} */
  bands = [];
  /** @type {Way} */
  way = "stacked";

  /**
   * @param {number[]} times
   * @param {Band[]} bands the lowest first
   * @param {Way} way
   */
  show(times, bands, way) {
    this.times = times;
    this.bands = bands;
    this.way = way;
    this.redraw();
  }

  /** @override */
  bounds() {
    if (!this.times.length || !this.bands.length) return null;
    if (this.way === "share") return { least: 0, most: 1 / 1.06 };
    let most = 0;
    for (let n = 0; n < this.times.length; n++) {
      let sum = 0;
      for (const { values } of this.bands) {
        if (this.way === "lines") most = Math.max(most, values[n] ?? 0);
        else sum += values[n] ?? 0;
      }
      most = Math.max(most, sum);
    }
    return { least: 0, most: most || 1 };
  }

  /**
   * @override
   * @param {import("./frame.js").Scale} scale
   */
  paint(scale) {
    const { times } = this;
    const base = new Float64Array(times.length);
    const totals = times.map((_, n) => this.bands.reduce((sum, { values }) => sum + (values[n] ?? 0), 0));
    for (const { values, colour, name } of this.bands) {
      let upper = "";
      let lower = "";
      for (let n = 0; n < times.length; n++) {
        const value = values[n] ?? 0;
        const height = this.way === "share" ? (totals[n] ? value / totals[n] : 0) : value;
        const x = scale.x(times[n]).toFixed(1);
        const [top, bottom] = [scale.y(base[n] + height).toFixed(1), scale.y(base[n]).toFixed(1)];
        upper += n ? `H${x}V${top}` : `M${x} ${top}`;
        // Backwards, from the last sample to the first.
        lower = (n === times.length - 1 ? `V${bottom}` : `V${bottom}H${x}`) + lower;
        if (this.way !== "lines") base[n] += height;
      }
      const path = this.way === "lines"
        ? s("path", { d: upper, fill: "none", stroke: colour, "stroke-width": 1.5 })
        : s("path", { d: `${upper}${lower}Z`, fill: colour, stroke: colour, "stroke-width": 0.5 });
      path.append(s("title", null, name));
      this.inside.append(path);
      if (times.length === 1) {
        const [x, y] = [scale.x(times[0]), scale.y(base[0])];
        this.inside.append(s("circle", { cx: x, cy: y, r: 3, fill: colour }));
      }
    }
  }

  /**
   * @override
   * @param {number} time
   */
  tell(time) {
    const n = this.#index(time);
    if (n < 0) return [];
    const total = this.bands.reduce((sum, { values }) => sum + (values[n] ?? 0), 0);
    const told = this.bands.map(({ name, colour, values }) => ({ name, colour, value: values[n] ?? 0 }))
      .sort((a, b) => b.value - a.value).slice(0, 8)
      .map(({ name, colour, value }) => ({ name, colour, text: `${quantity(value, this.options.unit)}, ${percent(total ? value / total : 0)}` }));
    return [{ name: "all", text: quantity(total, this.options.unit) }, ...told];
  }

  /** @param {number} time */
  #index(time) {
    let found = -1;
    for (let n = 0; n < this.times.length && this.times[n] <= time; n++) found = n;
    return found;
  }

  /** @override */
  rows() {
    return [["time_ns", ...this.bands.map(({ name }) => name)],
      ...this.times.map((time, n) => [time, ...this.bands.map(({ values }) => values[n] ?? null)])];
  }
}
