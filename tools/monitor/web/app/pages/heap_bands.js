// The table of bands, and everything that is known about one of them.
import { h, replace } from "../dom.js";
import { bytes, NOTHING } from "../format.js";
import { Table } from "../table.js";
import { bandColour } from "./heap_names.js";

/** @typedef {import("../table.js").Column<Api.Band>} Column */

const INFO_TABLE = "info_table";

export class Bands {
  /** @type {string | null | undefined} */
  #breakdown;
  /** @type {Table<Api.Band> | null} */
  #table = null;
  /** The id of the band that is shown alone. @type {number | null} */
  only = null;

  /**
   * @param {string} empty
   * @param {() => void} changed called when another band is shown alone
   */
  constructor(empty, changed) {
    this.empty = empty;
    this.changed = changed;
    this.space = h("div");
    this.facts = h("dl", { class: "facts" });
    this.details = h("section", { class: "band", hidden: true, "aria-label": "The chosen band" },
      h("div", { class: "tools" }, h("h2", null, "This band"), h("button", { type: "button", onclick: () => this.#all() }, "Show all bands")), this.facts);
    this.node = h("div", { hidden: true }, this.space, this.details);
  }

  /** @param {Api.Heap} heap */
  fill(heap) {
    this.node.hidden = heap.samples.length === 0;
    if (!this.#table || this.#breakdown !== heap.breakdown) {
      this.#breakdown = heap.breakdown;
      this.#table = this.#make(heap.breakdown);
      replace(this.space, this.#table.node);
    }
    this.bands = heap.bands;
    const { other_bands: others } = heap;
    this.#table.fill(heap.bands, heap.bands.length + others, others ? "the others are summed up in the chart" : "");
    this.#tell();
  }

  /** @param {string | null} breakdown */
  #make(breakdown) {
    /** @type {Column[]} */
    const names = breakdown === INFO_TABLE ? [
      { key: "name", name: "Name", wide: true, text: (band) => tableName(band), colour: ({ name }) => bandColour(breakdown, name) },
      { key: "type", name: "Type", width: 110, text: ({ table }) => table?.type ?? "" },
      { key: "module", name: "Module", width: 110, text: ({ table }) => table?.module ?? "" },
      { key: "source", name: "Source", wide: true, text: ({ table }) => table?.location ?? "" },
    ] : [
      { key: "name", name: "Band", wide: true, text: ({ name }) => name, colour: ({ name }) => bandColour(breakdown, name) },
      ...(breakdown === "cost_centre" ? [/** @type {Column} */ ({ key: "detail", name: "Stack", wide: true, title: "Callers first", text: ({ detail }) => detail ?? "" })] : []),
    ];
    return new Table({
      label: "bands", sort: "newest", descending: true, empty: this.empty, height: 300,
      open: ({ id }) => {
        this.only = this.only === id ? null : id;
        this.#tell();
        this.changed();
      },
      columns: [
        ...names,
        { key: "newest", name: "Newest", number: true, text: (band) => bytes(newest(band)), value: newest },
        { key: "largest", name: "Largest", number: true, text: (band) => bytes(largest(band)), value: largest },
        { key: "trend", name: "Trend", number: true, width: 104, title: "Growth over the range: the slope of a straight line through all samples", text: trend, value: ({ trend: value }) => value },
      ],
    });
  }

  #tell() {
    const band = this.bands?.find(({ id }) => id === this.only);
    this.details.hidden = !band;
    if (!band) return;
    const { table } = band;
    const rows = table
      ? [["Name", table.label || table.name], ["Info table", table.name], ["Type", table.type], ["Module", table.module], ["Source", table.location], ["Address", table.address]]
      : [["Band", band.name], ["Stack", this.#breakdown === "cost_centre" ? band.detail ?? "" : ""]];
    rows.push(["Newest", bytes(newest(band))], ["Largest", bytes(largest(band))], ["Trend", trend(band)]);
    replace(this.facts, ...rows.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", null, name), h("dd", null, value)]));
  }

  #all() {
    this.only = null;
    this.#tell();
    this.changed();
  }
}

/** @param {Api.Band} band */
const tableName = ({ name, table }) => (table ? table.label || table.name : name);
/** @param {Api.Band} band */
const newest = ({ values }) => values[values.length - 1] ?? null;
/** @param {Api.Band} band */
const largest = ({ values }) => values.reduce((/** @type {number | null} */ most, value) => (value != null && (most == null || value > most) ? value : most), null);

/** @param {Api.Band} band */
function trend({ trend: value }) {
  if (value == null) return NOTHING;
  return `${value > 0 ? "+" : ""}${bytes(value)}/s`;
}
