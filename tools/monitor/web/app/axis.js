// Ticks at round values.
import { moment } from "./format.js";
import { state } from "./state.js";

/**
 * @param {number} least
 * @param {number} most
 * @param {number} wished about how many
 * @returns {{ step: number, ticks: number[] }}
 */
export function ticks(least, most, wished) {
  const rough = (most - least) / Math.max(1, wished);
  if (!(rough > 0) || !Number.isFinite(rough)) return { step: 1, ticks: [least] };
  const ten = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((factor) => factor * ten >= rough) ?? 10) * ten;
  return { step, ticks: multiples(least, most, step) };
}

/**
 * The same for bytes: powers of two.
 * @param {number} least
 * @param {number} most
 * @param {number} wished
 */
export function byteTicks(least, most, wished) {
  const rough = (most - least) / Math.max(1, wished);
  if (!(rough > 0) || !Number.isFinite(rough)) return { step: 1, ticks: [least] };
  const unit = 1024 ** Math.max(0, Math.floor(Math.log(rough) / Math.log(1024)));
  const step = ([1, 2, 4, 8, 16, 32, 64, 128, 256, 512].find((factor) => factor * unit >= rough) ?? 1024) * unit;
  return { step, ticks: multiples(least, most, step) };
}

const MINUTE = 60e9;
const DAY = 1440 * MINUTE;
const LONG = [1, 2, 5, 10, 15, 30, 60, 120, 360, 720].map((minutes) => minutes * MINUTE);

/**
 * Ticks for time, in ns: round in seconds, or in minutes and hours; by the wall clock if that is chosen.
 * @param {number} from
 * @param {number} to
 * @param {number} wished
 */
export function timeTicks(from, to, wished) {
  const rough = (to - from) / Math.max(1, wished);
  const step = rough <= 50e9 ? ticks(from, to, wished).step : LONG.find((length) => length >= rough) ?? ticks(0, (to - from) / DAY, wished).step * DAY;
  // How far time 0 is behind a round time of the clock.
  const beside = state.wall == null ? 0 : Number(local(BigInt(state.wall)) % BigInt(Math.max(1, Math.round(step))));
  return { step, ticks: multiples(from + beside, to + beside, step).map((tick) => tick - beside) };
}

/**
 * @param {number} least
 * @param {number} most
 * @param {number} step
 */
function multiples(least, most, step) {
  const found = [];
  const first = Math.ceil(least / step - 1e-9);
  for (let n = 0; n < 200; n++) {
    const tick = (first + n) * step;
    if (tick > most + step * 1e-9) break;
    found.push(tick);
  }
  return found;
}

/** Unix nanoseconds in the browser's time zone. @param {bigint} unix */
const local = (unix) => unix - BigInt(new Date(Number(unix / 1000000n)).getTimezoneOffset()) * 60_000_000_000n;

/**
 * The label of a time tick.
 * @param {number} ns
 * @param {number} step
 */
export function timeLabel(ns, step) {
  if (state.wall != null) return moment(ns, step);
  if (step >= MINUTE) {
    if (step >= DAY) return `${+(ns / DAY).toFixed(1)} d`;
    const minutes = Math.round(ns / MINUTE);
    return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")} h`;
  }
  const [scale, unit] = step >= 1e9 || Math.abs(ns) >= 1e9 ? [1e9, "s"] : step >= 1e6 || Math.abs(ns) >= 1e6 ? [1e6, "ms"]
    : step >= 1e3 || Math.abs(ns) >= 1e3 ? [1e3, "µs"] : [1, "ns"];
  const places = Math.min(9, Math.max(0, Math.ceil(-Math.log10(step / scale) - 1e-9)));
  return `${(ns / scale).toFixed(places)} ${unit}`;
}
