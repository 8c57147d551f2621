// Light or dark: that of the system, or the user's choice.
import { state } from "./state.js";

const WAYS = ["system", "light", "dark"];
const KEY = "eventlog-monitor-theme";

function stored() {
  try {
    return localStorage.getItem(KEY) ?? "system";
  } catch {
    return "system";
  }
}

/** @param {string} way */
function use(way) {
  if (way === "system") document.documentElement.removeAttribute("data-theme");
  else document.documentElement.setAttribute("data-theme", way);
}

export function startTheme() {
  use(stored());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => state.tell("theme"));
}

export const theme = () => (WAYS.includes(stored()) ? stored() : "system");

export function nextTheme() {
  const way = WAYS[(WAYS.indexOf(theme()) + 1) % WAYS.length];
  try {
    localStorage.setItem(KEY, way);
  } catch {
    // Without storage the choice lasts as long as the page.
  }
  use(way);
  state.tell("theme");
  return way;
}
