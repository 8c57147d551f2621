// A table with sorting, filtering and copying; only visible rows have nodes.
import { because } from "./because.js";
import { frame, h, replace } from "./dom.js";
import { copy, say } from "./copy.js";
import { count } from "./format.js";

/**
 * `text`: the shown text. `value`: for sorting and copying; the text by default. `number`: right-aligned.
 * @template R
 * @typedef {{
 *   key: string, name: string, title?: string, number?: boolean, wide?: boolean, sortable?: boolean, width?: number,
 *   text: (row: R) => string, value?: (row: R) => string | number | null | undefined,
 *   colour?: (row: R) => string | null,
 * }} Column
 */

/**
 * With `server`, rows are loaded from the server, sorted and filtered there: `wish` requests the visible ones, `all` is for copies.
 * `level` and `expanded` make it a tree: how deep a row is, from 1, and whether the rows below it are shown (null: it has none);
 * `open` changes that.
 * @template R
 * @typedef {{
 *   label: string, columns: Column<R>[], empty: string, sort?: string, descending?: boolean,
 *   filter?: boolean, height?: number,
 *   open?: (row: R) => void, id?: (row: R) => string,
 *   level?: (row: R) => number, expanded?: (row: R) => boolean | null,
 *   server?: {
 *     wish: (wish: Order & { from: number, to: number }) => void,
 *     all: (order: Order) => Promise<R[]>,
 *   },
 * }} Options
 */

/** @typedef {{ sort: string, descending: boolean, find: string }} Order */

const ROW = 24;

/** @template R */
export class Table {
  /** @type {(R | undefined)[]} */
  #rows = [];
  /** @type {R[]} */
  #shown = [];
  #total = 0;
  #find = "";
  #wished = "";
  #current = -1;
  #note = "";
  /** The nodes of the visible rows, by number. @type {Map<number, HTMLElement>} */
  #lines = new Map();

