// Writes the pixels of all rows into one image, so that a frame always takes about the same
// time.
import { pixel, STATE, theme } from "../colours.js";

export class Painter {
  #image = new ImageData(1, 1);
  #pixels = new Uint32Array(1);
  #colours = { back: 0, idle: 0, lost: 0, hatch: 0 };
  /** @type {Map<string, Uint32Array>} */
  #palettes = new Map();
  #changes = new Changes();
  #line = new Uint32Array(1);
  /** Painted up to this line. */
  #done = 0;
  width = 1;
  height = 1;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    const context = canvas.getContext("2d", { alpha: false });
    if (!context) throw new Error("the browser has no canvas");
    this.context = context;
    this.themed();
  }

  /** The colours of the background have changed. */
  themed() {
    const { back, idle, lost, hatch } = theme();
    this.#colours = { back: pixel(back), idle: pixel(idle), lost: pixel(lost), hatch: pixel(hatch) };
    this.#palettes.clear();
  }

  /**
   * @param {number} width in pixels of the device
   * @param {number} height in pixels of the page, which is enough for shares
   */
  resize(width, height) {
    if (width === this.width && height === this.height) return;
    this.width = this.canvas.width = width;
    this.height = this.canvas.height = height;
    this.#image = new ImageData(width, height);
    this.#pixels = new Uint32Array(this.#image.data.buffer);
    this.#line = new Uint32Array(width);
  }

  begin() {
    this.#done = 0;
  }

  end() {
    this.#background(this.height);
    this.context.putImageData(this.#image, 0, 0);
  }

  /**
   * Rows are painted from the top to the bottom, with background between them.
   * @param {number} until
   */
  #background(until) {
    const stop = Math.min(this.height, until);
    if (stop > this.#done) this.#pixels.fill(this.#colours.back, this.#done * this.width, stop * this.width);
    this.#done = Math.max(this.#done, stop);
  }

  /**
   * An empty row, for rectangles.
   * @param {number} top
   * @param {number} height
   */
  empty(top, height) {
    this.#background(top + height);
  }

  /** @param {string[]} names of states */
  #palette(names) {
    const key = names.join();
    let palette = this.#palettes.get(key);
    if (!palette) {
      palette = Uint32Array.from(names, (name) => (STATE[name] ? pixel(STATE[name]) : this.#colours.idle));
      this.#palettes.set(key, palette);
    }
    return palette;
  }

  /**
   * A row of shares: the first state at the bottom, unknown at the top.
   * @param {number} top may be above the image
   * @param {number} height
   * @param {import("./cover.js").Cover} cover
   * @param {string[]} names of its states
   */
  row(top, height, cover, names) {
    this.#background(top);
    const colours = this.#palette(names);
    const { width } = this;
    this.#changes.start(height);
    for (let x = 0; x < width; x++) this.#column(x, height, cover, colours);
    this.#lines(top, height);
  }

  /**
   * Records the lines at which a column of the row changes its colour.
   * @param {number} x
   * @param {number} height
   * @param {import("./cover.js").Cover} cover
   * @param {Uint32Array} colours
   */
  #column(x, height, { parts, seen }, colours) {
    const all = seen[x];
    if (all <= 0.001) {
      this.#changes.add(height, x, this.#colours.back);
      return;
    }
    // Up to one and a half tile pixels can fall into a column: they count as the whole
    // column.
    const whole = all > 0.45;
    const scale = whole ? height / all : height;
    let sum = 0;
    let level = 0;
    let colour = 0;
    for (let state = 0; state < colours.length && state < parts.length; state++) {
      const part = parts[state][x];
      if (part === 0) continue;
      sum += part;
      const next = Math.min(height, Math.round(sum * scale));
      if (next === level) continue;
      colour = colours[state];
      this.#changes.add(height - level, x, colour);
      level = next;
    }
    const reached = whole ? height : Math.round(all * height);
    // A difference due to rounding to 255 steps is not unknown time.
    const rounding = all - sum < 0.004 * all || (reached - level <= 1 && all - sum < 0.012 * all);
    if (level < reached && !(rounding && level > 0)) this.#changes.add(height - level, x, HATCHED);
    if (reached < height) this.#changes.add(height - reached, x, this.#colours.back);
  }

  /**
   * From the bottom up: each line is the one below it with the changes applied.
   * @param {number} top
   * @param {number} height
   */
  #lines(top, height) {
    const { width } = this;
    const { lost, hatch } = this.#colours;
    const line = this.#line;
    for (let at = height - 1; at >= 0; at--) {
      this.#changes.apply(at + 1, line);
      const y = top + at;
      if (y < 0 || y >= this.height) continue;
      const start = y * width;
      this.#pixels.set(line, start);
      if (!this.#changes.hatched) continue;
      for (let x = 0; x < width; x++) if (line[x] === HATCHED) this.#pixels[start + x] = ((x + y) & 7) < 3 ? hatch : lost;
    }
    this.#done = Math.max(this.#done, Math.min(this.height, top + height));
  }

  /**
   * @param {number} x
   * @param {number} top
   * @param {number} right
   * @param {number} bottom
   * @param {number} colour
   */
  rectangle(x, top, right, bottom, colour) {
    const a = Math.max(0, Math.round(x));
    const b = Math.min(this.width, Math.max(a + 1, Math.round(right)));
    for (let y = Math.max(0, top); y < Math.min(this.height, bottom); y++) this.#pixels.fill(colour, y * this.width + a, y * this.width + b);
  }
}

/** Marks the pattern for unknown time: real colours have a highest byte that is not 0. */
const HATCHED = 1;

/** The colour changes of a row, by their first line. */
class Changes {
  #heads = new Int32Array(64);
  #next = new Int32Array(4096);
  #x = new Int32Array(4096);
  #colour = new Uint32Array(4096);
  #count = 0;
  hatched = false;

  /** @param {number} height */
  start(height) {
    if (this.#heads.length <= height) this.#heads = new Int32Array(height + 1);
    this.#heads.fill(-1);
    this.#count = 0;
    this.hatched = false;
  }

  /**
   * @param {number} line
   * @param {number} x
   * @param {number} colour
   */
  add(line, x, colour) {
    const n = this.#count++;
    if (n >= this.#next.length) this.#grow();
    this.#next[n] = this.#heads[line];
    this.#heads[line] = n;
    this.#x[n] = x;
    this.#colour[n] = colour;
    if (colour === HATCHED) this.hatched = true;
  }

  /**
   * @param {number} line
   * @param {Uint32Array} colours
   */
  apply(line, colours) {
    for (let n = this.#heads[line]; n >= 0; n = this.#next[n]) colours[this.#x[n]] = this.#colour[n];
  }

  #grow() {
    const [next, x, colour] = [this.#next, this.#x, this.#colour];
    this.#next = new Int32Array(next.length * 2);
    this.#x = new Int32Array(next.length * 2);
    this.#colour = new Uint32Array(next.length * 2);
    this.#next.set(next);
    this.#x.set(x);
    this.#colour.set(colour);
  }
}
