// The upper canvas: events, arrows, marks, the selection, the time under the pointer.
import { ARROWS, SPAN, theme } from "../colours.js";
import { state } from "../state.js";

/** How far arrows reach into a row. */
const INSIDE = 7;

/**
 * @param {import("./view.js").View} view
 * @param {import("./rows.js").Row[]} seen
 * @param {number} top
 * @param {number} height
 */
export function drawOver(view, seen, top, height) {
  const { over: context, ratio } = view;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, view.width, height);
  const colours = theme();
  events(view, context, seen, top, colours);
  arrows(view, context, seen, top, colours);
  marked(view, context, seen, top, colours);
  if (view.stretch) {
    const [a, b] = [view.x(view.stretch.from), view.x(view.stretch.to)];
    context.fillStyle = SPAN;
    context.globalAlpha = 0.25;
    context.fillRect(a, 0, b - a, height);
    context.globalAlpha = 1;
  }
  for (const mark of state.place.marks) {
    context.fillStyle = "#CC79A7";
    context.fillRect(view.x(mark) - 1, 0, 2, height);
  }
  if (view.cursor != null) {
    context.fillStyle = colours.ink;
    context.globalAlpha = 0.6;
    context.fillRect(Math.round(view.x(view.cursor)), 0, 1, height);
    context.globalAlpha = 1;
  }
}

/**
 * @param {import("./view.js").View} view
 * @param {CanvasRenderingContext2D} context
 * @param {import("./rows.js").Row[]} seen
 * @param {number} top
 * @param {ReturnType<typeof theme>} colours
 */
function events(view, context, seen, top, colours) {
  for (const row of seen) {
    if (row.kind !== "cap") continue;
    const y = row.y - top + row.height;
    for (const event of view.data.events) {
      if (event.cap !== row.cap) continue;
      const x = view.x(event.time);
      if (x < -1 || x > view.width) continue;
      context.fillStyle = colours.back;
      context.fillRect(x - 1.5, y - 9, 3, 9);
      context.fillStyle = colours.ink;
      context.fillRect(x - 0.5, y - 8, 1, 8);
    }
  }
}

/**
 * @param {import("./view.js").View} view
 * @param {CanvasRenderingContext2D} context
 * @param {import("./rows.js").Row[]} seen
 * @param {number} top
 * @param {ReturnType<typeof theme>} colours
 */
function arrows(view, context, seen, top, colours) {
  if (!view.data.arrows.length) return;
  /** @type {Map<string, import("./rows.js").Row>} */
  const rows = new Map();
  for (const row of seen) if (row.kind === "cap" || row.kind === "thread") rows.set(row.key, row);
  /**
   * The row of a thread if it is visible, else that of the capability.
   * @param {number | null} thread
   * @param {number | null} cap
   */
  const end = (thread, cap) => rows.get(`t${thread}`) ?? rows.get(`c${cap}`);
  context.lineWidth = 1;
  for (const arrow of view.data.arrows) {
    const [from, to] = arrow.kind === "migration" ? [end(null, arrow.from_cap), end(null, arrow.to_cap)]
      : arrow.kind === "blackhole" ? [end(arrow.thread, arrow.from_cap), end(arrow.by, arrow.to_cap)]
      : [end(arrow.by, arrow.from_cap), end(arrow.thread, arrow.to_cap)];
    const x = view.x(arrow.time);
    if (!from || !to || from === to || x < -10 || x > view.width + 10) continue;
    const down = to.y > from.y;
    const a = from.y - top + from.height / 2;
    const b = to.y - top + (down ? INSIDE : to.height - INSIDE);
    context.strokeStyle = context.fillStyle = ARROWS[arrow.kind] ?? colours.ink;
    context.beginPath();
    context.moveTo(x, a);
    context.lineTo(x, b);
    context.stroke();
    const tip = down ? -5 : 5;
    context.beginPath();
    context.moveTo(x, b);
    context.lineTo(x - 3, b + tip);
    context.lineTo(x + 3, b + tip);
    context.fill();
  }
}

/**
 * @param {import("./view.js").View} view
 * @param {CanvasRenderingContext2D} context
 * @param {import("./rows.js").Row[]} seen
 * @param {number} top
 * @param {ReturnType<typeof theme>} colours
 */
function marked(view, context, seen, top, colours) {
  const { marked: stretch } = view;
  const row = stretch && seen.find(({ key }) => key === stretch.row);
  if (!stretch || !row) return;
  const a = Math.max(-4, view.x(stretch.from));
  const b = Math.min(view.width + 4, view.x(stretch.to));
  context.strokeStyle = colours.ink;
  context.lineWidth = 2;
  context.strokeRect(a, row.y - top + 1, Math.max(2, b - a), row.height - 2);
}
