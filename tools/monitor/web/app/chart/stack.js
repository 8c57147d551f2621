// Stacked areas, as values or as shares of the total; or lines. Each sample holds until the next one:
// nothing is known in between.
import { s } from "../dom.js";
import { percent, quantity } from "../format.js";
import { endOf, stopsOf, TimeChart } from "./frame.js";

/** @typedef {{ name: string, colour: string, values: (number | null)[] }} Band */
/** @typedef {"stacked" | "lines" | "share"} Way */

/** How many bands are told of a time, the largest first. */
const TOLD = 8;

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
    const end = scale.x(endOf(times, scale.to)).toFixed(1);
    const totals = times.map((_, n) => this.#total(n));
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
        lower = (n === times.length - 1 ? `H${end}V${bottom}H${x}` : `V${bottom}H${x}`) + lower;
        if (this.way !== "lines") base[n] += height;
      }
      const path = this.way === "lines"
        ? s("path", { d: `${upper}H${end}`, fill: "none", stroke: colour, "stroke-width": 1.5 })
        : s("path", { d: `${upper}${lower}Z`, fill: colour, stroke: colour, "stroke-width": 0.5 });
      path.append(s("title", null, name));
      this.inside.append(path);
    }
  }

  /**
   * @override
   * @param {number} time
   * @param {number | null} series
   */
  tell(time, series) {
    const n = this.#index(time);
    if (n < 0) return [];
    const total = this.#total(n);
    const chosen = series == null ? null : this.#band(series);
    const sorted = this.bands.slice().sort((a, b) => (b.values[n] ?? 0) - (a.values[n] ?? 0));
    const told = sorted.slice(0, TOLD);
    if (chosen && !told.includes(chosen)) told.push(chosen);
    return [{ name: "all", text: quantity(total, this.options.unit) }, ...told.map((band) => {
      const value = band.values[n] ?? 0;
      return { name: band.name, colour: band.colour, chosen: band === chosen, text: `${quantity(value, this.options.unit)}, ${percent(total ? value / total : 0)}` };
    })];
  }

  /** The highest band is the first. @param {number} series */
  #band(series) {
    return this.bands[this.bands.length - 1 - series];
  }

  /** @param {number} n */
  #total(n) {
    return this.bands.reduce((sum, { values }) => sum + (values[n] ?? 0), 0);
  }

  /** @override */
  series() {
    return this.bands.map(({ name }) => name).reverse();
  }

  /** @override */
  stops() {
    return this.scale ? stopsOf(this.scale, this.times) : [];
  }

  /**
   * @override
   * @param {number} time
   * @param {number} series
   */
  heightAt(time, series) {
    const n = this.#index(time);
    if (n < 0) return null;
    const band = this.#band(series);
    if (this.way === "lines") return band.values[n] ?? 0;
    const sum = this.bands.slice(0, this.bands.indexOf(band) + 1).reduce((under, { values }) => under + (values[n] ?? 0), 0);
    return this.way === "share" ? sum / (this.#total(n) || 1) : sum;
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
