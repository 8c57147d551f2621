// Searches the events: each request has a time limit, and the answer says how far the
// search got.
import { of } from "./api.js";

/**
 * @param {string} session
 * @param {import("./api.js").Query & { limit: number }} query
 * @param {AbortSignal} signal
 * @param {(answer: Api.Events) => void} [each] called with all results so far
 * @returns {Promise<Api.Events>}
 */
export async function searchEvents(session, query, signal, each = () => {}) {
  /** @type {Api.Event[]} */
  const rows = [];
  let { from } = query;
  for (;;) {
    /** @type {Api.Events} */
    const answer = await of(session, "events", { ...query, from, limit: query.limit - rows.length }, signal);
    rows.push(...answer.rows);
    const whole = { ...answer, rows };
    const until = answer.looked_until;
    if (until == null || rows.length >= query.limit || until <= Number(from ?? -1)) return whole;
    each(whole);
    from = until;
  }
}
