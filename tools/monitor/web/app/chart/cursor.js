// Reads the single values of a chart with the keyboard: shows one as the pointer would, and tells it to screen readers.
import { h } from "../dom.js";

/**
 * What is read. `series`: the names, from top to bottom. `stops`: the places of the values of a series, or of all, in
 * order. `show` shows what is at a place, and returns it as a text; the next value is so far `apart`, and has to have
 * another text.
 * @typedef {{
 *   label: string,
 *   series: () => string[],
 *   stops: (series: number | null) => number[],
 *   show: (place: number, series: number | null, apart: number) => string,
 *   hide: () => void,
 * }} Readable
 */

/** How many values PageUp and PageDown skip. */
const FAR = 10;

export class Cursor {
  /** Not the number of a value: those of a program that is followed come and go. @type {number | null} */
  #place = null;
  /** The chosen series. @type {{ n: number, name: string } | null} */
  #chosen = null;
  /** It has the focus because it was clicked: the keys still move through time, as elsewhere on the page. */
  #pointed = false;

  /**
   * @param {HTMLElement} node gets the focus
   * @param {Readable} chart
   */
  constructor(node, chart) {
    this.node = node;
    this.chart = chart;
    /** To be put into the page, and outside of what is replaced. */
    this.told = h("span", { class: "off-screen value-told", "aria-live": "polite", "aria-atomic": "true" });
    node.addEventListener("keydown", (event) => this.#key(event));
    node.addEventListener("pointerdown", () => this.#leave(true));
    node.addEventListener("focusout", () => this.#leave(false));
  }

  /** @param {boolean} some whether there is anything to read */
  offer(some) {
    const { node } = this;
    if (!some) {
      for (const name of ["tabindex", "role", "aria-label", "aria-roledescription", "aria-description"]) node.removeAttribute(name);
      return;
    }
    // With this role, screen readers leave the arrow keys to the page.
    node.setAttribute("role", "application");
    node.setAttribute("tabindex", "0");
    node.setAttribute("aria-label", this.chart.label);
    node.setAttribute("aria-roledescription", "chart");
    node.setAttribute("aria-description", "Left and right read its values, up and down choose a series");
    if (this.#place != null) this.#show(this.#place, this.#series());
  }

  /** The number of the chosen series, which may have moved. */
  #series() {
    const names = this.chart.series();
    if (!this.#chosen) return null;
    const { n, name } = this.#chosen;
    const now = names[n] === name ? n : names.indexOf(name);
    return now < 0 ? null : now;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (this.#pointed || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.key === "Escape" ? !this.#escape() : !this.#move(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #escape() {
    if (this.#place == null) return false;
    this.node.blur();
    return true;
  }

  /** @param {string} key */
  #move(key) {
    if (key === "ArrowUp" || key === "ArrowDown") return this.#choose(key === "ArrowDown" ? 1 : -1);
    const series = this.#series();
    const stops = this.chart.stops(series);
    const last = stops.length - 1;
    // Beside the place, even if there is no value at it any more. Begins at the end from which the key leads away.
    const before = this.#place == null ? last : until(stops, this.#place, false) - 1;
    const after = this.#place == null ? 0 : until(stops, this.#place, true);
    const wish = { ArrowLeft: before, ArrowRight: after, PageUp: before - FAR + 1, PageDown: after + FAR - 1, Home: 0, End: last }[key];
    if (wish == null) return false;
    if (last >= 0) this.#go(stops[Math.min(last, Math.max(0, wish))], series);
    return true;
  }

  /** Above the first series are all of them. @param {number} by */
  #choose(by) {
    const names = this.chart.series();
    if (names.length < 2) return false;
    const now = this.#series() ?? -1;
    const next = Math.min(names.length - 1, Math.max(-1, now + by));
    this.#chosen = next < 0 ? null : { n: next, name: names[next] };
    const series = next < 0 ? null : next;
    const stops = this.chart.stops(series);
    // The value that holds here.
    if (stops.length) this.#go(stops[this.#place == null ? 0 : Math.max(0, until(stops, this.#place, true) - 1)], series);
    return true;
  }

  /**
   * @param {number} place
   * @param {number | null} series
   */
  #go(place, series) {
    this.#place = place;
    this.told.textContent = this.#show(place, series);
  }

  /**
   * @param {number} place
   * @param {number | null} series
   */
  #show(place, series) {
    const others = this.chart.stops(series).filter((stop) => stop !== place);
    return this.chart.show(place, series, others.reduce((least, stop) => Math.min(least, Math.abs(stop - place)), Infinity));
  }

  /** @param {boolean} pointed */
  #leave(pointed) {
    this.#pointed = pointed;
    if (this.#place == null) return;
    this.#place = null;
    this.#chosen = null;
    this.told.textContent = "";
    this.chart.hide();
  }
}

/**
 * How many are before a place.
 * @param {number[]} stops in order
 * @param {number} place
 * @param {boolean} inclusive
 */
const until = (stops, place, inclusive) => stops.filter((stop) => stop < place || (inclusive && stop === place)).length;
