// The cache of tiles, and the requests for missing ones.
import { Refused, tiles as ask } from "./api.js";
import { tiles as decode, WIDTH } from "./decode.js";

/** @typedef {import("./decode.js").Tile} Tile */
/** @typedef {{ tile: Tile, stale: boolean }} Entry */
/** A request. `ahead`: nothing that is visible needs it. @typedef {{ ahead: boolean, stop: AbortController }} Request */

const LIMIT = 24 * 2 ** 20;
/** Rows and tiles of one request: small, so that the first answer arrives early. */
const ROWS = 64;
/** The target time of an answer, in ms: the size of requests is adapted to it. */
const QUICK = 150;
const SLOW = 500;
const AT_ONCE = 2;
/** For so many ms tiles are decoded without a pause: less than half a frame. */
const SLICE = 4;

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
  /**
   * What was used lately, and what was used before: when the first half is full, the second one is removed as a whole,
   * so that no frame has to look for what is old.
   */
  #young = new Half();
  #old = new Half();
  /** @type {Map<string, { row: string, z: number, i: number }>} */
  #wishes = new Map();
  /** Whether the wishes are for tiles that nothing visible needs. */
  #ahead = false;
  /** @type {Map<string, Request>} */
  #asked = new Map();
  /** @type {Set<string>} */
  #failed = new Set();
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
    this.#young = new Half();
    this.#old = new Half();
    this.#wishes.clear();
  }

  /** Whether requests are running. */
  get busy() {
    return this.#running.size > 0 || this.#wishes.size > 0;
  }

  /** Called before a frame: drops the requests of the frame before, except running ones. */
  frame() {
    this.lacking = 0;
    this.#ahead = false;
    this.#wishes.clear();
  }

  /** The log has grown: tiles that were not final are requested again. */
  grown() {
    for (const { entries } of [this.#young, this.#old]) for (const entry of entries.values()) if (!entry.tile.final) entry.stale = true;
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
    const entry = this.#find(key);
    if (!entry || entry.stale) this.wish(row, z, i, key);
    if (!entry) this.lacking++;
    return this.known(row, z, i);
  }

  /**
   * The same, but nothing is requested.
   * @param {string} row
   * @param {number} z
   * @param {number} i
   * @returns {{ tile: Tile, z: number, i: number } | null}
   */
  known(row, z, i) {
    for (let up = 0; z + up <= HIGHEST && up <= 12; up++) {
      const at = Math.floor(i / 2 ** up);
      const entry = this.#find(`${row} ${z + up} ${at}`);
      if (entry) return { tile: entry.tile, z: z + up, i: at };
    }
    return null;
  }

  /** It is used now. @param {string} key */
  #find(key) {
    const entry = this.#young.entries.get(key);
    if (entry) return entry;
    const old = this.#old.take(key);
    if (old) this.#young.put(key, old);
    return old;
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
    const entry = this.#young.entries.get(key) ?? this.#old.entries.get(key);
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
      const answer = await ask(this.session, wish, request.stop.signal);
      this.#learn(performance.now() - began, keys.length);
      if (!await this.#read(answer, keys, request.stop.signal)) return;
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
   * Decodes an answer, with pauses in which frames are drawn.
   * @param {ArrayBuffer} answer
   * @param {string[]} keys
   * @param {AbortSignal} stop
   * @returns {Promise<boolean>} false: nobody needs the rest any more
   */
  async #read(answer, keys, stop) {
    let n = 0;
    let until = performance.now() + SLICE;
    for (const tile of decode(answer)) {
      if (stop.aborted) return false;
      if (n < keys.length) this.#keep(keys[n++], tile);
      if (performance.now() < until) continue;
      this.arrived();
      await new Promise((resolve) => setTimeout(resolve));
      until = performance.now() + SLICE;
    }
    return !stop.aborted;
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
    this.#young.take(key);
    this.#old.take(key);
    this.#young.put(key, { tile, stale: false });
    if (this.#young.bytes <= LIMIT / 2) return;
    this.#old = this.#young;
    this.#young = new Half();
  }
}

/** A half of the cache. */
class Half {
  /** @type {Map<string, Entry>} */
  entries = new Map();
  bytes = 0;

  /**
   * @param {string} key
   * @param {Entry} entry
   */
  put(key, entry) {
    this.entries.set(key, entry);
    this.bytes += entry.tile.bytes;
  }

  /** @param {string} key */
  take(key) {
    const entry = this.entries.get(key) ?? null;
    if (!entry) return null;
    this.entries.delete(key);
    this.bytes -= entry.tile.bytes;
    return entry;
  }
}
