// The cache of tiles, and the requests for missing ones.
import { Refused, tiles as ask } from "./api.js";
import { tiles as decode, WIDTH } from "./decode.js";

/** @typedef {import("./decode.js").Tile} Tile */
/** @typedef {{ tile: Tile, used: number, stale: boolean }} Entry */
/** A request. `ahead`: nothing that is visible needs it. @typedef {{ ahead: boolean, stop: AbortController }} Request */

const LIMIT = 24 * 2 ** 20;
/** Rows and tiles of one request: small, so that the first answer arrives early. */
const ROWS = 64;
/** The target time of an answer, in ms: the size of requests is adapted to it. */
const QUICK = 150;
const SLOW = 500;
const AT_ONCE = 2;

export const LOWEST = 6;
const HIGHEST = 50;

/**
 * The zoom whose pixels are no longer than those of the screen.
 * @param {number} ns per pixel of the screen
 */
export const zoomOf = (ns) => Math.min(HIGHEST, Math.max(LOWEST, Math.floor(Math.log2(ns))));
/** @param {number} z */
export const lengthOf = (z) => WIDTH * 2 ** z;

export class Tiles {
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /** @type {Map<string, { row: string, z: number, i: number }>} */
  #wishes = new Map();
  /** Whether the wishes are for tiles that nothing visible needs. */
  #ahead = false;
  /** @type {Map<string, Request>} */
  #asked = new Map();
  /** @type {Set<string>} */
  #failed = new Set();
  #bytes = 0;
  #now = 0;
  /** How many tiles were requested for this frame that are not there, or only coarser ones. */
  lacking = 0;
  /** @type {Set<Request>} */
  #running = new Set();
  #rows = 16;
  #span = 8;
  #closed = false;

  /**
   * @param {string} session
   * @param {() => void} arrived
   * @param {(error: unknown) => void} failed
   */
  constructor(session, arrived, failed) {
    this.session = session;
    this.arrived = arrived;
    this.failed = failed;
  }

