// Decodes tiles (the format is in tools/monitor/README.md, "The API").

/** About how much memory the objects of a tile take besides its content. */
const OBJECTS = 500;

/** The number of pixels of a tile. */
export const WIDTH = 512;

/**
 * `shares`: for each state but `unknown`, 512 bytes.
 * `from`, `to`, `state`, `detail`: the intervals, in ns since the start of the tile.
 * @typedef {{ kind: "nothing", final: boolean, bytes: number }} NothingTile
 * @typedef {{ kind: "intervals", final: boolean, bytes: number,
 *   from: Float64Array, to: Float64Array, state: Uint8Array, detail: Float64Array }} IntervalsTile
 * @typedef {{ kind: "shares", final: boolean, bytes: number, shares: Uint8Array, states: number }} SharesTile
 * @typedef {NothingTile | IntervalsTile | SharesTile} Tile
 */

/**
 * One by one, because many at once would take longer than a frame.
 * @param {ArrayBuffer} buffer
 * @returns {Generator<Tile, void>} row by row
 */
export function* tiles(buffer) {
  const view = new DataView(buffer);
  let at = 0;
  while (at + 4 <= buffer.byteLength) {
    const length = view.getUint32(at, true);
    at += 4;
    if (at + length > buffer.byteLength) throw new Error("a tile is cut off");
    yield tile(new Uint8Array(buffer, at, length));
    at += length;
  }
}

/**
 * @param {Uint8Array} bytes
 * @returns {Tile}
 */
export function tile(bytes) {
  const final = bytes.length > 1 && (bytes[1] & 1) !== 0;
  if (bytes[0] === 1) return intervals(bytes, final);
  if (bytes[0] === 2) {
    // Copied, because a view would keep the whole response in memory.
    const shares = bytes.slice(2);
    return { kind: "shares", final, shares, states: Math.floor(shares.length / WIDTH), bytes: shares.length + OBJECTS };
  }
  return { kind: "nothing", final, bytes: 150 };
}

/**
 * @param {Uint8Array} bytes
 * @param {boolean} final
 * @returns {IntervalsTile}
 */
function intervals(bytes, final) {
  let at = 2;
  const number = () => {
    // Times need more than 32 bits.
    let value = 0;
    let scale = 1;
    for (;;) {
      if (at >= bytes.length) throw new Error("a tile is cut off");
      const byte = bytes[at++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
  };
  const count = number();
  if (count > bytes.length) throw new Error("a tile claims more intervals than it has");
  // One piece of memory instead of four.
  const memory = new ArrayBuffer(count * 25);
  const [from, to, detail] = [0, 1, 2].map((n) => new Float64Array(memory, n * count * 8, count));
  const state = new Uint8Array(memory, count * 24, count);
  let end = 0;
  for (let i = 0; i < count; i++) {
    from[i] = end + number();
    to[i] = end = from[i] + number();
    state[i] = number();
    detail[i] = number();
  }
  return { kind: "intervals", final, from, to, state, detail, bytes: count * 25 + 4 * OBJECTS };
}
