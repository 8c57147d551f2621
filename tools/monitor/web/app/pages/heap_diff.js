// The differences of the heap profile between two times.
import { of, Refused } from "../api.js";
import { h, replace } from "../dom.js";
import { bytes, moment } from "../format.js";
import { Table } from "../table.js";
import { bandColour } from "./heap_names.js";

/** @typedef {{ name: string, a: number, b: number }} Line */

export class HeapDiff {
  /** @type {number[]} */
  #samples = [];
  #round = new AbortController();
  #given = "";
  /** @type {string | null} */
  #breakdown = null;

  /**
   * @param {string} session
   * @param {AbortSignal} life
   */
  constructor(session, life) {
    this.session = session;
    life.addEventListener("abort", () => this.#round.abort());
    this.a = h("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": "Earlier moment", oninput: () => this.#ask() });
    this.b = h("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": "Later moment", oninput: () => this.#ask() });
    this.times = h("span", { class: "quiet" });
    /** @type {Table<Line>} */
    this.table = new Table({
      label: "differences", sort: "difference", descending: true, empty: "Nothing has changed between these moments.", height: 260,
      columns: [
        { key: "name", name: "Band", wide: true, text: ({ name }) => name, colour: ({ name }) => bandColour(this.#breakdown, name) },
        { key: "a", name: "Earlier", number: true, text: ({ a }) => bytes(a), value: ({ a }) => a },
        { key: "b", name: "Later", number: true, text: ({ b }) => bytes(b), value: ({ b }) => b },
        { key: "difference", name: "Difference", number: true, text: ({ a, b }) => `${b > a ? "+" : ""}${bytes(b - a)}`, value: ({ a, b }) => b - a },
      ],
    });
    this.node = h("section", { hidden: true }, h("div", { class: "tools" }, h("h2", null, "Difference of two moments"), this.a, this.b, this.times), this.table.node);
  }

  /**
   * @param {number[]} samples
   * @param {string | null} breakdown
   */
  offer(samples, breakdown) {
    this.#breakdown = breakdown;
    this.node.hidden = samples.length < 2;
    const given = `${samples[0]} ${samples[samples.length - 1]} ${samples.length}`;
    if (samples.length < 2 || given === this.#given) return;
    this.#given = given;
    const follows = Number(this.b.value) >= Number(this.b.max);
    this.#samples = samples;
    for (const slider of [this.a, this.b]) slider.max = String(samples.length - 1);
    if (follows) this.b.value = this.b.max;
    void this.#ask();
  }

  async #ask() {
    const times = [this.a, this.b].map((slider) => this.#samples[Number(slider.value)]).sort((x, y) => x - y);
    replace(this.times, `${moment(times[0], 1e7)} and ${moment(times[1], 1e7)}`);
    this.#round.abort();
    this.#round = new AbortController();
    const { signal } = this.#round;
    try {
      /** @type {Api.HeapDiff} */
      const answer = await of(this.session, "heap/diff", { a: times[0], b: times[1] }, signal);
      const lines = (answer.bands ?? answer.rows ?? []).map(({ name, a, b }) => ({ name, a: a ?? 0, b: b ?? 0 })).filter(({ a, b }) => a !== b);
      this.table.fill(lines);
    } catch (error) {
      if (!signal.aborted) replace(this.times, error instanceof Refused ? error.message : String(error));
    }
  }
}
