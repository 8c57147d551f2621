// Panning and zooming, the same on every page.
import { state } from "./state.js";

let wanted = /** @type {{ from: number, to: number } | null} */ (null);
let running = false;
/** The fixed point of zooming: the time under the pointer. @type {number | null} */
let anchor = null;

/** @param {number | null} time */
export function keepStill(time) {
  anchor = time;
}

const still = matchMedia("(prefers-reduced-motion: reduce)");

/**
 * @param {number} from
 * @param {number} to
 */
export function glide(from, to) {
  wanted = state.clamp(from, to);
  if (still.matches) {
    state.look(from, to);
    wanted = null;
    return;
  }
  if (!running) {
    running = true;
    requestAnimationFrame(step);
  }
}

/** Whether the range is on its way to where a key has sent it. */
export const moving = () => running;

/** The range is set from elsewhere: stops a running animation. */
export function stand() {
  wanted = null;
}

function step() {
  if (!wanted) {
    running = false;
    return;
  }
  const { from, to } = state.range;
  const near = Math.max(1, (wanted.to - wanted.from) * 0.002);
  if (Math.abs(wanted.from - from) < near && Math.abs(wanted.to - to) < near) {
    state.look(wanted.from, wanted.to);
    wanted = null;
    running = false;
    return;
  }
  state.look(from + (wanted.from - from) * 0.4, to + (wanted.to - to) * 0.4);
  requestAnimationFrame(step);
}

/**
 * @param {number} factor below 1: zoom in
 * @param {number} [at] this time stays where it is
 * @param {boolean} [smooth]
 */
export function zoom(factor, at, smooth = true) {
  const now = state.range;
  const { from, to } = (smooth && wanted) || now;
  const point = at ?? (anchor != null && anchor >= now.from && anchor <= now.to ? anchor : (from + to) / 2);
  const length = Math.max(100, (to - from) * factor);
  // The point stays at its place on the screen.
  const part = (point - now.from) / (now.to - now.from);
  const left = point - part * length;
  if (smooth) glide(left, left + length);
  else {
    wanted = null;
    state.look(left, left + length);
  }
}

/**
 * @param {number} part of the range
 * @param {boolean} [smooth]
 */
export function pan(part, smooth = true) {
  const { from, to } = (smooth && wanted) || state.range;
  const by = (to - from) * part;
  if (smooth) glide(from + by, to + by);
  else {
    wanted = null;
    state.look(from + by, to + by);
  }
}

/**
 * Zooms so that an interval fills a large part of the page.
 * @param {number} from
 * @param {number} to
 */
export function show(from, to) {
  wanted = null;
  const margin = Math.max((to - from) * 0.5, 500);
  state.go({ from: from - margin, to: to + margin, last: null });
}

/** A mark at the time under the pointer. */
export function mark() {
  const { from, to } = state.range;
  const time = Math.round(anchor != null && anchor >= from && anchor <= to ? anchor : (from + to) / 2);
  const near = (to - from) / 200;
  const marks = state.place.marks;
  // Setting a mark at the same place again removes it.
  const without = marks.filter((other) => Math.abs(other - time) > near);
  state.go({ marks: without.length < marks.length ? without : [...marks, time].sort((a, b) => a - b) }, false);
}
