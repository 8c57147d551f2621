// Draws the timeline: one canvas for all rows, one above it, and text over both.
import { pixel, named, MARK } from "../colours.js";
import { frame, h } from "../dom.js";
import { words } from "../format.js";
import { keepStill } from "../motion.js";
import { state } from "../state.js";
import { Tiles } from "../tiles.js";
import { Cover, piecesOf } from "./cover.js";
import { Painter } from "./paint.js";
import { RowList } from "./rows.js";
import { Ruler } from "./ruler.js";
import { Texts } from "./texts.js";
import { drawOver } from "./over.js";

// Not supported by every browser.
const idle = window.requestIdleCallback ?? ((/** @type {() => void} */ action) => window.setTimeout(action, 200));
const unwish = window.cancelIdleCallback ?? window.clearTimeout;

/** Width of the names. */
export const NAMES = 168;

/**
 * @typedef {{ row: string, time: number }} Selection
 * @typedef {{ from: number, to: number } | null} Stretch
 */

export class View {
  rows = new RowList();
  /** The time under the pointer. @type {number | null} */
  cursor = null;
  /** The range that is being selected. @type {Stretch} */
  stretch = null;
  /** The interval shown in the details. @type {{ row: string, from: number, to: number } | null} */
  marked = null;
  /** The duration of the last frames, for measurements. @type {number[]} */
  frames = [];
  /** When the first whole picture was drawn, in ms since the page was opened. @type {number | null} */
  complete = null;
  left = 0;
  width = 1;
  ratio = 1;
  #covers = { cap: new Cover(7, 1), thread: new Cover(4, 1) };
  #idle = 0;

  /**
   * @param {string} session
   * @param {import("./data.js").TimelineData} data
   * @param {(error: unknown) => void} failed
   */
  constructor(session, data, failed) {
    this.data = data;
    this.redraw = frame((time) => this.#draw(time));
    this.tiles = new Tiles(session, this.redraw, failed);
    this.canvas = h("canvas", { class: "lanes", role: "img", "aria-label": "State of each capability and thread over time; the rows are named on the left" });
    this.overCanvas = h("canvas", { class: "lanes over", "aria-hidden": "true" });
    this.names = h("div", { class: "lane-names" });
    this.textLayer = h("div", { class: "lane-texts" });
    this.stage = h("div", { class: "stage" }, this.canvas, this.overCanvas, this.textLayer, this.names);
    this.spacer = h("div", { class: "spacer" });
    this.scroller = h("div", { class: "lanes-scroll", tabindex: 0, "aria-label": "Timeline", role: "region" }, this.stage, this.spacer);
    this.ruler = new Ruler(data, (time) => this.point(time));
    this.texts = new Texts(this);
    this.painter = new Painter(this.canvas);
    const over = this.overCanvas.getContext("2d");
    if (!over) throw new Error("the browser has no canvas");
    this.over = over;
    this.scroller.addEventListener("scroll", this.redraw, { passive: true });
    this.sizes = new ResizeObserver(this.redraw);
    this.sizes.observe(this.scroller);
  }

  close() {
    this.tiles.close();
    this.sizes.disconnect();
    unwish(this.#idle);
  }

  /** Shows a time, at which keys zoom and set marks. @param {number | null} time */
  point(time) {
    this.cursor = time;
    keepStill(time);
    this.redraw();
  }

  /** The position of a time in pixels of the page, from the left of the rows. @param {number} time */
  x(time) {
    const { from, to } = state.range;
    return ((time - from) / (to - from)) * this.width;
  }

  /** @param {number} x in pixels of the page, from the left of the rows */
  time(x) {
    const { from, to } = state.range;
    return from + (x / this.width) * (to - from);
  }

  /** Whether nothing is on its way: no tile, no other data, no text, no frame. */
  get rests() {
    return !this.tiles.busy && !this.data.paced.busy && !this.texts.settle.waits() && !this.redraw.waits() && !this.#idle;
  }

  themed() {
    this.painter.themed();
    this.redraw();
  }

  /** @param {number} now */
  #draw(now) {
    const began = performance.now();
    const height = this.scroller.clientHeight;
    this.width = Math.max(1, this.scroller.clientWidth - NAMES);
    if (!height || this.width <= 1) return;
    this.ratio = Math.min(2, window.devicePixelRatio || 1);
    const pixels = Math.round(this.width * this.ratio);
    this.painter.resize(pixels, height);
    this.stage.style.height = `${height}px`;
    this.spacer.style.height = `${Math.max(0, this.rows.height - height)}px`;
    this.#sized(this.overCanvas, height);
    const top = this.scroller.scrollTop;
    const seen = this.rows.between(top, top + height);
    this.#paint(seen, top, pixels);
    if (this.data.rows && !this.tiles.lacking) this.complete ??= performance.now();
    drawOver(this, seen, top, height);
    this.texts.draw(seen, top);
    this.ruler.draw(this.width, this.cursor);
    this.frames.push(performance.now() - began);
    if (this.frames.length > 600) this.frames.splice(0, 300);
    this.#neighbours(seen);
    void now;
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {number} height
   */
  #sized(canvas, height) {
    const [w, t] = [Math.round(this.width * this.ratio), Math.round(height * this.ratio)];
    if (canvas.width !== w || canvas.height !== t) {
      canvas.width = w;
      canvas.height = t;
    }
  }

  /**
   * @param {import("./rows.js").Row[]} seen
   * @param {number} top
   * @param {number} pixels
   */
  #paint(seen, top, pixels) {
    const { from, to } = state.range;
    const session = state.session;
    const [least, most] = [session?.begin ?? 0, session?.end ?? 0];
    const names = this.data.rows?.states;
    this.painter.begin();
    this.tiles.frame();
    for (const row of seen) {
      const y = row.y - top;
      if (row.kind === "span" || row.kind === "spans" || row.kind === "marks") this.painter.empty(y, row.height);
      if (row.kind === "span") this.#spans(row, y);
      else if (row.kind === "marks") this.#marks(row, y);
      else if (names && row.key && row.kind !== "spans") {
        const cap = row.kind === "cap";
        const states = known(cap ? names.cap : names.thread);
        const cover = this.#cover(cap ? "cap" : "thread", states.length, pixels);
        // Before a thread is created and after it is finished the row is empty, not "unknown".
        const a = row.thread?.created != null ? Math.max(least, row.thread.created) : least;
        const ended = row.kind === "threads" ? this.data.rows?.threads.ended : row.thread?.ended;
        const b = ended != null ? Math.min(most, ended) : most;
        cover.read(this.tiles, row.key, from, to, a, b);
        this.painter.row(y, row.height, cover, states);
      }
    }
    this.painter.end();
    this.tiles.send();
  }

