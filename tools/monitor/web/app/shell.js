// The frame of every page: navigation, the session, the time range.
import { h, replace } from "./dom.js";
import { clock, duration, moment } from "./format.js";
import { help } from "./keys.js";
import { zoom } from "./motion.js";
import { openSearch } from "./search.js";
import { state } from "./state.js";
import { nextTheme, theme } from "./theme.js";

const PAGES = [
  ["overview", "Overview"], ["timeline", "Timeline"], ["threads", "Threads"], ["collections", "Collections"], ["heap", "Heap"],
  ["sparks", "Sparks"], ["spans", "Spans"], ["log", "Log"], ["stream", "Stream"],
];

export class Shell {
  /** @param {AbortSignal} life */
  constructor(life) {
    this.main = h("main", { id: "main", tabindex: -1 });
    this.nav = h("nav", { "aria-label": "Pages" });
    this.picker = h("select", { "aria-label": "Session", onchange: () => state.go({ session: this.picker.value, from: null, to: null, last: null, sel: null, marks: [] }) });
    this.badge = h("span", { class: "badge" });
    this.range = h("span", { class: "range-text" });
    this.follows = h("button", { type: "button", class: "follow", onclick: () => this.#follow() });
    this.clock = h("button", { type: "button", onclick: () => state.go({ clock: !state.place.clock }, false) });
    this.banner = h("div", { class: "banner", role: "alert", hidden: true });
    this.hint = h("div", { class: "banner hint", hidden: true });
    this.themed = h("button", { type: "button", onclick: () => this.#theme(nextTheme()) });
    this.node = h("div", { class: "shell" },
      h("header", null,
        h("span", { class: "brand", "aria-hidden": "true" }, "eventlog"), this.picker, this.badge,
        h("span", { class: "range", role: "group", "aria-label": "Time range" },
          this.range,
          h("button", { type: "button", title: "Zoom in (w)", "aria-label": "Zoom in", onclick: () => zoom(0.5) }, "+"),
          h("button", { type: "button", title: "Zoom out (s)", "aria-label": "Zoom out", onclick: () => zoom(2) }, "−"),
          h("button", { type: "button", title: "The whole session (0)", onclick: () => state.whole() }, "All"), this.clock, this.follows),
        h("span", { class: "tools-right" },
          h("button", { type: "button", title: "Search (/)", onclick: openSearch }, "Search"), this.themed,
          h("button", { type: "button", title: "Keyboard and pointer (?)", "aria-label": "Help", onclick: help }, "?"))),
      this.nav, h("div", { class: "middle" }, this.banner, this.hint, this.main));
    this.#theme(theme());
    state.on(["sessions", "session"], () => this.#sessions(), life);
    state.on(["range", "session", "sessions"], () => this.#range(), life);
    state.on(["place", "session"], () => this.#nav(), life);
    this.#sessions();
    this.#range();
    this.#nav();
  }

  /** @param {string} text */
  trouble(text) {
    this.banner.hidden = !text;
    replace(this.banner, text);
  }

  /** @param {string} way */
  #theme(way) {
    replace(this.themed, { system: "Auto", light: "Light", dark: "Dark" }[way] ?? "Auto");
    this.themed.title = `Colours: ${way}. Click to change.`;
    this.themed.setAttribute("aria-label", `Colours: ${way}`);
  }

  #nav() {
    const here = state.place.page.split("/")[0];
    replace(this.nav, ...PAGES.map(([page, name]) => h("a", {
      href: `#/${page}`, "aria-current": here === page || (here === "thread" && page === "threads") ? "page" : null,
      onclick: (/** @type {MouseEvent} */ event) => {
        if (event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        state.go({ page, more: {} });
      },
    }, name)));
  }

  #sessions() {
    const { session } = state;
    const key = state.sessions.map(({ id, name, live }) => `${id} ${name} ${live}`).join("\n") + session?.id;
    if (key !== this.picker.dataset.key) {
      this.picker.dataset.key = key;
      replace(this.picker, ...(session ? [] : [h("option", { value: "", selected: true }, state.sessions.length ? "(not found)" : "(none)")]),
        ...state.sessions.map((one) => h("option", { value: one.id, selected: one.id === session?.id }, `${label(one)}${one.live ? " · live" : ""}`)));
    }
    const [text, kind] = !session ? ["no session", ""] : session.error ? ["error", "bad"] : session.live ? ["live", "good"] : session.ended ? ["ended", ""] : ["file", ""];
    replace(this.badge, text);
    this.badge.className = `badge ${kind}`;
    const file = session?.heap_file;
    this.badge.title = session?.error ?? (file ? `${file.job}\n${file.date}\n${session?.source}` : session ? `${session.program} ${session.args.join(" ")}\n${session.rts}\n${session.source}` : "");
    this.#hints(session);
  }

  /** @param {Api.Session | null} session */
  #hints(session) {
    const newer = session && !session.live && state.sessions.find((other) => other.live && other.name === session.name && other.id !== session.id);
    const content = session?.error ? [session.error] : newer
      ? ["This run has ended; the program was started again. ", h("button", { type: "button", onclick: () => state.go({ session: newer.id, from: null, to: null, sel: null, marks: [] }) }, "Show the new run")]
      : [];
    // Only if it is another one: its button may be in the middle of a click.
    const key = session?.error || (newer ? newer.id : "");
    if (key === this.hint.dataset.key) return;
    this.hint.dataset.key = key;
    this.hint.hidden = !content.length;
    replace(this.hint, ...content);
  }

  #range() {
    const { from, to } = state.range;
    const { session } = state;
    const resolution = (to - from) / 1000;
    const wall = session ? clock(from, session.wall, Math.max(1e3, resolution)) : null;
    const some = session && session.end > session.begin;
    replace(this.range, session && !some ? "no events yet" : "", some ? `${moment(from, resolution)} to ${moment(to, resolution)}` : "", some ? h("b", null, ` ${duration(to - from)}`) : null);
    this.range.title = wall ? `From ${wall}` : "";
    this.clock.hidden = session?.wall == null;
    replace(this.clock, state.place.clock ? "Clock" : "Seconds");
    this.clock.setAttribute("aria-label", `Times: ${state.place.clock ? "wall clock" : "seconds since the start"}`);
    this.clock.title = state.place.clock ? "Times are those of the wall clock. Click for seconds since the start." : "Times are seconds since the start. Click for the wall clock.";
    this.follows.hidden = !session?.live;
    replace(this.follows, state.follows ? "Following" : "Follow");
    this.follows.setAttribute("aria-pressed", String(state.follows));
    this.follows.title = state.follows ? "The range follows the program. Click to stop." : "Follow the program";
  }

  #follow() {
    const { from, to } = state.range;
    if (state.follows) state.go({ from, to, last: null });
    else state.go({ from: null, to: null, last: to - from });
  }
}

/** @param {Api.Session} session */
function label(session) {
  const name = session.name || session.program || session.id;
  return session.pid == null ? name : `${name} (${session.pid})`;
}
