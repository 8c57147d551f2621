// Wheel, drag and touch on the timeline. Keys are in keys.js, because they are the same on
// every page.
import { pan, stand, zoom } from "../motion.js";
import { state } from "../state.js";
import { NAMES } from "./view.js";

/** A shorter movement is a click. */
const CLICK = 4;

/**
 * @param {import("./view.js").View} view
 * @param {(x: number, y: number) => void} clicked from the left and the top of the rows
 * @param {AbortSignal} signal
 */
export function listen(view, clicked, signal) {
  const { scroller, ruler } = view;
  /** @type {Map<number, { x: number, y: number }>} */
  const down = new Map();
  /** @type {{ x: number, y: number, time: number, from: number, to: number, select: boolean, moved: boolean, top: number } | null} */
  let drag = null;
  let spread = 0;

  const left = () => scroller.getBoundingClientRect().left + NAMES;
  /** @param {PointerEvent | WheelEvent} event */
  const timeAt = (event) => view.time(event.clientX - left());

  /** @param {WheelEvent} event */
  const wheel = (event) => {
    const inRuler = ruler.node.contains(/** @type {Node} */ (event.target));
    const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 200 : 1;
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (event.ctrlKey || event.altKey || inRuler) {
      event.preventDefault();
      zoom(Math.exp(Math.max(-1, Math.min(1, (event.deltaY * unit) / 300))), timeAt(event), false);
    } else if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) {
      event.preventDefault();
      pan((sideways * unit) / view.width, false);
    }
  };
  scroller.addEventListener("wheel", wheel, { passive: false, signal });
  ruler.node.addEventListener("wheel", wheel, { passive: false, signal });

  /** @param {PointerEvent} event */
  const begin = (event) => {
    if (event.button !== 0 || event.clientX < left()) return;
    const target = /** @type {HTMLElement} */ (event.currentTarget);
    down.set(event.pointerId, { x: event.clientX, y: event.clientY });
    target.setPointerCapture(event.pointerId);
    stand();
    if (down.size === 2) {
      spread = distance(down);
      drag = null;
      view.stretch = null;
      return;
    }
    const { from, to } = state.range;
    const select = event.shiftKey || target === ruler.lanes;
    drag = { x: event.clientX, y: event.clientY, time: timeAt(event), from, to, select, moved: false, top: scroller.scrollTop };
  };

  /** @param {PointerEvent} event */
  const move = (event) => {
    const time = timeAt(event);
    view.point(event.clientX >= left() ? time : null);
    const known = down.get(event.pointerId);
    if (known) down.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (down.size === 2) {
      const now = distance(down);
      const xs = [...down.values()].map(({ x }) => x);
      if (spread > 10 && now > 10) zoom(spread / now, view.time((xs[0] + xs[1]) / 2 - left()), false);
      spread = now;
    } else if (drag && known) {
      const dx = event.clientX - drag.x;
      const dy = event.clientY - drag.y;
      if (Math.abs(dx) + Math.abs(dy) > CLICK) drag.moved = true;
      if (drag.select) view.stretch = { from: Math.min(drag.time, time), to: Math.max(drag.time, time) };
      else if (drag.moved) {
        const by = (dx / view.width) * (drag.to - drag.from);
        state.look(drag.from - by, drag.to - by);
        scroller.scrollTop = drag.top - dy;
      }
    }
  };

  /** @param {PointerEvent} event */
  const end = (event) => {
    down.delete(event.pointerId);
    const was = drag;
    drag = null;
    const stretch = view.stretch;
    view.stretch = null;
    view.redraw();
    if (!was) return;
    if (was.select && was.moved && stretch) state.go({ from: stretch.from, to: stretch.to, last: null });
    else if (!was.moved && event.type === "pointerup") clicked(event.clientX - left(), event.clientY - scroller.getBoundingClientRect().top);
  };
  for (const target of [scroller, ruler.lanes]) {
    target.addEventListener("pointerdown", begin, { signal });
    target.addEventListener("pointermove", move, { signal });
    target.addEventListener("pointerup", end, { signal });
    target.addEventListener("pointercancel", end, { signal });
    target.addEventListener("pointerleave", () => {
      if (drag) return;
      view.cursor = null;
      view.redraw();
    }, { signal });
    target.addEventListener("dblclick", (event) => {
      if (event.clientX >= left()) zoom(0.25, timeAt(/** @type {PointerEvent} */ (event)));
    }, { signal });
  }
}

/** @param {Map<number, { x: number, y: number }>} points */
function distance(points) {
  const [a, b] = [...points.values()];
  return Math.hypot(a.x - b.x, a.y - b.y);
}
