// All threads.
import { of, Refused } from "../api.js";
import { STATE } from "../colours.js";
import { say } from "../copy.js";
import { h } from "../dom.js";
import { count, duration, words } from "../format.js";
import { state } from "../state.js";
import { Table } from "../table.js";
import { keepLoaded, sayKept, title } from "./loader.js";

/** @param {Api.Thread} row */
export const stateText = (row) => (row.ended != null ? "finished" : row.state == null ? "unknown" : row.reason ? `${words(row.state)}: ${words(row.reason)}` : words(row.state));

/** @param {Api.Thread} row */
export const blockedText = (row) => Object.entries(row.blocked ?? {}).filter(([, ns]) => ns > 0).sort((a, b) => b[1] - a[1])
  .map(([reason, ns]) => `${words(reason)} ${duration(ns)}`).join(", ");

/** The most rows of an answer. */
const MOST = 5000;

/** @param {Api.Thread} row */
const age = (row) => (row.created == null ? null : (row.ended ?? state.session?.end ?? row.created) - row.created);

/**
 * @param {HTMLElement} root
 * @param {Api.Session} session
 * @param {AbortSignal} signal
 */
export function mount(root, session, signal) {
  const kept = h("p", { class: "note", hidden: true });
  let round = new AbortController();
  /** @type {{ sort: string, descending: boolean, find: string, from: number, to: number } | null} */
  let last = null;
  /**
   * @param {import("../table.js").Order} order
   * @param {number} offset
   * @param {number} limit
   * @param {AbortSignal} stop
   * @returns {Promise<Api.Threads>}
   */
  const load = ({ sort, descending, find }, offset, limit, stop) => of(session.id, "threads", { ...state.window, sort, desc: descending, find, offset, limit }, stop);
  const ask = async (/** @type {NonNullable<typeof last>} */ wish, /** @type {AbortSignal} */ stop) => {
    const answer = await load(wish, wish.from, wish.to - wish.from, stop);
    sayKept(kept, answer.kept_from);
    table.part(wish.from, answer.rows, answer.total);
  };
  /** @type {Table<Api.Thread>} */
  const table = new Table({
    label: "threads", sort: "id", empty: "No thread in this range. The log has threads if it was written with +RTS -l or -ls.",
    open: (row) => state.go({ page: `thread/${row.id}` }),
    columns: [
      { key: "id", name: "Id", number: true, width: 72, text: (row) => String(row.id), value: (row) => row.id },
      { key: "label", name: "Label", wide: true, title: "GHC.Conc.labelThread", text: (row) => row.label ?? "" },
      { key: "state", name: "State", width: 150, text: stateText, colour: (row) => (row.ended != null ? null : STATE[row.state ?? ""] ?? null) },
      { key: "cap", name: "Cap", number: true, width: 48, title: "Capability", text: (row) => (row.cap == null ? "" : String(row.cap)), value: (row) => row.cap },
      { key: "run_time", name: "Run time", number: true, text: (row) => duration(row.run_time), value: (row) => row.run_time },
      { key: "blocked", name: "Blocked", wide: true, width: 200, title: "Time blocked, by reason", text: blockedText },
      { key: "switches", name: "Switches", number: true, text: (row) => count(row.switches), value: (row) => row.switches },
      { key: "age", name: "Age", number: true, text: (row) => duration(age(row)), value: age },
    ],
    server: {
      wish: (wish) => {
        last = wish;
        round.abort();
        round = new AbortController();
        const stop = round.signal;
        ask(wish, stop).catch((error) => {
          if (!stop.aborted && !signal.aborted) say(error instanceof Refused ? error.message : String(error));
        });
      },
      all: async (order) => {
        /** @type {Api.Thread[]} */
        const rows = [];
        for (let total = 1; rows.length < total;) {
          const answer = await load(order, rows.length, MOST, signal);
          if (!answer.rows.length) break;
          rows.push(...answer.rows);
          total = answer.total;
        }
        return rows;
      },
    },
  });
  root.append(title("Threads", h("span", { class: "quiet" }, "alive in this range")), kept, table.node);
  keepLoaded(root, signal, async (stop) => {
    if (last) await ask(last, stop);
  });
  signal.addEventListener("abort", () => round.abort());
}
