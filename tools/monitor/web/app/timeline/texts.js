// Text over the canvas, as nodes, so that it can be selected and read by screen readers.
import { h, replace, settled } from "../dom.js";
import { state } from "../state.js";

/** Narrower intervals have no room for text. */
const ROOM = 42;
const MOST = 240;

export class Texts {
  #drawn = { from: 0, to: 0, top: 0, left: 0 };
  #names = "";
  /** @type {Map<string, HTMLElement>} */
  #nameNodes = new Map();

  /** @param {import("./view.js").View} view */
  constructor(view) {
    this.view = view;
    this.settle = settled(70, () => this.#place());
  }

  /**
   * While the timeline moves, text moves with it; it is placed again when the movement stops.
   * @param {import("./rows.js").Row[]} seen
   * @param {number} top
   */
  draw(seen, top) {
    this.#rowNames(seen, top);
    const { from, to } = state.range;
    const layer = this.view.textLayer;
    const length = to - from;
    const same = Math.abs(length - (this.#drawn.to - this.#drawn.from)) < length * 1e-6;
    if (same) {
      const dx = -((from - this.#drawn.from) / length) * this.view.width;
      layer.style.transform = `translate(${dx}px, ${this.#drawn.top - top}px)`;
    } else {
      layer.style.visibility = "hidden";
    }
    this.settle();
  }

  /**
   * A row that is still visible keeps its node: it may be in the middle of a click, or have the focus.
   * @param {import("./rows.js").Row[]} seen
   * @param {number} top
   */
  #rowNames(seen, top) {
    const { names, rows } = this.view;
    const rowsNow = new Map(seen.map((row) => [`${row.kind}|${row.key || row.y}|${row.label}|${isOpen(row, rows)}`, row]));
    const key = `${top}|${[...rowsNow.keys()].join("|")}`;
    if (key === this.#names) return;
    this.#names = key;
    for (const [name, node] of this.#nameNodes) {
      if (rowsNow.has(name)) continue;
      node.remove();
      this.#nameNodes.delete(name);
    }
    let next = names.firstChild;
    for (const [name, row] of rowsNow) {
      const node = this.#nameNodes.get(name) ?? this.#name(row);
      this.#nameNodes.set(name, node);
      if (node === next) next = node.nextSibling;
      else names.insertBefore(node, next);
      node.style.transform = `translateY(${row.y - top}px)`;
      node.style.height = `${row.height}px`;
    }
  }

  /** @param {import("./rows.js").Row} row */
  #name(row) {
    const node = h("div", { class: `lane-name ${row.kind}`, title: row.label });
    if (row.kind === "threads" || row.kind === "spans") {
      const open = isOpen(row, this.view.rows);
      node.append(h("button", {
        type: "button", "aria-expanded": String(open), class: "fold",
        onclick: () => state.go({ more: { ...state.place.more, [row.kind]: open ? "" : "1" } }),
      }, `${open ? "▾" : "▸"} ${row.kind === "threads" ? "Threads" : "Spans"}`), h("span", { class: "quiet" }, row.kind === "threads" ? "all together" : row.label));
    } else if (row.kind === "thread" && row.thread) {
      const id = row.thread.id;
      node.append(h("a", { href: `#/thread/${id}`, onclick: (/** @type {Event} */ event) => {
        event.preventDefault();
        state.go({ page: `thread/${id}` });
      } }, row.label));
    } else if (row.kind === "cap") {
      node.append(h("button", {
        type: "button", class: "fold", title: "Show what it does in the middle of the range",
        onclick: () => state.go({ sel: `${row.key}@${middle()}` }, false),
      }, row.label));
    } else {
      node.append(row.label);
    }
    return node;
  }

  #place() {
    const { view } = this;
    if (!view.textLayer.isConnected) return;
    const { from, to } = state.range;
    const top = view.scroller.scrollTop;
    const height = view.scroller.clientHeight;
    this.#drawn = { from, to, top, left: 0 };
    /** @type {HTMLElement[]} */
    const nodes = [];
    for (const row of view.rows.between(top, top + height)) {
      if (nodes.length >= MOST) break;
      const y = row.y - top;
      if (row.kind === "span") this.#spans(row, y, nodes);
      else if (row.kind === "spans") continue;
      else if (row.kind === "marks") this.#line(view.data.marks, y, row.height, nodes, "");
      else {
        for (const piece of view.pieces(row, ROOM)) this.#text(piece.from, piece.to, y, row.height, view.say(row, piece), nodes);
        if (row.kind === "cap") this.#line(view.data.events.filter(({ cap }) => cap === row.cap), y + row.height - 13, 13, nodes, "event");
      }
    }
    view.textLayer.style.transform = "";
    view.textLayer.style.visibility = "";
    replace(view.textLayer, ...nodes);
  }

  /**
   * @param {import("./rows.js").Row} row
   * @param {number} y
   * @param {HTMLElement[]} nodes
   */
  #spans(row, y, nodes) {
    for (const span of row.spans ?? []) this.#text(span.from, span.to ?? state.session?.end ?? span.from, y, row.height, span.name, nodes);
  }

  /**
   * @param {number} from
   * @param {number} to
   * @param {number} y
   * @param {number} height
   * @param {string} text
   * @param {HTMLElement[]} nodes
   */
  #text(from, to, y, height, text, nodes) {
    const a = Math.max(0, this.view.x(from));
    const b = Math.min(this.view.width, this.view.x(to));
    if (b - a < ROOM || nodes.length >= MOST || !text || text === "idle") return;
    nodes.push(placed("lane-text", text, a + 3, y, b - a - 6, height > 20 ? 16 : height));
  }

  /**
   * Texts of events, where they do not overlap.
   * @param {Api.Event[]} events in order of time
   * @param {number} y
   * @param {number} height
   * @param {HTMLElement[]} nodes
   * @param {string} kind
   */
  #line(events, y, height, nodes, kind) {
    const places = events.map((event) => ({ event, x: this.view.x(event.time) })).filter(({ x }) => x >= -1 && x < this.view.width)
      .sort((a, b) => a.x - b.x);
    places.forEach(({ event, x }, n) => {
      const room = Math.min(320, (places[n + 1]?.x ?? this.view.width) - x - 4);
      if (room < ROOM || nodes.length >= MOST) return;
      nodes.push(placed(`lane-text ${kind || "mark"}`, kind ? eventText(event) : event.text, x + 3, y, room, height));
    });
  }
}

const middle = () => Math.max(0, Math.round((state.range.from + state.range.to) / 2));

/**
 * @param {import("./rows.js").Row} row
 * @param {import("./rows.js").RowList} rows
 */
const isOpen = (row, rows) => (row.kind === "threads" ? rows.unfolded : row.kind === "spans" && rows.spansUnfolded);

/** @param {Api.Event} event */
const eventText = ({ name, text }) => (name.startsWith("user_") ? text : text ? `${name} ${text}` : name);

/**
 * @param {string} kind
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 */
function placed(kind, text, x, y, width, height) {
  const node = h("span", { class: kind, title: text }, text.length > 300 ? `${text.slice(0, 300)}…` : text);
  node.style.transform = `translate(${x}px, ${y}px)`;
  if (kind.startsWith("lane-text event")) node.style.maxWidth = `${width}px`;
  else node.style.width = `${width}px`;
  node.style.height = node.style.lineHeight = `${height}px`;
  return node;
}
