// Spans over time; overlapping ones are below each other.
import { named } from "../colours.js";
import { s } from "../dom.js";
import { count, duration } from "../format.js";
import { state } from "../state.js";
import { stopsOf, TimeChart } from "./frame.js";

const LANES = 24;

/** How many spans are told of a time. */
const TOLD = 8;

/** @typedef {Api.Span & { lane: number, end: number }} Placed */

export class Waterfall extends TimeChart {
  /** @type {Placed[]} */
  placed = [];
  lanes = 0;
  /** Spans for which there is no room. */
  left = 0;

  /** @param {Api.Span[]} spans */
  show(spans) {
    const ends = /** @type {number[]} */ ([]);
    this.placed = spans.slice().sort((a, b) => a.from - b.from).flatMap((span) => {
      const end = span.to ?? state.session?.end ?? span.from;
      let lane = ends.findIndex((other) => other <= span.from);
      if (lane < 0) lane = ends.length;
      if (lane >= LANES) return [];
      ends[lane] = end;
      return [{ ...span, lane, end }];
    });
    this.lanes = ends.length;
    this.left = spans.length - this.placed.length;
    this.redraw();
  }

  /** @override */
  bounds() {
    return this.placed.length ? { least: 0, most: Math.max(4, this.lanes) } : null;
  }

  /**
   * @override
   * @param {import("./frame.js").Scale} scale
   */
  paint(scale) {
    const height = this.#bar(scale);
    for (const { lane, from, end, name } of this.placed) {
      const [a, b] = [Math.max(scale.x(from), -10), Math.min(scale.x(end), scale.width + 10)];
      if (b < 0 || a > scale.width) continue;
      this.inside.append(s("rect", { x: a, width: Math.max(1, b - a), y: scale.y(scale.most - lane) + 1, height, fill: named(name) },
        s("title", null, `${name}: ${duration(end - from)}`)));
    }
  }

  /**
   * @override
   * @param {number} time
   * @param {number | null} series
   */
  tell(time, series) {
    const there = this.placed.filter((span) => span.from <= time && span.end >= time && (series == null || span.lane === series));
    // In a lane, one may begin where the one before it ends.
    const told = series == null ? there.slice(0, TOLD) : there.slice(-1);
    const more = series == null ? there.length - told.length : 0;
    return [...told.map(({ name, from, end, to }) => ({
      name, colour: named(name), text: to == null ? `${duration(end - from)}, not finished` : duration(end - from), chosen: series != null,
    })), ...(more > 0 ? [{ name: `and ${count(more)} more`, text: "" }] : [])];
  }

  /** How high a span is, in pixels. @param {import("./frame.js").Scale} scale */
  #bar(scale) {
    return Math.max(1, Math.min(16, scale.y(0) - scale.y(1)) - 1);
  }

  /** @override */
  series() {
    return Array.from({ length: this.lanes }, (_, lane) => `row ${lane + 1}`);
  }

  /**
   * @override
   * @param {number | null} series
   */
  stops(series) {
    const { scale } = this;
    if (!scale) return [];
    return stopsOf(scale, this.placed.filter(({ lane, end }) => end >= scale.from && (series == null || lane === series)).map(({ from }) => from));
  }

  /**
   * @override
   * @param {number} _time
   * @param {number} series
   */
  heightAt(_time, series) {
    const { scale } = this;
    return scale && scale.most - series - (1 + this.#bar(scale) / 2) / (scale.y(0) - scale.y(1));
  }

  /** @override */
  rows() {
    return [["name", "track", "from_ns", "to_ns"], ...this.placed.map(({ name, track, from, to }) => [name, track, from, to])];
  }
}