  close() {
    this.#closed = true;
    for (const { stop } of this.#running) stop.abort();
    this.#entries.clear();
    this.#wishes.clear();
  }

  get bytes() {
    return this.#bytes;
  }

  /** Whether requests are running. */
  get busy() {
    return this.#running.size > 0 || this.#wishes.size > 0;
  }

  /** Called before a frame: drops the requests of the frame before, except running ones. */
  frame() {
    this.#now++;
    this.lacking = 0;
    this.#ahead = false;
    this.#wishes.clear();
  }

  /** The log has grown: tiles that were not final are requested again. */
  grown() {
    for (const entry of this.#entries.values()) if (!entry.tile.final) entry.stale = true;
    this.#failed.clear();
  }

  /**
   * The tile, or else the finest coarser one in the cache, and the tile is requested.
   * @param {string} row
   * @param {number} z
   * @param {number} i
   * @returns {{ tile: Tile, z: number, i: number } | null}
   */
  get(row, z, i) {
    const key = `${row} ${z} ${i}`;
    const entry = this.#entries.get(key);
    if (!entry || entry.stale) this.wish(row, z, i, key);
    if (entry) {
      entry.used = this.#now;
      return { tile: entry.tile, z, i };
    }
    this.lacking++;
    for (let up = 1; z + up <= HIGHEST && up <= 12; up++) {
      const coarse = this.#entries.get(`${row} ${z + up} ${Math.floor(i / 2 ** up)}`);
      if (!coarse) continue;
      coarse.used = this.#now;
      return { tile: coarse.tile, z: z + up, i: Math.floor(i / 2 ** up) };
    }
    return null;
  }

  /**
   * @param {string} row
   * @param {number} z
   * @param {number} i
   * @param {string} [key]
   */
  wish(row, z, i, key = `${row} ${z} ${i}`) {
    const request = this.#asked.get(key);
    if (request && !this.#ahead) request.ahead = false;
    if (i < 0 || request || this.#failed.has(key)) return;
    const entry = this.#entries.get(key);
    if (entry && !entry.stale) return;
    this.#wishes.set(key, { row, z, i });
  }

  /**
   * Requests the tiles for a step to either side, and for one zoom step out; of a range that does not move on by
   * itself, also for one zoom step in.
   * @param {string[]} rows
   * @param {{ from: number, to: number }} range
   * @param {number} pixels
   * @param {number} end
   * @param {boolean} closer
   */
  ahead(rows, { from, to }, pixels, end, closer) {
    const z = zoomOf((to - from) / pixels);
    this.#ahead = true;
    for (const zoom of closer && z > LOWEST ? [z, z + 1, z - 1] : [z, z + 1]) {
      const length = lengthOf(zoom);
      const [first, last] = [Math.floor(from / length), Math.floor(to / length)];
      for (let i = first - 1; i <= last + 1; i++) {
        const beside = i < first || i > last;
        if (i * length >= end || beside !== (zoom === z)) continue;
        for (const row of rows) this.wish(row, zoom, i);
      }
    }
    this.send();
  }

  /** Called after a frame: sends requests. What is visible does not wait for what may be later. */
  send() {
    if (this.#wishes.size && !this.#ahead) for (const { ahead, stop } of this.#running) if (ahead) stop.abort();
    while (this.#running.size < AT_ONCE && this.#wishes.size) void this.#ask(this.#batch());
  }

  /** The tiles of one request: one zoom, consecutive tiles, many rows. */
  #batch() {
    const [first] = this.#wishes.values();
    const { z } = first;
    let from = first.i;
    let to = first.i + 1;
    /** @type {Map<string, number[]>} */
    const rows = new Map();
    for (const wish of this.#wishes.values()) {
      if (wish.z !== z || wish.i < from - 8 || wish.i > to + 8) continue;
      const known = rows.get(wish.row);
      if (!known && rows.size >= this.#rows) continue;
      if (Math.max(to, wish.i + 1) - Math.min(from, wish.i) > this.#span) continue;
      from = Math.min(from, wish.i);
      to = Math.max(to, wish.i + 1);
      if (known) known.push(wish.i);
      else rows.set(wish.row, [wish.i]);
    }
    const keys = [];
    for (const row of rows.keys()) {
      for (let i = from; i < to; i++) {
        const key = `${row} ${z} ${i}`;
        keys.push(key);
        this.#wishes.delete(key);
      }
    }
    return { z, from, to, rows: [...rows.keys()], keys };
  }

  /** @param {{ z: number, from: number, to: number, rows: string[], keys: string[] }} batch */
  async #ask(batch) {
    const { keys, ...wish } = batch;
    /** @type {Request} */
    const request = { ahead: this.#ahead, stop: new AbortController() };
    this.#running.add(request);
    for (const key of keys) this.#asked.set(key, request);
    const done = () => {
      this.#running.delete(request);
      for (const key of keys) if (this.#asked.get(key) === request) this.#asked.delete(key);
    };
    // At once, so that the next request can take its place.
    request.stop.signal.addEventListener("abort", done);
    const began = performance.now();
    try {
      const answer = decode(await ask(this.session, wish, request.stop.signal));
      if (request.stop.signal.aborted) return;
      this.#learn(performance.now() - began, keys.length);
      keys.forEach((key, n) => answer[n] && this.#keep(key, answer[n]));
    } catch (error) {
      if (request.stop.signal.aborted) return;
      // Too much at once for a busy machine: request less, unless it is the smallest
      // request already.
      if (error instanceof Refused && error.status === 503 && keys.length > 1) this.#learn(Infinity, keys.length);
      else {
        for (const key of keys) this.#failed.add(key);
        this.failed(error);
      }
    }
    done();
    if (this.#closed) return;
    this.arrived();
    this.send();
  }

  /**
   * @param {number} took
   * @param {number} tiles
   */
  #learn(took, tiles) {
    if (took > SLOW) {
      this.#rows = Math.max(1, this.#rows >> 1);
      if (this.#rows === 1 || took === Infinity) this.#span = Math.max(1, this.#span >> 1);
    } else if (took < QUICK && tiles >= this.#rows) {
      this.#rows = Math.min(ROWS, this.#rows * 2);
      this.#span = Math.min(8, this.#span * 2);
    }
  }

  /**
   * @param {string} key
   * @param {Tile} tile
   */
  #keep(key, tile) {
    const before = this.#entries.get(key);
    if (before) this.#bytes -= before.tile.bytes;
    this.#entries.delete(key);
    this.#entries.set(key, { tile, used: this.#now, stale: false });
    this.#bytes += tile.bytes;
    if (this.#bytes > LIMIT) this.#shrink();
  }

  /** Removes the least recently used half. */
  #shrink() {
    const old = [...this.#entries].sort((a, b) => a[1].used - b[1].used);
    for (const [key, entry] of old) {
      if (this.#bytes <= LIMIT / 2 || entry.used === this.#now) return;
      this.#entries.delete(key);
      this.#bytes -= entry.tile.bytes;
    }
  }
}
