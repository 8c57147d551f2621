// The entry point: the token, the shell around the pages, and the current page.
import { follow, get, Refused, useToken } from "./api.js";
import { format, parse } from "./address.js";
import { h, replace } from "./dom.js";
import { listen } from "./keys.js";
import { openSearch } from "./search.js";
import { Shell } from "./shell.js";
import { state } from "./state.js";
import { startTheme } from "./theme.js";
import * as collections from "./pages/collections.js";
import * as heap from "./pages/heap.js";
import { mountWhy } from "./pages/heap_file.js";
import * as log from "./pages/log.js";
import * as overview from "./pages/overview.js";
import * as spans from "./pages/spans.js";
import * as sparks from "./pages/sparks.js";
import * as stream from "./pages/stream.js";
import * as thread from "./pages/thread.js";
import * as threads from "./pages/threads.js";
import * as timeline from "./pages/timeline.js";

/** @type {Record<string, { mount: (root: HTMLElement, session: Api.Session, signal: AbortSignal) => void }>} */
const PAGES = { overview, timeline, threads, thread, collections, heap, sparks, spans, log, stream };

const app = /** @type {HTMLElement} */ (document.getElementById("app"));
let connection = new AbortController();

/** Removes the token from the address, so that it is not shared by accident. */
function takeToken() {
  const { token, ...place } = parse(location.hash);
  if (token) useToken(token);
  history.replaceState(null, "", format(place));
  return token;
}

async function begin() {
  startTheme();
  takeToken();
  state.read();
  addEventListener("hashchange", () => {
    // The printed address was pasted into this tab.
    if (takeToken()) void connect();
    state.read();
  });
  addEventListener("popstate", () => state.read());
  listen(openSearch);
  await connect();
}

async function connect() {
  connection.abort();
  connection = new AbortController();
  try {
    state.learn(await get("/api/sessions"));
  } catch (error) {
    if (error instanceof Refused && error.status === 401) {
      askForToken(error.message);
      return;
    }
    // The monitor may be restarted: the stream reconnects.
  }
  const { signal } = connection;
  const shell = new Shell(signal);
  replace(app, shell.node);
  show(shell, signal);
  void follow((sessions) => state.learn(sessions), (error) => {
    if (error?.status === 401) askForToken(error.message);
    else shell.trouble(error?.message ?? "");
  }, signal);
}

/**
 * @param {Shell} shell
 * @param {AbortSignal} signal
 */
function show(shell, signal) {
  let life = new AbortController();
  let shown = "";
  const change = () => {
    const name = state.place.page.split("/")[0];
    const page = PAGES[name] ?? overview;
    const { session } = state;
    const key = `${state.place.page}\n${session?.id}\n${state.known}\n${session?.error}\n${session?.heap_file != null}`;
    if (key === shown) return;
    shown = key;
    life.abort();
    life = new AbortController();
    const root = h("div", { class: `page ${name}` });
    replace(shell.main, root);
    document.title = `${session?.name ?? "eventlog"} · ${name}`;
    if (session?.heap_file && page !== heap) mountWhy(root, session);
    else if (session) page.mount(root, session, life.signal);
    else root.append(nothing());
  };
  state.on(["page", "session", "sessions", "place"], change, signal);
  change();
}

function nothing() {
  if (!state.known) return h("p", { class: "empty big" }, "Waiting for the monitor…");
  if (state.place.session != null) {
    return h("div", { class: "empty big" }, h("p", null, "This session does not exist any more: its monitor has ended, or has removed it."),
      h("button", { type: "button", onclick: () => state.go({ session: null, from: null, to: null, last: null, sel: null }) }, "Show the other sessions"));
  }
  return h("div", { class: "empty big" },
    h("p", null, "No program is being watched yet."),
    h("p", null, "Start one with the eventlog on, for example:"),
    h("pre", null, "eventlog monitor -- ./program +RTS -l\neventlog monitor program.eventlog"),
    h("p", null, "It appears here automatically."));
}

/** @param {string} why */
function askForToken(why) {
  connection.abort();
  const field = h("input", { type: "password", id: "token", autocomplete: "off", required: true });
  replace(app, h("main", { class: "ask" }, h("h1", null, "eventlog monitor"),
    h("p", null, "These pages show private data of programs, so they need the token of the monitor. Open the address that it printed, or paste the address or its token here. The token is not stored, so it is needed again after a reload."),
    h("form", {
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        const text = field.value.trim();
        useToken(/token=([^&\s]+)/.exec(text)?.[1] ?? text);
        void connect();
      },
    }, h("label", { for: "token" }, "Address or token "), field, " ", h("button", null, "Open")),
    h("p", { class: "quiet" }, why)));
  field.focus();
}

void begin();
