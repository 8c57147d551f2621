// Spans over time; overlapping ones are below each other.
import { named } from "../colours.js";
import { s } from "../dom.js";
import { duration } from "../format.js";
import { state } from "../state.js";
import { TimeChart } from "./frame.js";

const LANES = 24;

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
    const height = Math.min(16, scale.y(0) - scale.y(1));
    for (const { lane, from, end, name } of this.placed) {
      const [a, b] = [Math.max(scale.x(from), -10), Math.min(scale.x(end), scale.width + 10)];
      if (b < 0 || a > scale.width) continue;
      this.inside.append(s("rect", { x: a, width: Math.max(1, b - a), y: scale.y(scale.most - lane) + 1, height: Math.max(1, height - 1), fill: named(name) },
        s("title", null, `${name}: ${duration(end - from)}`)));
    }
  }

  /**
   * @override
   * @param {number} time
   */
  tell(time) {
    return this.placed.filter(({ from, end }) => from <= time && end >= time).slice(0, 8)
      .map(({ name, from, end }) => ({ name, colour: named(name), text: duration(end - from) }));
  }

  /** @override */
  rows() {
    return [["name", "track", "from_ns", "to_ns"], ...this.placed.map(({ name, track, from, to }) => [name, track, from, to])];
  }
}