  /**
   * @param {"cap" | "thread"} kind
   * @param {number} states
   * @param {number} width
   */
  #cover(kind, states, width) {
    const cover = this.#covers[kind];
    if (cover.states === states && cover.width === width) return cover;
    return (this.#covers[kind] = new Cover(states, width));
  }

  /**
   * @param {import("./rows.js").Row} row
   * @param {number} y
   */
  #spans(row, y) {
    for (const span of row.spans ?? []) {
      const [a, b] = [this.x(span.from) * this.ratio, this.x(span.to ?? state.session?.end ?? span.from) * this.ratio];
      if (b < 0 || a > this.painter.width) continue;
      this.painter.rectangle(a, y + 1, Math.max(a + 1, b - (b - a > 3 ? 1 : 0)), y + row.height - 1, pixel(named(span.name)));
    }
  }

  /**
   * @param {import("./rows.js").Row} row
   * @param {number} y
   */
  #marks(row, y) {
    for (const mark of this.data.marks) {
      const x = this.x(mark.time) * this.ratio;
      if (x >= -2 && x <= this.painter.width) this.painter.rectangle(x - 1, y, x + 1, y + row.height, pixel(MARK));
    }
  }

  /**
   * In idle time: requests the tiles that the next step may need.
   * @param {import("./rows.js").Row[]} seen
   */
  #neighbours(seen) {
    unwish(this.#idle);
    this.#idle = 0;
    if (this.tiles.busy) return;
    this.#idle = idle(() => {
      this.#idle = 0;
      if (this.tiles.busy) return;
      this.tiles.ahead(seen.map((row) => row.key).filter((key) => /^[ct]\d|^threads$/.test(key)), state.range, this.painter.width, state.session?.end ?? 0, !state.follows);
    });
  }

  /**
   * The interval of a row at a height of the page and a time.
   * @param {number} y from the top of the visible rows
   */
  rowAt(y) {
    return this.rows.at(y + this.scroller.scrollTop);
  }

  /**
   * The intervals of a row that have room for a text.
   * @param {import("./rows.js").Row} row
   * @param {number} room in pixels of the page
   */
  pieces(row, room) {
    const names = this.data.rows?.states;
    if (!names || !row.key || row.kind === "threads") return [];
    return piecesOf(this.tiles, row.key, state.range, this.painter.width, room * this.ratio, known(row.kind === "cap" ? names.cap : names.thread).length);
  }

  /**
   * @param {import("./rows.js").Row} row
   * @param {import("./cover.js").Piece} piece
   */
  say(row, piece) {
    const names = this.data.rows?.states;
    if (!names) return "";
    if (row.kind === "cap") {
      return piece.detail > 0 && names.cap[piece.state] === "mutator" ? this.data.name(piece.detail - 1) : words(names.cap[piece.state]);
    }
    const name = names.thread[piece.state];
    if (name === "running" && piece.detail > 0) return `cap ${piece.detail - 1}`;
    if (name === "blocked" && piece.detail > 0) return this.data.rows?.reasons?.[piece.detail - 1] ?? name;
    return words(name);
  }
}

/** The states without `unknown`, which is the rest. @param {string[]} names */
const known = (names) => (names[names.length - 1] === "unknown" ? names.slice(0, -1) : names);
