// A heap profile as text (.hp): what it is, and why its other pages are empty.
import { h } from "../dom.js";
import { bytes } from "../format.js";
import { state } from "../state.js";
import { title } from "./loader.js";

/** What the file says about the program. @param {Api.Session} session */
export function about(session) {
  const file = session.heap_file;
  if (!file) return null;
  const rows = [["Command line", file.job], ["Started", file.date], ["Source", session.source], ["Size", bytes(session.bytes)],
    ["Times in", file.sample_unit ? `${file.sample_unit}; in files that GHC wrote, those that the program itself has run, without garbage collections` : ""], ["Values in", file.value_unit]];
  return h("dl", { class: "facts" }, ...rows.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", null, name), h("dd", null, value)]));
}

/**
 * Instead of every page but that of the heap.
 * @param {HTMLElement} root
 * @param {Api.Session} session
 */
export function mountWhy(root, session) {
  root.append(title(session.name), about(session) ?? "",
    h("div", { class: "empty big" },
      h("p", null, "This page is empty: a .hp file holds heap samples only. An eventlog brings the rest: run the program with ", h("code", null, "+RTS -l"), ", in addition to the flag of the heap profile."),
      h("button", { type: "button", onclick: () => state.go({ page: "heap", more: {} }) }, "Show the heap")));
}
