// The state of the log itself: lag, losses, how far each row is complete.
import { of } from "../api.js";
import { LineChart } from "../chart/line.js";
import { perSecond } from "../chart/rate.js";
import { h, replace } from "../dom.js";
import { bytes, count, duration, moment, words } from "../format.js";
import { state } from "../state.js";
import { Table } from "../table.js";
import { fact, keepLoaded, title } from "./loader.js";

/** @typedef {{ time?: number, from?: number, cap?: number | null, cause?: string, events?: number, bytes?: number }} Loss */
/** @typedef {{ row: string, until: number }} Until */

/**
 * @param {HTMLElement} root
 * @param {Api.Session} session
 * @param {AbortSignal} signal
 */
export function mount(root, session, signal) {
  const cards = h("div", { class: "cards" });
  const more = h("section");
  const rate = new LineChart({ title: "Events per second", unit: "/s", height: 130, empty: "No event yet." });
  /** @type {Table<Loss>} */
  const losses = new Table({
    label: "losses", sort: "time", empty: "Nothing was lost, according to the log.", height: 220,
    columns: [
      { key: "time", name: "At", number: true, width: 120, text: (row) => moment(row.time ?? row.from, 1e3), value: (row) => row.time ?? row.from },
      { key: "cap", name: "Capability", number: true, text: ({ cap }) => (cap == null ? "" : String(cap)), value: ({ cap }) => cap },
      { key: "events", name: "Events", number: true, text: ({ events }) => (events == null ? "" : count(events)), value: ({ events }) => events },
      { key: "bytes", name: "Bytes", number: true, text: (row) => (row.bytes == null ? "" : bytes(row.bytes)), value: (row) => row.bytes },
      { key: "cause", name: "Cause", wide: true, text: ({ cause }) => cause ?? "" },
    ],
  });
  /** @type {Table<Until>} */
  const rows = new Table({
    label: "rows", sort: "row", empty: "No capability has written anything yet.", height: 220,
    columns: [
      { key: "row", name: "Row", text: ({ row }) => (/^c\d+$/.test(row) ? `Capability ${row.slice(1)}` : row) },
      { key: "until", name: "Final until", number: true, width: 120, text: ({ until }) => moment(until, 1e3), value: ({ until }) => until },
      { key: "behind", name: "Behind the newest", number: true, width: 140, text: ({ until }) => duration((state.session?.end ?? until) - until), value: ({ until }) => -until },
    ],
  });
  root.append(title("Stream"), cards, rate.node, h("div", { class: "columns even" },
    h("section", null, h("h2", null, "Losses"), losses.node), h("section", null, h("h2", null, "End of the final part of each row"), rows.node)), more);
  keepLoaded(root, signal, async (round) => {
    const [answer, capRows, series] = await Promise.all([
      /** @type {Promise<Api.StreamState>} */ (of(session.id, "stream", {}, round)),
      /** @type {Promise<Api.Rows>} */ (of(session.id, "rows", {}, round)),
      /** @type {Promise<Api.SeriesAnswer>} */ (of(session.id, "series", { names: "events.rate", ...state.window, points: 400 }, round)),
    ]);
    const now = state.session ?? session;
    const list = Array.isArray(answer.losses) ? /** @type {Loss[]} */ (answer.losses) : [];
    replace(cards,
      fact("Lag", now.live ? duration(now.lag) : "–", now.live ? "behind the program" : "the session has ended"),
      fact("Received", bytes(now.bytes), `${count(now.events)} events`),
      ...Object.entries(answer).filter(([, value]) => typeof value === "number" && Number.isFinite(value)).filter(([key]) => !["lag", "bytes", "events", "kept_from"].includes(key))
        .map(([key, value]) => fact(sentence(key), number(key, Number(value)))));
    replace(more, ...nested(answer));
    losses.fill(list);
    rows.fill(capRows.caps.map(({ row, until }) => ({ row, until })));
    const points = perSecond(series.names["events.rate"], state.range);
    rate.show(points.length ? [{ name: "events", colour: "#0072B2", points, since: true }] : []);
  });
}

/** @param {string} key */
const sentence = (key) => words(key).replace(/^./, (first) => first.toUpperCase());

/**
 * @param {string} key
 * @param {number} value
 */
function number(key, value) {
  if (/memory|bytes|rss|kept$|size/.test(key)) return bytes(value);
  if (/lag|disorder|time|latest|until|from|delay/.test(key)) return duration(value);
  return count(value);
}

/** A separate list for each object of numbers. @param {Api.StreamState} answer */
function nested(answer) {
  return Object.entries(answer).filter(([, value]) => value != null && typeof value === "object" && !Array.isArray(value)).flatMap(([key, value]) => [
    h("h2", null, sentence(key)),
    h("dl", { class: "facts" }, ...Object.entries(/** @type {object} */ (value)).filter(([, one]) => typeof one !== "object").flatMap(([name, one]) => [
      h("dt", null, words(name)), h("dd", null, typeof one === "number" ? number(`${key} ${name}`, one) : String(one))])),
  ]);
}
