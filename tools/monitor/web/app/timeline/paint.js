// The pixels of all rows, written into one image: a frame costs the same whatever it shows.
import { pixel, STATE, theme } from "../colours.js";

export class Painter {
  #image = new ImageData(1, 1);
  #pixels = new Uint32Array(1);
  #colours = { back: 0, idle: 0, lost: 0, hatch: 0 };
  /** @type {Map<string, Uint32Array>} */
  #palettes = new Map();
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
   * @param {number} height in pixels of the page: shares need no more of them
   */
  resize(width, height) {
    if (width === this.width && height === this.height) return;
    this.width = this.canvas.width = width;
    this.height = this.canvas.height = height;
    this.#image = new ImageData(width, height);
    this.#pixels = new Uint32Array(this.#image.data.buffer);
  }

  begin() {
    this.#pixels.fill(this.#colours.back);
  }

  end() {
    this.context.putImageData(this.#image, 0, 0);
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
    const colours = this.#palette(names);
    const { width } = this;
    const pixels = this.#pixels;
    const first = Math.max(0, top);
    const end = Math.min(this.height, top + height);
    if (end <= first) return;
    const bottom = top + height;
    const { parts, seen } = cover;
    const { back, lost, hatch } = this.#colours;
    for (let x = 0; x < width; x++) {
      const all = seen[x];
      if (all <= 0.001) continue;
      // Up to one and a half pixels of tiles stand for a column: they are all of it.
      const scale = all > 0.45 ? height / all : height;
      let sum = 0;
      let y = bottom;
      for (let state = 0; state < colours.length && state < parts.length; state++) {
        const part = parts[state][x];
        if (part === 0) continue;
        sum += part;
        const next = Math.max(top, Math.round(bottom - sum * scale));
        const colour = colours[state];
        for (let line = Math.max(first, next), stop = Math.min(end, y); line < stop; line++) pixels[line * width + x] = colour;
        y = next;
      }
      if (all - sum < 0.004 * all) {
        // Rounding of 255 steps.
        if (y > top && y - top <= 1 && y < bottom) fillUp(pixels, width, x, Math.max(first, top), Math.min(end, y));
        continue;
      }
      const limit = all > 0.45 ? top : Math.round(bottom - all * height);
      for (let line = Math.max(first, limit), stop = Math.min(end, y); line < stop; line++) {
        pixels[line * width + x] = ((x + line) & 7) < 3 ? hatch : lost;
      }
      if (limit > top) for (let line = Math.max(first, top), stop = Math.min(end, limit); line < stop; line++) pixels[line * width + x] = back;
    }
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

/**
 * @param {Uint32Array} pixels
 * @param {number} width
 * @param {number} x
 * @param {number} from
 * @param {number} to
 */
function fillUp(pixels, width, x, from, to) {
  const colour = pixels[to * width + x];
  for (let line = from; line < to; line++) pixels[line * width + x] = colour;
}
