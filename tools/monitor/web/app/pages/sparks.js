// Sparks, per second and capability.
import { of } from "../api.js";
import { because } from "../because.js";
import { LineChart } from "../chart/line.js";
import { perSecond } from "../chart/rate.js";
import { series as colour } from "../colours.js";
import { h, replace } from "../dom.js";
import { state } from "../state.js";
import { keepLoaded, title } from "./loader.js";

const KINDS = ["created", "converted", "fizzled", "collected", "dud", "overflowed"];
const WHAT = /** @type {Record<string, string>} */ ({
  created: "put into the pool by par", converted: "evaluated in parallel", fizzled: "evaluated already before it was run",
  collected: "removed unused by a collection", dud: "evaluated already when it was created", overflowed: "no room in the pool",
});
const EMPTY = "The log has no sparks. Run a threaded program that uses par with +RTS -N2 -l (or -lp).";

/**
 * @param {HTMLElement} root
 * @param {Api.Session} session
 * @param {AbortSignal} signal
 */
export function mount(root, session, signal) {
  const charts = new Map(["pool", ...KINDS].map((kind) => [kind, new LineChart({
    title: kind === "pool" ? "Pool" : words(kind), unit: kind === "pool" ? "" : "/s", height: 130, empty: EMPTY,
    help: kind === "pool" ? "Sparks waiting in the pool" : WHAT[kind],
  })]));
  const empty = h("p", { class: "empty big", hidden: true }, EMPTY);
  const grid = h("div", { class: "columns even" }, ...[...charts.values()].map(({ node }) => node));
  root.append(title("Sparks"), empty, grid);
  keepLoaded(root, signal, async (round) => {
    /** @type {Api.SeriesAnswer | Record<string, unknown> | string[]} */
    const list = await of(session.id, "series", {}, round);
    const names = seriesNames(list).filter((name) => name.startsWith("sparks."));
    empty.hidden = names.length > 0;
    replace(empty, because(EMPTY));
    grid.hidden = names.length === 0;
    if (!names.length) return;
    /** @type {Api.SeriesAnswer} */
    const answer = await of(session.id, "series", { names: names.join(","), ...state.window, points: 400 }, round);
    for (const [kind, chart] of charts) {
      const lines = Object.entries(answer.names).flatMap(([name, series]) => {
        const [, own, cap] = name.split(".");
        const points = own === kind ? perSecond(series, state.range) : [];
        return points.length ? [{ name: `cap ${cap}`, colour: colour(Number(cap)), points, unit: own === "pool" ? "sparks" : "sparks/s", since: series.kind === "rate" }] : [];
      });
      chart.show(lines.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true })));
    }
  });
}

/** @param {string} kind */
const words = (kind) => kind[0].toUpperCase() + kind.slice(1);

/** @param {unknown} list */
export function seriesNames(list) {
  if (Array.isArray(list)) return list.map((one) => (typeof one === "string" ? one : String(one?.name)));
  const names = /** @type {{ names?: unknown }} */ (list)?.names;
  if (Array.isArray(names)) return seriesNames(names);
  return Object.keys(/** @type {object} */ (names ?? {}));
}
