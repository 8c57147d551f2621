// The data of the timeline besides tiles: rows, spans, messages, arrows, events, activity.
import { of, Refused } from "../api.js";
import { Paced } from "./paced.js";
import { state } from "../state.js";

/** Single events are shown if there are at most this many. */
const EVENTS = 400;
const CLOSE = 50e6;
const ARROWS = 1500;
const SPANS = 3000;
export const PAGE = 200;

export class TimelineData {
  /** @type {Api.Rows | null} */
  rows = null;
  /** @type {Api.Span[]} */
  spans = [];
  spanTotal = 0;
  /** @type {Api.Event[]} */
  marks = [];
  /** There are more in the range. */
  moreMarks = false;
  /** @type {Api.Arrow[]} */
  arrows = [];
  arrowTotal = 0;
  /** There are more: they were not counted. */
  moreArrows = false;
  /** @type {Api.Event[]} */
  events = [];
  /** @type {Api.Point[]} */
  activity = [];
  /** @type {Map<number, string>} */
  names = new Map();
  /** @type {number | null} */
  keptFrom = null;
  /** An error of loading. */
  trouble = "";
  #round = new AbortController();
  #marksKnown = false;

  /**
   * @param {string} session
   * @param {() => void} changed
   * @param {AbortSignal} signal
   */
  constructor(session, changed, signal) {
    this.session = session;
    this.changed = changed;
    this.signal = signal;
    this.paced = new Paced(() => this.load());
    signal.addEventListener("abort", () => {
      this.paced.stop();
      this.#round.abort();
    });
  }

  /** The range has changed, or the log has grown. */
  soon() {
    this.paced.wish(state.follows);
  }

  /** Loads everything for the current range. */
  async load() {
    if (this.signal.aborted) return;
    this.#round.abort();
    this.#round = new AbortController();
    const { signal } = this.#round;
    const { from, to } = state.range;
    const margin = (to - from) * 0.25;
    const wide = { from: Math.max(0, from - margin), to: to + margin };
    const close = to - from <= CLOSE;
    this.trouble = "";
    /**
     * @template T
     * @param {string} what
     * @param {import("../api.js").Query} query
     * @param {(answer: T) => void} keep
     */
    const part = async (what, query, keep) => {
      try {
        keep(await of(this.session, what, query, signal));
        this.changed();
      } catch (error) {
        if (signal.aborted) return;
        this.trouble = error instanceof Refused ? error.message : String(error);
        this.changed();
      }
    };
    await part("rows", {}, (/** @type {Api.Rows} */ answer) => {
      this.rows = answer;
      this.keptFrom = answer.kept_from ?? null;
    });
    // Tiles have priority; never more requests at once than a browser has connections.
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (signal.aborted) return;
    await Promise.all([
      part("threads", { ...wide, limit: 500 }, (/** @type {Api.Threads} */ answer) => {
        for (const { id, label } of answer.rows) if (label) this.names.set(id, label);
      }),
      part("series", { names: "activity", ...wide, points: 600 }, (/** @type {Api.SeriesAnswer} */ answer) => {
        this.activity = answer.names.activity?.points ?? [];
      }),
      part("spans", { ...wide, limit: SPANS }, (/** @type {Api.Spans} */ answer) => {
        this.spans = answer.rows;
        this.spanTotal = answer.total;
      }),
    ]);
    if (signal.aborted) return;
    await Promise.all([
      part("events", { ...wide, kind: "marker", limit: EVENTS }, (/** @type {Api.Events} */ answer) => {
        this.marks = answer.rows;
        this.moreMarks = answer.more;
        this.#marksKnown ||= answer.rows.length > 0;
      }),
      part("arrows", { ...wide, limit: ARROWS, most: ARROWS }, (/** @type {Api.Arrows} */ answer) => {
        this.arrows = answer.total > ARROWS ? [] : answer.rows;
        this.arrowTotal = answer.total;
        this.moreArrows = answer.more ?? false;
      }),
      close
        ? part("events", { ...wide, kind: "all", limit: EVENTS }, (/** @type {Api.Events} */ answer) => {
          this.events = answer.more ? [] : answer.rows;
        })
        : Promise.resolve(),
    ]);
    if (!close && !signal.aborted) this.events = [];
    this.changed();
  }

  /** Whether the row of messages and markers is shown: this does not depend on the range. */
  get hasMarks() {
    return this.#marksKnown;
  }

  /**
   * @param {number} id
   */
  name(id) {
    return this.names.get(id) ?? `Thread ${id}`;
  }
}
