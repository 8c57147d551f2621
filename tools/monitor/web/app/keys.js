// The keyboard: the same on every page.
import { h } from "./dom.js";
import { mark, pan, zoom } from "./motion.js";
import { state } from "./state.js";

/** @type {[string, string][]} */
const HELP = [
  ["w  s  or  +  -", "zoom in, zoom out (at the pointer)"],
  ["a  d  or  ← →", "earlier, later"],
  ["0", "the whole session"],
  ["Tab to a chart, then ← →", "its values, one by one, also Home, End, Page Up and Page Down; Escape leaves it"],
  ["↑ ↓ on a chart", "choose a line, a band, a group or a row of it; above the first one are all"],
  ["/", "search, or filter the table"],
  ["m", "set or remove a mark at the pointer"],
  ["g then o t h c e s p l r", "go to overview, timeline, threads, collections, heap (e), sparks, spans (p), log, stream (r)"],
  ["Escape", "close what is open"],
  ["?", "this help"],
  ["drag", "move; with Shift, or above the rows: select a range"],
  ["Ctrl + wheel, pinch", "zoom in, zoom out; above the rows without Ctrl"],
  ["wheel, Shift + wheel", "scroll the rows; move through time"],
  ["double click", "zoom in; on a chart: the whole session"],
  ["click", "show details of what is under the pointer"],
];

const GO = /** @type {Record<string, string>} */ ({
  o: "overview", t: "timeline", h: "threads", c: "collections", e: "heap", s: "sparks", p: "spans", l: "log", r: "stream",
});

/** @param {() => void} search */
export function listen(search) {
  let going = 0;
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.key === "Escape") {
      if (document.querySelector("dialog[open]")) return;
      if (target.matches("input, select, textarea")) target.blur();
      else if (state.place.sel) state.go({ sel: null }, false);
      return;
    }
    if (target.closest("input, select, textarea, dialog")) return;
    if (Date.now() - going < 1500 && GO[event.key]) {
      going = 0;
      state.go({ page: GO[event.key], more: {} });
      event.preventDefault();
      return;
    }
    going = 0;
    switch (event.key) {
      case "w": case "+": case "=": zoom(0.6); break;
      case "s": case "-": case "_": zoom(1 / 0.6); break;
      case "a": case "ArrowLeft": pan(-0.2); break;
      case "d": case "ArrowRight": pan(0.2); break;
      case "0": state.whole(); break;
      case "/": search(); break;
      case "?": help(); break;
      case "m": mark(); break;
      case "g": going = Date.now(); break;
      default: return;
    }
    event.preventDefault();
  });
}

export function help() {
  if (document.querySelector("dialog[open]")) return;
  const dialog = h("dialog", { class: "help", "aria-label": "Keyboard and pointer" },
    h("h2", null, "Keyboard and pointer"),
    h("dl", { class: "facts" }, ...HELP.flatMap(([keys, what]) => [h("dt", null, h("kbd", null, keys)), h("dd", null, what)])),
    h("form", { method: "dialog" }, h("button", { autofocus: true }, "Close")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
