// Bars of parts, one bar a row, with its name on the left and its most important number on the right.
import { replace, s } from "../dom.js";
import { quantity } from "../format.js";
import { Chart, showKeys } from "./base.js";

/**
 * `colour`: also `idle`, or `lost` for what is not known.
 * @typedef {{ name: string, colour: string }} Part
 * @typedef {{ name: string, text: string, values: number[] }} Bar `values`: of each part
 */

const [ROW, HIGH] = [22, 14];
/** Beside a text. */
const SPACE = 12;
/** About the width of a letter, in pixels. */
const LETTER = 7.5;
const TOP = 6;
let patterns = 0;

export class Shares extends Chart {
  /** @type {Part[]} */
  #parts = [];
  /** @type {Bar[]} */
  #bars = [];
  /** All together: not drawn, but told. @type {Bar | null} */
  #all = null;
  #most = 1;
  /** The room for names, and for numbers. */
  #left = 0;
  #right = 0;
  #over = s("g");
  #pattern = `lost-${patterns++}`;

  /** @param {{ title: string, unit: string, head: string[], empty: string, help?: string }} options `head`: of the CSV file */
  constructor({ title, unit, head, empty, help }) {
    super({ title, height: ROW + 2 * TOP, help });
    this.unit = unit;
    this.head = head;
    this.emptyText = empty;
    this.svg.classList.add("bars");
    new ResizeObserver(() => this.#draw()).observe(this.svg);
    this.svg.addEventListener("pointermove", (event) => this.#move(event));
    this.svg.addEventListener("pointerleave", () => this.hide());
  }

  /**
   * @param {Part[]} parts
   * @param {Bar[]} bars
   * @param {number} most the sum of a bar of the full length
   * @param {Bar} all
   */
  show(parts, bars, most, all) {
    this.#parts = parts;
    this.#bars = bars;
    this.#most = most;
    this.#all = all;
    this.#left = room(bars.map(({ name }) => name));
    this.#right = room(bars.map(({ text }) => text));
    showKeys(this.keys, parts.length > 1 ? parts : []);
    this.#draw();
  }

  #draw() {
    const width = this.svg.clientWidth;
    if (!width) return;
    const height = Math.max(1, this.#bars.length) * ROW + 2 * TOP;
    this.svg.setAttribute("height", String(height));
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    replace(this.svg, this.#hatched(), ...this.#bars.flatMap((bar, n) => this.#row(bar, n, width)), this.#over);
    this.blank(this.#bars.length ? "" : this.emptyText);
  }

  #hatched() {
    return s("defs", null, s("pattern", { id: this.#pattern, width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      s("rect", { width: 5, height: 5, class: "lost" }), s("rect", { width: 2, height: 5, class: "hatch" })));
  }

  /**
   * @param {Bar} bar
   * @param {number} n
   * @param {number} width
   */
  #row(bar, n, width) {
    const y = TOP + n * ROW;
    const text = { y: y + ROW / 2 + 4, class: "row-text", "font-size": 13 };
    return [
      s("text", { ...text, x: SPACE }, bar.name), s("text", { ...text, x: width - SPACE, "text-anchor": "end" }, bar.text),
      s("rect", { ...this.#box(n, 0, this.#most, width), class: "idle" }),
      ...this.#parts.flatMap(({ colour }, part) => {
        if (!(bar.values[part] > 0) || colour === "idle") return [];
        return [s("rect", { ...this.#box(n, this.#before(bar, part), bar.values[part], width), fill: colour === "lost" ? `url(#${this.#pattern})` : colour })];
      }),
    ];
  }

  /**
   * @param {Bar} bar
   * @param {number} part
   */
  #before({ values }, part) {
    return values.slice(0, part).reduce((sum, value) => sum + value, 0);
  }

  /**
   * @param {number} n of the bar
   * @param {number} from
   * @param {number} length
   * @param {number} width of the chart
   */
  #box(n, from, length, width) {
    const scale = Math.max(0, width - this.#left - this.#right) / this.#most;
    return { x: this.#left + from * scale, y: TOP + n * ROW + (ROW - HIGH) / 2, width: Math.max(from + length < this.#most ? 1 : 0, length * scale), height: HIGH };
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const box = this.svg.getBoundingClientRect();
    const n = Math.floor((event.clientY - box.top - TOP) / ROW);
    const bar = this.#bars[n];
    const width = this.svg.clientWidth;
    const part = bar ? this.#parts.findIndex((_, k) => {
      const { x, width: length } = this.#box(n, this.#before(bar, k), bar.values[k], width);
      return bar.values[k] > 0 && event.clientX - box.left >= x && event.clientX - box.left < x + length;
    }) : -1;
    if (part < 0) this.hide();
    else this.read(part, n);
  }

  /** @override */
  series() {
    return this.#bars.map(({ name }) => name);
  }

  /**
   * @override
   * @param {number | null} series
   */
  stops(series) {
    const bar = series == null ? this.#all : this.#bars[series];
    return this.#parts.flatMap((_, part) => (bar && bar.values[part] > 0 ? [part] : []));
  }

  /**
   * @override
   * @param {number} place
   * @param {number | null} series
   */
  read(place, series) {
    const bar = series == null ? this.#all : this.#bars[series];
    if (!bar) return "";
    const n = series ?? 0;
    const box = this.#box(n, this.#before(bar, place), bar.values[place], this.svg.clientWidth);
    replace(this.#over, series == null ? null : s("rect", { ...box, class: "chosen-part", fill: "none", "stroke-width": 2 }));
    return this.tellAt(box.x + box.width / 2, bar.name, this.#parts.flatMap(({ name, colour }, part) => (bar.values[part] > 0
      ? [{ name, colour, text: quantity(bar.values[part], this.unit), chosen: part === place }] : [])), n * ROW + TOP + ROW);
  }

  /** @override */
  hide() {
    super.hide();
    replace(this.#over);
  }

  /** @override */
  rows() {
    return [this.head, ...this.#bars.flatMap(({ name, values }) => this.#parts.map((part, n) => [name, part.name, values[n]]))];
  }
}

/** @param {string[]} texts */
const room = (texts) => Math.max(0, ...texts.map((text) => text.length)) * LETTER + 2 * SPACE;
