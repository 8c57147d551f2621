// What every chart has: a title, a legend, values under the pointer or at the cursor of the keyboard, and its files.
import { because } from "../because.js";
import { download, h, replace, s } from "../dom.js";
import { state } from "../state.js";
import { Cursor } from "./cursor.js";
import { saveSvg } from "./save.js";

/** @typedef {{ name: string, text: string, colour?: string, chosen?: boolean }} Value */

export class Chart {
  #told = h("div", { class: "chart-told" });
  #empty = h("div", { class: "chart-empty", hidden: true });
  #name = h("span", { class: "chart-title" });

  /** @param {{ title: string, height: number, help?: string }} options */
  constructor({ title, height, help }) {
    this.height = height;
    this.svg = s("svg", { class: "chart", role: "img", height, width: "100%" });
    this.keys = h("div", { class: "keys" });
    this.area = h("div", { class: "chart-area" }, this.svg, this.#told, this.#empty);
    this.cursor = new Cursor(this.area, {
      label: title,
      series: () => this.series(),
      stops: (series) => this.stops(series),
      show: (place, series, apart) => this.read(place, series, apart),
      hide: () => this.hide(),
    });
    this.node = h("figure", { class: "chart-box" },
      h("figcaption", { title: help }, this.#name, this.keys, h("span", { class: "chart-buttons" }, this.#button("SVG", () => saveSvg(this.svg, this.#file("svg"))), this.#button("CSV", () => this.#csv()))),
      this.area, this.cursor.told);
    this.title = title;
  }

  // Overridden by subclasses.
  /** @returns {(string | number | null)[][]} including a head row */
  rows() {
    return [];
  }
  /** @returns {string[]} see Cursor, as the next two */
  series() {
    return [];
  }
  /**
   * @param {number | null} _series
   * @returns {number[]}
   */
  stops(_series) {
    return [];
  }
  /**
   * @param {number} _place
   * @param {number | null} _series
   * @param {number} _apart
   * @returns {string}
   */
  read(_place, _series, _apart) {
    return "";
  }

  get title() {
    return this.#name.textContent ?? "";
  }

  set title(title) {
    replace(this.#name, title);
    this.cursor.chart.label = title;
    for (const [button, kind] of /** @type {const} */ ([[0, "SVG"], [1, "CSV"]])) this.node.querySelectorAll("button")[button].title = `Save ${title} as ${kind}`;
  }

  /** @param {string} empty why nothing can be drawn; empty: it can */
  blank(empty) {
    const why = empty && because(empty);
    this.svg.setAttribute("aria-label", why ? `${this.title}: ${why}` : this.title);
    this.#empty.hidden = !why;
    replace(this.#empty, why ? h("p", { class: "empty" }, why) : null);
    if (why) this.hide();
    this.cursor.offer(!why);
  }

  /**
   * Shows values beside a position.
   * @param {number} x from the left of the chart
   * @param {string} head
   * @param {Value[]} values
   * @param {number} [top] of what is shown
   * @returns {string} the same, or of the chosen value alone
   */
  tellAt(x, head, values, top = 8) {
    const width = this.svg.clientWidth;
    replace(this.#told, h("div", { class: "quiet" }, head), ...values.map(({ name, text, colour, chosen }) => {
      return h("div", { class: chosen ? "told chosen" : "told" }, dotOf(colour ?? "transparent"), h("span", { class: "told-name" }, name), h("b", null, text));
    }));
    this.#told.classList.add("shown");
    const right = x > width / 2;
    this.#told.style.top = `${top}px`;
    this.#told.style.left = right ? "auto" : `${x + 12}px`;
    // It may be the last chart of the page.
    const below = this.#told.getBoundingClientRect().bottom + 4 - innerHeight;
    if (below > 0) this.#told.style.top = `${top - below}px`;
    this.#told.style.right = right ? `${width - x + 12}px` : "auto";
    const one = values.find(({ chosen }) => chosen);
    return one ? `${one.name} ${one.text}, ${head}` : `${head}: ${values.map(({ name, text }) => `${name} ${text}`.trim()).join("; ")}`;
  }

  hide() {
    this.#told.classList.remove("shown");
  }

  /**
   * @param {string} kind
   * @param {() => void} save
   */
  #button(kind, save) {
    return h("button", { type: "button", onclick: save }, kind);
  }

  #csv() {
    const cell = (/** @type {string | number | null} */ value) => {
      const text = value == null ? "" : String(value);
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    download(this.#file("csv"), "text/csv", this.rows().map((row) => row.map(cell).join(",")).join("\r\n"));
  }

  /** @param {string} kind */
  #file(kind) {
    return `${`${state.session?.name ?? "eventlog"}-${this.title}`.replace(/[^\w.-]+/g, "-").toLowerCase()}.${kind}`;
  }
}

/**
 * The legend of colours.
 * @param {HTMLElement} node
 * @param {{ name: string, colour: string }[]} keys
 */
export function showKeys(node, keys) {
  replace(node, ...keys.map(({ name, colour }) => h("span", { class: "key" }, dotOf(colour), name)));
}

/** @param {string} colour also `idle` or `lost`, those of the theme */
export function dotOf(colour) {
  const themed = colour === "idle" || colour === "lost";
  const dot = h("span", { class: themed ? `dot ${colour}` : "dot" });
  if (!themed) dot.style.background = colour;
  return dot;
}
