// Computes the shares of states in the pixel columns of a row from tiles.
import { WIDTH } from "../decode.js";
import { lengthOf, zoomOf } from "../tiles.js";

/** The share of each state in each column of a row; the rest up to `seen` is unknown. */
export class Cover {
  /**
   * @param {number} states
   * @param {number} width
   */
  constructor(states, width) {
    this.states = states;
    this.width = width;
    this.parts = Array.from({ length: states }, () => new Float32Array(width));
    /** How much of a column is covered by tiles in the cache. */
    this.seen = new Float32Array(width);
  }

  clear() {
    for (const part of this.parts) part.fill(0);
    this.seen.fill(0);
  }

  /**
   * Reads a row's tiles, and requests missing ones.
   * @param {import("../tiles.js").Tiles} tiles
   * @param {string} row
   * @param {number} from
   * @param {number} to
   * @param {number} least nothing exists before this
   * @param {number} most nor after this
   */
  read(tiles, row, from, to, least, most) {
    this.clear();
    const perPixel = (to - from) / this.width;
    const z = zoomOf(perPixel);
    const length = lengthOf(z);
    const [a, b] = [Math.max(from, least), Math.min(to, most)];
    if (!(b > a)) return;
    // A coarser tile covers several tiles: only the needed part of it is added.
    for (let i = Math.floor(a / length); i * length < b; i++) {
      const found = tiles.get(row, z, i);
      if (!found) continue;
      const start = found.i * lengthOf(found.z);
      const left = Math.max(a, i * length);
      const right = Math.min(b, (i + 1) * length);
      const { tile } = found;
      if (tile.kind === "shares") this.#shares(tile, start, 2 ** found.z, left, right, from, perPixel);
      else if (tile.kind === "intervals") this.#intervals(tile, start, left, right, from, perPixel);
      else this.#add(this.seen, (left - from) / perPixel, (right - from) / perPixel, 1);
    }
  }

  /**
   * A tile pixel that is not longer than a column counts completely for the column that contains its
   * middle. So a column shows the exact shares of its one or two pixels.
   * @param {import("../decode.js").SharesTile} tile
   * @param {number} start
   * @param {number} length of a pixel
   * @param {number} left
   * @param {number} right
   * @param {number} from
   * @param {number} perPixel
   */
  #shares(tile, start, length, left, right, from, perPixel) {
    const first = Math.max(0, Math.floor((left - start) / length));
    const end = Math.min(WIDTH, Math.ceil((right - start) / length));
    const states = Math.min(tile.states, this.states);
    const size = length / perPixel;
    for (let p = first; p < end; p++) {
      const a = (start + p * length - from) / perPixel;
      if (size <= 1) {
        const x = Math.floor(a + size / 2);
        if (x < 0 || x >= this.width) continue;
        this.seen[x] += size;
        for (let state = 0; state < states; state++) {
          const share = tile.shares[state * WIDTH + p];
          if (share) this.parts[state][x] += (size * share) / 255;
        }
      } else {
        const [low, high] = [Math.max(a, (left - from) / perPixel), Math.min(a + size, (right - from) / perPixel)];
        this.#add(this.seen, low, high, 1);
        for (let state = 0; state < states; state++) {
          const share = tile.shares[state * WIDTH + p];
          if (share) this.#add(this.parts[state], low, high, share / 255);
        }
      }
    }
  }

  /**
   * @param {import("../decode.js").IntervalsTile} tile
   * @param {number} start
   * @param {number} left
   * @param {number} right
   * @param {number} from
   * @param {number} perPixel
   */
  #intervals(tile, start, left, right, from, perPixel) {
    this.#add(this.seen, (left - from) / perPixel, (right - from) / perPixel, 1);
    for (let n = 0; n < tile.from.length; n++) {
      const a = Math.max(left, start + tile.from[n]);
      const b = Math.min(right, start + tile.to[n]);
      if (b <= a || tile.state[n] >= this.states) continue;
      this.#add(this.parts[tile.state[n]], (a - from) / perPixel, (b - from) / perPixel, 1);
    }
  }

  /**
   * @param {Float32Array} part
   * @param {number} low
   * @param {number} high
   * @param {number} share
   */
  #add(part, low, high, share) {
    const first = Math.max(0, Math.floor(low));
    const last = Math.min(this.width - 1, Math.ceil(high) - 1);
    if (last < first) return;
    if (first === last) {
      part[first] += (Math.min(high, first + 1) - Math.max(low, first)) * share;
      return;
    }
    part[first] += (first + 1 - Math.max(low, first)) * share;
    for (let x = first + 1; x < last; x++) part[x] += share;
    part[last] += (Math.min(high, last + 1) - last) * share;
  }
}

/** @typedef {{ from: number, to: number, state: number, detail: number }} Piece */

/**
 * The intervals of a row that have room for a text, where its tiles have them. Not for each frame: they are many objects.
 * @param {import("../tiles.js").Tiles} tiles
 * @param {string} row
 * @param {{ from: number, to: number }} range
 * @param {number} width of the range, in pixels
 * @param {number} room in pixels
 * @param {number} states
 * @returns {Piece[]}
 */
export function piecesOf(tiles, row, { from, to }, width, room, states) {
  const z = zoomOf((to - from) / width);
  const length = lengthOf(z);
  const least = ((to - from) / width) * room;
  const pieces = /** @type {Piece[]} */ ([]);
  for (let i = Math.max(0, Math.floor(from / length)); i * length < to; i++) {
    const found = tiles.known(row, z, i);
    if (found?.tile.kind !== "intervals") continue;
    const { tile } = found;
    const start = found.i * lengthOf(found.z);
    const [left, right] = [Math.max(from, i * length), Math.min(to, (i + 1) * length)];
    for (let n = 0; n < tile.from.length; n++) {
      const [a, b] = [Math.max(left, start + tile.from[n]), Math.min(right, start + tile.to[n])];
      if (b > a && tile.state[n] < states) joined(pieces, a, b, tile.state[n], tile.detail[n]);
    }
  }
  return pieces.filter((piece) => piece.to - piece.from >= least);
}

/**
 * Joins the parts of an interval that crosses the edge of a tile.
 * @param {Piece[]} pieces
 * @param {number} from
 * @param {number} to
 * @param {number} state
 * @param {number} detail
 */
function joined(pieces, from, to, state, detail) {
  const before = pieces[pieces.length - 1];
  if (before && before.to === from && before.state === state && before.detail === detail) before.to = to;
  else pieces.push({ from, to, state, detail });
}
