// Saves a chart as a picture of its own, in the colours of the theme in which it is shown: styles
// of the page do not apply to the file.
import { theme } from "../colours.js";
import { download, s } from "../dom.js";

/**
 * @param {SVGSVGElement} svg
 * @param {string} name of the file
 */
export function saveSvg(svg, name) {
  const copy = /** @type {SVGElement} */ (svg.cloneNode(true));
  const { back, faint, line, idle, lost, hatch } = theme();
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", String(svg.clientWidth));
  copy.setAttribute("font-family", "sans-serif");
  for (const text of copy.querySelectorAll("text")) text.setAttribute("fill", faint);
  for (const grid of copy.querySelectorAll(".grid")) grid.setAttribute("stroke", line);
  for (const [kind, fill] of [["idle", idle], ["lost", lost], ["hatch", hatch]]) for (const node of copy.querySelectorAll(`.${kind}`)) node.setAttribute("fill", fill);
  for (const node of copy.querySelectorAll("[class]")) node.removeAttribute("class");
  copy.removeAttribute("class");
  copy.prepend(s("title", null, svg.getAttribute("aria-label")), s("rect", { width: "100%", height: "100%", fill: back }));
  download(name, "image/svg+xml", new XMLSerializer().serializeToString(copy));
}
