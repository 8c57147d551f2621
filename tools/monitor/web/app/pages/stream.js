// The state of the log itself: lag, losses, how far each row is complete.
import { of } from "../api.js";
import { LineChart } from "../chart/line.js";
import { perSecond } from "../chart/rate.js";
import { h, replace } from "../dom.js";
import { bytes, count, duration, moment } from "../format.js";
import { state } from "../state.js";
import { Table } from "../table.js";
import { fact, keepLoaded, title } from "./loader.js";

/** @typedef {Api.Loss} Loss */
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
    const list = answer.losses;
    replace(cards,
      fact("Lag", now.live ? duration(now.lag) : "–", now.live ? now.lag == null ? "behind the program: not known" : "behind the program" : now.ended ? "the session has ended" : "no running program"),
      fact("Received", bytes(now.bytes), `${count(now.events)} events in ${count(answer.blocks)} blocks`),
      fact("Late", count(answer.disorder), "events, too late to be put in order"),
      fact("Waiting", bytes(answer.waiting_bytes), "of events, to be put in order"),
      fact("Losses", count(answer.losses_total), answer.losses_total > list.length ? `the table has the latest ${count(list.length)}` : "noted in the log"),
      fact("Unreadable", bytes(answer.unreadable_bytes), "skipped, as they are no events"),
      fact("Pages", count(answer.clients), "open at this monitor"),
      fact("Own memory", bytes(answer.memory), "of the monitor"));
    replace(more, h("h2", null, "Lost in all"), h("dl", { class: "facts" }, ...lost(answer.lost).flatMap(([name, text]) => [h("dt", null, name), h("dd", null, text)])));
    losses.fill(list);
    rows.fill(capRows.caps.map(({ row, until }) => ({ row, until })));
    const points = perSecond(series.names["events.rate"], state.range);
    rate.show(points.length ? [{ name: "events", colour: "#0072B2", points, unit: "events/s", since: true }] : []);
  });
}

/**
 * @param {Api.StreamState["lost"]} sums
 * @returns {[string, string][]}
 */
function lost({ notes, chunks, bytes: size, blocks, whole_from: whole }) {
  return [
    ["Notes of losses", count(notes)], ["Chunks", count(chunks)], ["Their bytes", bytes(size)], ["Blocks", count(blocks)],
    ...(whole == null ? [] : [/** @type {[string, string]} */ (["Complete from", moment(whole, 1e6)])]),
  ];
}
