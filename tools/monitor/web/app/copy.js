// Copies to the clipboard, with a short confirmation.
import { h } from "./dom.js";

/** @param {string} text */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say(`Copied ${text.split("\n").length} lines.`);
  } catch {
    // Without permission, or without a secure context: use the older method.
    const area = h("textarea", { class: "off-screen" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    say(done ? "Copied." : "The browser does not let the page write to the clipboard.");
  }
}

let timer = 0;
/**
 * A short message at the edge of the page.
 * @param {string} text
 */
export function say(text) {
  const place = document.getElementById("said");
  if (!place) return;
  place.replaceChildren(text);
  clearTimeout(timer);
  timer = window.setTimeout(() => place.replaceChildren(), 4000);
}
