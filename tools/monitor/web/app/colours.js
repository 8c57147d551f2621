// The same colour for the same thing on every page: the palette of Okabe and Ito, which works
// for all kinds of colour vision.

/** @type {Readonly<Record<string, string>>} */
export const STATE = Object.freeze({
  mutator: "#009E73",
  running: "#009E73",
  collecting: "#D55E00",
  waiting_for_collection: "#E69F00",
  runnable: "#56B4E9",
  switching: "#56B4E9",
  foreign_call: "#F0E442",
  blocked: "#8C8C8C",
  writing_log: "#CC79A7",
});
export const SPAN = "#0072B2";
export const MARK = "#CC79A7";
/** Wake-ups have the colour of text. @type {Readonly<Record<string, string>>} */
export const ARROWS = Object.freeze({ migration: "#A050C0", blackhole: "#D00000" });

/** For things without a fixed colour: bands, and large sets of series. */
const SERIES = [
  "#0072B2", "#D55E00", "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#B8AB00", "#7A5195", "#00798C",
  "#A14D2A", "#6B8E23", "#C06C84", "#4C6A92", "#8D6E63", "#2F9E9E", "#B07AA1",
];
/** @param {number} index */
export const series = (index) => SERIES[index % SERIES.length];
export const OTHER = "#8C8C8C";

/**
 * Depends on the name only, so that it stays the same when other items change.
 * @param {string} name
 */
export function named(name) {
  let hash = 2166136261;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
  return series((hash >>> 8) % SERIES.length);
}

/**
 * As a pixel of a canvas (little endian: red is the lowest byte).
 * @param {string} hex
 */
export function pixel(hex) {
  const value = parseInt(hex.slice(1), 16);
  return (0xff000000 | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}

/** The current colours of the theme. */
export function theme() {
  const style = getComputedStyle(document.documentElement);
  /** @param {string} name */
  const read = (name) => style.getPropertyValue(name).trim();
  return { back: read("--back"), idle: read("--idle"), lost: read("--lost"), hatch: read("--hatch"), ink: read("--ink"), faint: read("--faint"), line: read("--line") };
}
