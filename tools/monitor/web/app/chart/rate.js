// Converts sums to rates.

/** The shortest time for a rate, as a part of the range: shorter ones would turn single values into spikes. */
const STRETCHES = 120;

/**
 * The sum of each point covers the time since the point before: divided by that time in seconds.
 * @param {Api.Series | undefined} series
 * @param {{ from: number, to: number }} range
 * @returns {Api.Point[]}
 */
export function perSecond(series, { from, to }) {
  if (!series) return [];
  if (series.kind !== "rate") return series.points;
  const least = (to - from) / STRETCHES;
  let before = Math.min(from, series.points[0]?.[0] ?? from);
  let [total, number] = [0, 0];
  /** @type {Api.Point[]} */
  const rates = [];
  series.points.forEach(([time, , , sum, count], n) => {
    total += sum ?? 0;
    number += count;
    const length = time - before;
    if (length < least && !(n === series.points.length - 1 && !rates.length && length > 0)) return;
    const rate = (total * 1e9) / length;
    rates.push([time, rate, rate, rate, number]);
    before = time;
    total = number = 0;
  });
  return rates;
}
