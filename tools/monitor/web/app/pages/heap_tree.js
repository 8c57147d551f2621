// The cost-centre stacks of one heap sample as a tree, callers first.
import { of, Refused } from "../api.js";
import { h, replace } from "../dom.js";
import { bytes, count, moment, percent } from "../format.js";
import { Table } from "../table.js";

/** @typedef {Api.TreeNode & { key: string, path: string, callee: boolean }} Row `callee`: it calls others */

/** A part of the heap that is opened without a click. */
const LARGE = 0.05;

export class HeapTree {
  /** @type {number[]} */
  #samples = [];
  /** @type {Row[]} */
  #rows = [];
  /** What was opened or closed by hand. @type {Map<string, boolean>} */
  #chosen = new Map();
  #round = new AbortController();
  #given = "";
  #total = 0;
  #others = 0;

  /**
   * @param {string} session
   * @param {AbortSignal} life
   */
  constructor(session, life) {
    this.session = session;
    life.addEventListener("abort", () => this.#round.abort());
    this.at = h("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": "Moment of the tree", oninput: () => void this.#ask() });
    this.time = h("span", { class: "quiet" });
    /** @type {Table<Row>} */
    this.table = new Table({
      label: "cost-centre stacks", sort: "", filter: false, empty: "No sample.", height: 360,
      level: ({ depth }) => depth + 1,
      expanded: (row) => (row.callee ? this.#isOpen(row) : null),
      open: (row) => {
        if (!row.callee) return;
        this.#chosen.set(row.key, !this.#isOpen(row));
        this.#fill();
      },
      columns: [
        {
          key: "stack", name: "Cost centre", wide: true, width: 240, sortable: false, value: ({ path }) => path,
          text: (row) => `${"\u2003".repeat(row.depth)}${row.callee ? (this.#isOpen(row) ? "▾" : "▸") : "\u2002"} ${row.label}`,
        },
        { key: "inclusive", name: "Inclusive", number: true, sortable: false, title: "Bytes of this stack and of all that continue it", text: ({ inclusive }) => bytes(inclusive), value: ({ inclusive }) => inclusive },
        { key: "share", name: "Share", number: true, sortable: false, title: "Inclusive bytes, of the whole sample", text: (row) => percent(this.#share(row)) },
        { key: "own", name: "Own", number: true, sortable: false, title: "Bytes of exactly this stack", text: ({ own }) => bytes(own), value: ({ own }) => own },
        { key: "module", name: "Module", width: 160, sortable: false, text: ({ module }) => module ?? "" },
        { key: "source", name: "Source", wide: true, sortable: false, text: ({ location }) => location ?? "" },
      ],
    });
    this.node = h("section", { hidden: true }, h("div", { class: "tools" }, h("h2", null, "Cost-centre stacks"), this.at, this.time,
      h("button", { type: "button", onclick: () => this.#all(true) }, "Open all"), h("button", { type: "button", onclick: () => this.#all(false) }, "Close all")), this.table.node);
  }

  /**
   * @param {number[]} samples
   * @param {string | null} breakdown
   */
  offer(samples, breakdown) {
    this.node.hidden = breakdown !== "cost_centre" || samples.length === 0;
    if (this.node.hidden) return;
    const given = `${samples[0]} ${samples[samples.length - 1]} ${samples.length}`;
    if (given === this.#given) return;
    this.#given = given;
    const follows = this.at.value === this.at.max;
    this.#samples = samples;
    this.at.max = String(samples.length - 1);
    if (follows) this.at.value = this.at.max;
    void this.#ask();
  }

  async #ask() {
    this.#round.abort();
    this.#round = new AbortController();
    const { signal } = this.#round;
    try {
      /** @type {Api.HeapTree} */
      const answer = await of(this.session, "heap/tree", { at: this.#samples[Number(this.at.value)] }, signal);
      replace(this.time, `at ${moment(answer.time, 1e7)}, ${bytes(answer.total)}`);
      this.#total = answer.total;
      this.#others = answer.other_nodes;
      /** @type {Row[]} */
      const rows = [];
      for (const node of answer.nodes) {
        const caller = node.parent == null ? null : rows[node.parent];
        if (caller) caller.callee = true;
        rows.push({ ...node, callee: false, key: `${caller?.key ?? ""}/${node.cost_centre ?? node.label}`, path: caller ? `${caller.path}/${node.label}` : node.label });
      }
      this.#rows = rows;
      this.#fill();
    } catch (error) {
      if (!signal.aborted) replace(this.time, error instanceof Refused ? error.message : String(error));
    }
  }

  /** @param {Row} row */
  #share(row) {
    return this.#total ? row.inclusive / this.#total : 0;
  }

  /** @param {Row} row */
  #isOpen(row) {
    return this.#chosen.get(row.key) ?? (row.depth === 0 || this.#share(row) >= LARGE);
  }

  /** @param {boolean} open */
  #all(open) {
    for (const row of this.#rows) if (row.callee) this.#chosen.set(row.key, open || row.depth === 0);
    this.#fill();
  }

  #fill() {
    /** @type {Row[]} */
    const shown = [];
    // Rows below this depth are inside a closed one.
    let closed = Infinity;
    for (const row of this.#rows) {
      if (row.depth > closed) continue;
      closed = this.#isOpen(row) ? Infinity : row.depth;
      shown.push(row);
    }
    this.table.fill(shown, shown.length, this.#others ? `${count(this.#others)} small ones are left out` : "");
  }
}
