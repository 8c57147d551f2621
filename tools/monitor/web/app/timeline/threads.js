// Loads the threads of the timeline page by page.
import { of } from "../api.js";
import { state } from "../state.js";
import { PAGE } from "./data.js";

export class ThreadPages {
  /** @type {Set<number>} */
  #here = new Set();
  #round = new AbortController();
  #query = "";

  /**
   * @param {string} session
   * @param {import("./rows.js").RowList} list
   * @param {() => void} changed
   */
  constructor(session, list, changed) {
    this.session = session;
    this.list = list;
    this.changed = changed;
  }

  close() {
    this.#round.abort();
  }

  /**
   * The range or the order has changed: loads again, and shows the old rows until then.
   * @param {string} sort
   * @param {string} find
   */
  renew(sort, find) {
    const query = `${sort}\n${find}`;
    if (query !== this.#query) {
      this.list.threads.clear();
      this.#query = query;
    }
    this.sort = sort;
    this.find = find;
    this.#round.abort();
    this.#round = new AbortController();
    this.#here.clear();
  }

  /**
   * @param {number} from
   * @param {number} to numbers of the visible rows
   */
  need(from, to) {
    for (let page = Math.floor(from / PAGE); page <= Math.floor(Math.max(from, to - 1) / PAGE); page++) {
      if (!this.#here.has(page)) void this.#ask(page);
    }
  }

  /** @param {number} page */
  async #ask(page) {
    this.#here.add(page);
    const { signal } = this.#round;
    const descending = this.sort !== "id" && this.sort !== "label";
    try {
      const query = { ...state.range, sort: this.sort, desc: descending, find: this.find, offset: page * PAGE, limit: PAGE };
      /** @type {Api.Threads} */
      const answer = await of(this.session, "threads", query, signal);
      if (signal.aborted) return;
      this.list.threadTotal = answer.total;
      answer.rows.forEach((row, n) => this.list.threads.set(page * PAGE + n, row));
      for (const n of this.list.threads.keys()) if (n >= answer.total) this.list.threads.delete(n);
      this.changed();
    } catch {
      if (!signal.aborted) setTimeout(() => this.#here.delete(page), 2000);
    }
  }
}
