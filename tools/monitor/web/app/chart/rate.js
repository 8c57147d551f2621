// Sums become rates.

/**
 * What was added up at each point happened since the point before it: per second of that time.
 * @param {Api.Series | undefined} series
 * @param {number} from where the first stretch begins
 * @returns {Api.Point[]}
 */
export function perSecond(series, from) {
  if (!series) return [];
  if (series.kind !== "rate") return series.points;
  let before = from;
  return series.points.flatMap(([time, , , sum, count]) => {
    const length = time - before;
    before = time;
    if (!(length > 0) || sum == null) return [];
    const rate = (sum * 1e9) / length;
    return [/** @type {Api.Point} */ ([time, rate, rate, rate, count])];
  });
}
