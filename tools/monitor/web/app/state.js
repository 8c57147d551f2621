// The state shared by all pages: the place (see address.js), the sessions, and the time
// range.
import * as address from "./address.js";

/** @typedef {"place" | "page" | "range" | "sessions" | "session" | "theme"} Change */

class State extends EventTarget {
  /** @type {address.Place} */
  place = address.parse("");
  /** @type {Api.Session[]} */
  sessions = [];
  /** Whether the list of sessions has arrived at least once. */
  known = false;
  #written = 0;
  #timer = 0;

  /** The current session: that of the address, or the newest live one, or the newest. */
  get session() {
    const { session: id } = this.place;
    if (id != null) return this.sessions.find((session) => session.id === id) ?? null;
    return this.sessions.reduce((/** @type {Api.Session | null} */ best, session) => (best == null || newer(session, best) ? session : best), null);
  }

  /** The current range. */
  get range() {
    const session = this.session;
    const begin = session?.begin ?? 0;
    const end = Math.max(session?.end ?? 0, begin + 1000);
    const { from, to, last } = this.place;
    if (from != null && to != null) return { from, to };
    if (last != null) return { from: Math.max(begin, end - last), to: end };
    return { from: begin, to: end };
  }

  /** Whether the range follows a live session. */
  get follows() {
    return this.place.from == null && this.session?.live === true;
  }

  /** The wall clock at time 0 (Unix nanoseconds), if times are shown as that and the log has it. */
  get wall() {
    return this.place.clock ? this.session?.wall ?? null : null;
  }

  /**
   * For requests: empty if it is the whole session.
   * @returns {{ from?: number, to?: number }}
   */
  get window() {
    const { from, last } = this.place;
    return from == null && last == null ? {} : this.range;
  }

  /** @param {Change} what */
  tell(what) {
    this.dispatchEvent(new Event(what));
  }

  /**
   * @param {Change[]} whats
   * @param {() => void} action
   * @param {AbortSignal} signal
   */
  on(whats, action, signal) {
    for (const what of whats) this.addEventListener(what, action, { signal });
  }

  /** The user has changed the address. */
  read() {
    const before = this.place;
    const { token: _, ...place } = address.parse(location.hash);
    this.place = place;
    if (place.page !== before.page) this.tell("page");
    if (place.session !== before.session) this.tell("session");
    if (place.from !== before.from || place.to !== before.to || place.last !== before.last || place.clock !== before.clock) this.tell("range");
    this.tell("place");
  }

  /**
   * Goes to another place; `step` adds an entry to the history.
   * @param {Partial<address.Place>} change
   * @param {boolean} [step]
   */
  go(change, step = true) {
    const next = { ...this.place, ...change };
    clearTimeout(this.#timer);
    if (step) history.pushState(null, "", address.format(next));
    else history.replaceState(null, "", address.format(next));
    this.read();
  }

  /**
   * Limits a range: not too short, and not far outside the session.
   * @param {number} from
   * @param {number} to
   */
  clamp(from, to) {
    const session = this.session;
    const begin = session?.begin ?? 0;
    const end = Math.max(session?.end ?? 0, begin + 1000);
    const length = Math.min(Math.max(to - from, 100), (end - begin) * 1.5);
    const middle = Math.min(Math.max((from + to) / 2, begin), end);
    return { from: Math.round(middle - length / 2), to: Math.round(middle + length / 2) };
  }

  /**
   * Sets the range. While it moves, the address is updated only a few times a second, because browsers limit that.
   * @param {number} from
   * @param {number} to
   */
  look(from, to) {
    this.place = { ...this.place, ...this.clamp(from, to), last: null };
    this.tell("range");
    this.#later();
  }

  /** Shows the whole session, or the newest part of a live one. */
  whole() {
    this.go({ from: null, to: null, last: null });
  }

  #later() {
    const write = () => {
      this.#written = Date.now();
      history.replaceState(null, "", address.format(this.place));
    };
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(write, Math.max(0, 250 - (Date.now() - this.#written)));
  }

  /** @param {Api.Session[]} sessions */
  learn(sessions) {
    const before = this.session;
    this.sessions = sessions;
    this.known = true;
    this.tell("sessions");
    if (before?.id !== this.session?.id) this.tell("session");
    else if (before && this.session && before.end !== this.session.end && this.place.from == null) this.tell("range");
  }
}

export const state = new State();

/**
 * @param {Api.Session} a
 * @param {Api.Session} b
 */
function newer(a, b) {
  if (a.live !== b.live) return a.live;
  if (a.wall == null || b.wall == null) return false;
  return BigInt(a.wall) > BigInt(b.wall);
}
