// Formats numbers with three significant digits and a unit.
import { state } from "./state.js";

/** Shown for unknown values. */
export const NOTHING = "–";

/**
 * Three significant digits, without an exponent.
 * @param {number} value
 */
export function digits(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 100) return Math.round(value).toString();
  if (size >= 10) return value.toFixed(1);
  if (size >= 1) return value.toFixed(2);
  return value.toPrecision(3).replace(/^(-?0\.\d*?)0+$/, "$1");
}

/**
 * @param {number | null | undefined} value
 * @param {readonly (readonly [number, string])[]} steps largest first
 */
function scaled(value, steps) {
  if (value == null || !Number.isFinite(value)) return NOTHING;
  if (value === 0) return `0 ${steps[steps.length - 1][1]}`.trim();
  // 999.7 would be rounded to 1000.
  const size = Math.abs(value) * 1.0005;
  const [step, unit] = steps.find(([least]) => size >= least) ?? steps[steps.length - 1];
  return `${digits(value / step)} ${unit}`.trim();
}

const SECOND = 1e9;
const TIMES = /** @type {const} */ ([[SECOND, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]]);

/**
 * A duration in nanoseconds.
 * @param {number | null | undefined} ns
 */
export function duration(ns) {
  if (ns == null || !Number.isFinite(ns)) return NOTHING;
  const seconds = Math.abs(ns) / SECOND;
  if (seconds < 120) return scaled(ns, TIMES);
  const sign = ns < 0 ? "-" : "";
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${sign}${minutes} min ${Math.floor(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${sign}${hours} h ${minutes % 60} min`;
  return `${sign}${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const BYTES = /** @type {const} */ ([
  [2 ** 50, "PiB"], [2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "B"],
]);
/** @param {number | null | undefined} value */
export const bytes = (value) => scaled(value, BYTES);

const COUNTS = /** @type {const} */ ([[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"], [1, ""]]);
/**
 * A count: whole up to 9999.
 * @param {number | null | undefined} value
 */
export function count(value) {
  if (value == null || !Number.isFinite(value)) return NOTHING;
  if (Math.abs(value) >= 1e4) {
    const least = COUNTS.find(([step]) => Math.abs(value) * 1.0005 >= step) ?? COUNTS[4];
    return least[0] === 1e4 ? `${digits(value / 1e3)} k` : `${digits(value / least[0])} ${least[1]}`;
  }
  return Number.isInteger(value) ? value.toString() : digits(value);
}

/**
 * A fraction, as a percentage.
 * @param {number | null | undefined} part
 */
export function percent(part) {
  if (part == null || !Number.isFinite(part)) return NOTHING;
  return `${digits(part * 100)} %`;
}

/**
 * A value of a series, in its unit.
 * @param {number | null | undefined} value
 * @param {string} unit
 */
export function quantity(value, unit) {
  if (value == null || !Number.isFinite(value)) return NOTHING;
  switch (unit.replace(/^By/, "B").replace(/^\{.*\}$/, "").replace(/^\{.*\}\//, "/")) {
    case "ns": return duration(value);
    case "s": return duration(value * SECOND);
    case "B": case "bytes": case "byte": return bytes(value);
    case "B/s": case "bytes/s": return `${bytes(value)}/s`;
    case "share": case "ratio": case "%": case "part": return percent(value);
    case "": case "1": return count(value);
    default:
      if (unit.startsWith("/")) return `${count(value)}${unit}`;
      return unit.includes("/") || unit.length > 0 ? `${count(value)} ${unit}` : count(value);
  }
}

/**
 * A time of the log, or by the wall clock if that is chosen, with enough digits to distinguish it from its neighbours.
 * @param {number | null | undefined} ns since the start of the log
 * @param {number} [resolution] in ns
 */
export function moment(ns, resolution = 1) {
  if (ns == null || !Number.isFinite(ns)) return NOTHING;
  const wall = clock(ns, state.wall, resolution);
  if (wall != null) return wall.slice(wall.indexOf(" ") + 1);
  const places = Math.max(0, Math.min(9, Math.ceil(9 - Math.log10(Math.max(1, resolution)))));
  return `${(ns / SECOND).toFixed(places)} s`;
}

/**
 * A wall clock time, in the browser's time zone.
 * @param {number} ns since the start of the log
 * @param {string | null} wall Unix nanoseconds of the start
 * @param {number} [resolution] in ns
 */
export function clock(ns, wall, resolution = 1e6) {
  if (wall == null) return null;
  const unix = BigInt(wall) + BigInt(Math.round(ns));
  const date = new Date(Number(unix / 1000000n));
  if (Number.isNaN(date.getTime())) return null;
  /** @param {number} n */
  const two = (n) => n.toString().padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const places = Math.max(0, Math.min(9, Math.ceil(9 - Math.log10(Math.max(1, resolution)))));
  const fraction = ((unix % 1000000000n + 1000000000n) % 1000000000n).toString().padStart(9, "0");
  return `${day} ${time}${places ? `.${fraction.slice(0, places)}` : ""}`;
}

/**
 * The name of a state, with spaces.
 * @param {string} name
 */
export const words = (name) => name.replaceAll("_", " ");