  /** @param {Options<R>} options */
  constructor(options) {
    this.options = options;
    this.sort = options.sort ?? options.columns[0].key;
    this.descending = options.descending ?? false;
    this.head = h("div", { role: "row", class: "table-head" });
    this.nothing = h("p", { class: "empty", hidden: true });
    this.space = h("div", { class: "table-space", role: "rowgroup" }, this.nothing);
    this.scroll = h("div", { class: "table-scroll", role: options.level ? "treegrid" : "table", "aria-label": options.label, tabindex: 0 },
      h("div", { role: "rowgroup", class: "table-heads" }, this.head), this.space);
    this.counted = h("span", { class: "quiet", "aria-live": "polite" });
    this.search = h("input", { type: "search", placeholder: "Filter", "aria-label": `Filter ${options.label}`, "data-search": true });
    this.node = h("section", { class: "table" },
      h("div", { class: "tools" },
        options.filter === false ? null : this.search, this.counted,
        h("button", { type: "button", title: "Copy the rows as tab-separated values", onclick: () => void this.#copy() }, "Copy TSV")),
      this.scroll);
    if (options.height) this.scroll.style.maxHeight = `${options.height}px`;
    this.redraw = frame(() => this.#draw());
    this.search.addEventListener("input", () => {
      this.#find = this.search.value;
      this.#order();
    });
    this.scroll.addEventListener("scroll", this.redraw, { passive: true });
    this.scroll.addEventListener("keydown", (event) => this.#key(event));
    this.space.addEventListener("click", (event) => this.#click(event));
    new ResizeObserver(this.redraw).observe(this.scroll);
    const widths = options.columns.map((column) => column.width ?? (column.wide ? 160 : 88));
    this.scroll.style.setProperty("--columns", widths
      .map((width, n) => `minmax(${width}px, ${options.columns[n].wide ? width * 2 : width}fr)`).join(" "));
    this.scroll.style.setProperty("--width", `${widths.reduce((sum, width) => sum + width, 0)}px`);
    this.#heads();
  }

  /**
   * All rows.
   * @param {R[]} rows
   * @param {number} [total] if there are more than these
   * @param {string} [note] said beside the count
   */
  fill(rows, total = rows.length, note = "") {
    this.#rows = rows;
    this.#total = total;
    this.#note = note;
    this.#order();
  }

  /**
   * Rows from the server.
   * @param {number} from
   * @param {R[]} rows
   * @param {number} total
   */
  part(from, rows, total) {
    if (total !== this.#total) this.#rows.length = Math.min(this.#rows.length, total);
    this.#total = total;
    rows.forEach((row, n) => (this.#rows[from + n] = row));
    this.redraw();
  }

  /** Discards the rows from the server. */
  refresh() {
    this.#wished = "";
    this.redraw();
  }

  #heads() {
    replace(this.head, ...this.options.columns.map((column) => {
      const sorted = column.key === this.sort;
      const cell = h("div", {
        role: "columnheader", class: column.number ? "number" : null, title: column.title,
        "aria-sort": sorted ? (this.descending ? "descending" : "ascending") : null,
      });
      if (column.sortable === false) cell.append(column.name);
      else cell.append(h("button", { type: "button", onclick: () => this.#by(column) }, `${column.name}${sorted ? (this.descending ? " ▾" : " ▴") : ""}`));
      return cell;
    }));
  }

  /** @param {Column<R>} column */
  #by(column) {
    this.descending = column.key === this.sort ? !this.descending : column.number === true;
    this.sort = column.key;
    this.#heads();
    this.#order();
    this.scroll.scrollTop = 0;
  }

  #order() {
    if (this.options.server) {
      this.#rows = [];
      this.#wished = "";
      this.redraw();
      return;
    }
    const columns = this.options.columns;
    const find = this.#find.toLowerCase();
    const rows = /** @type {R[]} */ (this.#rows);
    this.#shown = find ? rows.filter((row) => columns.some((column) => column.text(row).toLowerCase().includes(find))) : rows.slice();
    const column = columns.find(({ key }) => key === this.sort);
    if (column) {
      const value = column.value ?? column.text;
      const way = this.descending ? -1 : 1;
      const keyed = this.#shown.map((row) => ({ row, key: value(row) }));
      keyed.sort((a, b) => way * compare(a.key, b.key));
      this.#shown = keyed.map(({ row }) => row);
    }
    this.redraw();
  }

  get #length() {
    return this.options.server ? this.#total : this.#shown.length;
  }

  /** @param {number} n */
  #row(n) {
    return this.options.server ? this.#rows[n] : this.#shown[n];
  }

  #draw() {
    const server = this.options.server;
    const height = this.scroll.clientHeight || 400;
    // Browsers draw nothing beyond about 30 million pixels.
    const length = Math.min(this.#length, 1_000_000);
    const from = Math.max(0, Math.floor(this.scroll.scrollTop / ROW) - 4);
    const to = Math.min(length, from + Math.ceil(height / ROW) + 8);
    if (server) {
      const wish = { sort: this.sort, descending: this.descending, find: this.#find, from: Math.floor(from / 50) * 50, to: Math.ceil(Math.max(to, 1) / 50) * 50 + 50 };
      const key = JSON.stringify(wish);
      if (key !== this.#wished) {
        this.#wished = key;
        server.wish(wish);
      }
    }
    this.scroll.setAttribute("aria-rowcount", String(this.#length));
    this.space.style.height = `${Math.max(length, 1) * ROW}px`;
    for (const [n, line] of this.#lines) {
      if (n >= from && n < to) continue;
      line.remove();
      this.#lines.delete(n);
    }
    for (let n = to - 1; n >= from; n--) this.#put(n);
    this.nothing.hidden = length > 0;
    replace(this.nothing, this.#find ? "Nothing matches the filter." : because(this.options.empty));
    const all = server ? this.#total : this.#rows.length;
    const more = !server && this.#total > all ? ` of ${count(this.#total)}` : "";
    replace(this.counted, this.#find && !server ? `${count(this.#length)} of ${count(all)}` : `${count(all)}${more} ${all === 1 && !more ? "row" : "rows"}`, this.#note ? ` · ${this.#note}` : null);
  }

  /**
   * Shows a row. A row that is visible already keeps its nodes: it may be in the middle of a click, which would be lost.
   * @param {number} n
   */
  #put(n) {
    const { columns, open, level, expanded } = this.options;
    let line = this.#lines.get(n);
    if (!line) {
      line = h("div", { role: "row", "aria-rowindex": n + 1 }, ...columns.map(({ number }) => h("div", { role: "cell", class: number ? "number" : null })));
      line.style.transform = `translateY(${n * ROW}px)`;
      // In the order of the rows.
      this.space.insertBefore(line, this.#lines.get(n + 1) ?? this.nothing);
      this.#lines.set(n, line);
    }
    const row = this.#row(n);
    const isOpen = row && expanded?.(row);
    set(line, "class", `table-row${open ? " opens" : ""}${n === this.#current ? " current" : ""}`);
    set(line, "aria-level", row && level ? String(level(row)) : null);
    set(line, "aria-expanded", isOpen == null ? null : String(isOpen));
    columns.forEach((column, at) => {
      const cell = /** @type {HTMLElement} */ (line?.children[at]);
      const text = row ? column.text(row) : "…";
      const colour = (row && column.colour?.(row)) || "";
      if (cell.textContent === text && (cell.dataset.colour ?? "") === colour) return;
      set(cell, "title", text.length > 14 ? text : null);
      cell.dataset.colour = colour;
      const dot = colour ? h("span", { class: "dot" }) : null;
      if (dot) dot.style.background = colour;
      replace(cell, dot, text);
    });
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const line = /** @type {HTMLElement} */ (event.target).closest("[aria-rowindex]");
    if (!line) return;
    const n = Number(line.getAttribute("aria-rowindex")) - 1;
    this.#current = n;
    const row = this.#row(n);
    if (row) this.options.open?.(row);
    this.redraw();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -Infinity, End: Infinity }[event.key];
    if (step != null) {
      this.#current = Math.min(Math.max(0, this.#current + step), this.#length - 1);
      const top = this.#current * ROW;
      const height = this.scroll.clientHeight - 2 * ROW;
      if (top < this.scroll.scrollTop) this.scroll.scrollTop = top;
      if (top > this.scroll.scrollTop + height) this.scroll.scrollTop = top - height;
      this.redraw();
    } else if (event.key === "Enter") {
      const row = this.#row(this.#current);
      if (row) this.options.open?.(row);
    } else if (this.options.expanded && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      const row = this.#row(this.#current);
      if (row && this.options.expanded(row) === (event.key === "ArrowLeft")) this.options.open?.(row);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  async #copy() {
    const { columns, server } = this.options;
    let rows = this.#shown;
    if (server) {
      try {
        rows = await server.all({ sort: this.sort, descending: this.descending, find: this.#find });
      } catch (error) {
        say(`Nothing was copied: ${error instanceof Error ? error.message : error}`);
        return;
      }
    }
    const lines = [columns.map(({ name }) => name), ...rows.map((row) => columns.map(({ text, value }) => (value ?? text)(row) ?? ""))];
    // A tab or a line break inside a label would start another cell.
    await copy(lines.map((cells) => cells.map((cell) => String(cell).replace(/[\t\r\n]+/g, " ")).join("\t")).join("\n"));
  }
}

/**
 * @param {Element} node
 * @param {string} name
 * @param {string | null} value null: without the attribute
 */
function set(node, name, value) {
  if (value == null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/**
 * Unknown values are last in descending order.
 * @param {string | number | null | undefined} a
 * @param {string | number | null | undefined} b
 */
function compare(a, b) {
  if (a == null || b == null) return (a == null ? 0 : 1) - (b == null ? 0 : 1);
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}
