// Messages, markers, or all events, as text.
import { Refused } from "../api.js";
import { h, replace, settled } from "../dom.js";
import { searchEvents } from "../events.js";
import { clock, moment, words } from "../format.js";
import { state } from "../state.js";
import { Table } from "../table.js";
import { keepLoaded, sayKept, title } from "./loader.js";

const LIMIT = 5000;
const EMPTY = {
  message: "No message in this range. Programs write them with Debug.Trace.traceEvent (+RTS -l).",
  marker: "No marker in this range. Programs write them with Debug.Trace.traceMarker (+RTS -l).",
  all: "No event in this range.",
};

/**
 * @param {HTMLElement} root
 * @param {Api.Session} session
 * @param {AbortSignal} signal
 */
export function mount(root, session, signal) {
  const kept = h("p", { class: "note", hidden: true });
  const wrong = h("p", { class: "trouble", role: "alert", hidden: true });
  const kind = h("select", { "aria-label": "Kind of events" }, h("option", { value: "message" }, "Messages"), h("option", { value: "marker" }, "Markers"), h("option", { value: "all" }, "All events"));
  const find = h("input", { type: "search", placeholder: "Regular expression", "aria-label": "Search with a regular expression", "data-search": true, size: 32 });
  kind.value = state.place.more.kind in EMPTY ? state.place.more.kind : "message";
  find.value = state.place.more.find ?? "";
  /** @param {Api.Event} row */
  const open = (row) => state.go({
    page: "timeline", from: row.time - 20_000, to: row.time + 20_000, last: null, more: {}, sel: row.cap == null ? null : `c${row.cap}@${row.time}`,
  });
  /** @type {Table<Api.Event>} */
  const table = new Table({
    label: "events", sort: "time", empty: EMPTY.all, filter: false, open,
    columns: [
      { key: "time", name: "Time", number: true, width: 130, text: ({ time }) => moment(time), value: ({ time }) => time },
      { key: "clock", name: "Clock", width: 110, sortable: false, text: ({ time }) => clock(time, session.wall)?.slice(11) ?? "" },
      { key: "cap", name: "Cap", number: true, width: 48, text: ({ cap }) => (cap == null ? "" : String(cap)), value: ({ cap }) => cap },
      { key: "name", name: "Event", width: 130, text: ({ name }) => words(name) },
      { key: "text", name: "Text", wide: true, width: 320, text: ({ text }) => text },
    ],
  });
  const quick = h("span", { class: "quiet" });
  root.append(title("Log", kind, find, quick), kept, wrong, table.node);
  const loaded = keepLoaded(root, signal, async (round) => {
    const which = /** @type {keyof typeof EMPTY} */ (kind.value);
    table.options.empty = find.value ? "Nothing matches." : EMPTY[which];
    try {
      const answer = await searchEvents(session.id, { ...state.window, kind: which, find: find.value, limit: LIMIT }, round, (some) => {
        if (!round.aborted) table.fill(some.rows, some.rows.length, `searched until ${moment(some.looked_until, 1e6)}`);
      });
      sayKept(kept, answer.kept_from);
      wrong.hidden = true;
      table.fill(answer.rows, answer.rows.length, answer.more ? "there are more: select a shorter range" : "");
    } catch (error) {
      // A regular expression is often invalid while it is being typed.
      if (!(error instanceof Refused) || error.status !== 400) throw error;
      wrong.hidden = false;
      replace(wrong, error.message);
    }
  });
  const change = settled(250, () => {
    state.go({ more: { kind: kind.value === "message" ? "" : kind.value, find: find.value } }, false);
    loaded.renew();
  });
  find.addEventListener("input", () => change());
  kind.addEventListener("change", () => change());
}
