// The rows of the timeline and their positions: only visible rows are created.

/**
 * @typedef {{ kind: "spans" | "span" | "marks" | "cap" | "threads" | "thread", key: string, label: string,
 *   y: number, height: number, cap?: number, thread?: Api.Thread, spans?: Api.Span[] }} Row
 */

const SPAN = 18;
const CAP = 28;
const SUM = 40;
export const THREAD = 18;
const GAP = 2;
/** Rows of spans that are shown folded, so that they do not hide the other rows. */
const SPAN_ROWS = 12;
const names = new Intl.Collator(undefined, { numeric: true });

export class RowList {
  /** @type {Row[]} */
  fixed = [];
  unfolded = false;
  /** Whether all rows of spans are shown. */
  spansUnfolded = false;
  /** @type {Map<number, Api.Thread>} */
  threads = new Map();
  threadTotal = 0;
  #fixedHeight = 0;

  /**
   * @param {Api.Rows | null} rows
   * @param {Api.Span[]} spans
   * @param {boolean} marks
   * @param {boolean} unfolded the threads
   * @param {boolean} spansUnfolded
   */
  arrange(rows, spans, marks, unfolded, spansUnfolded) {
    this.unfolded = unfolded;
    this.spansUnfolded = spansUnfolded;
    this.fixed = [];
    let y = 0;
    /** @param {Omit<Row, "y">} row */
    const add = (row) => {
      this.fixed.push({ ...row, y });
      y += row.height + GAP;
    };
    const all = lanes(spans);
    if (all.length > SPAN_ROWS) add({ kind: "spans", key: "spans", label: spansUnfolded ? `${all.length} rows` : `${SPAN_ROWS} of ${all.length} rows`, height: SPAN });
    for (const [key, list] of spansUnfolded ? all : all.slice(0, SPAN_ROWS)) add({ kind: "span", key: `s${key}`, label: list.label, height: SPAN, spans: list.spans });
    if (marks) add({ kind: "marks", key: "marks", label: "Messages, markers", height: SPAN });
    for (const { row, cap } of rows?.caps ?? []) add({ kind: "cap", key: row, label: `Capability ${cap}`, height: CAP, cap });
    if (rows && rows.threads.count > 0) add({ kind: "threads", key: "threads", label: "Threads", height: SUM });
    this.#fixedHeight = y;
  }

  get height() {
    return this.#fixedHeight + (this.unfolded ? this.threadTotal * THREAD : 0) + 4;
  }

  /**
   * The rows between two heights.
   * @param {number} top
   * @param {number} bottom
   * @returns {Row[]}
   */
  between(top, bottom) {
    const found = this.fixed.filter((row) => row.y < bottom && row.y + row.height > top);
    const { from, to } = this.threadsBetween(top, bottom);
    for (let n = from; n < to; n++) {
      const thread = this.threads.get(n);
      found.push({
        kind: "thread", key: thread ? `t${thread.id}` : "", y: this.#fixedHeight + n * THREAD, height: THREAD - 1, thread,
        label: thread ? threadName(thread) : "…",
      });
    }
    return found;
  }

  /**
   * The numbers of the threads between two heights.
   * @param {number} top
   * @param {number} bottom
   */
  threadsBetween(top, bottom) {
    if (!this.unfolded) return { from: 0, to: 0 };
    const from = Math.max(0, Math.floor((top - this.#fixedHeight) / THREAD));
    return { from, to: Math.max(from, Math.min(this.threadTotal, Math.ceil((bottom - this.#fixedHeight) / THREAD))) };
  }

  /** @param {number} y */
  at(y) {
    return this.between(y, y + 1)[0] ?? null;
  }
}

/** @param {Api.Thread} thread */
export function threadName(thread) {
  return thread.label ? `${thread.id} ${thread.label}` : `Thread ${thread.id}`;
}

/**
 * Spans with the same track and depth share a row.
 * @param {Api.Span[]} spans
 */
function lanes(spans) {
  /** @type {Map<string, { label: string, track: string, depth: number, spans: Api.Span[] }>} */
  const found = new Map();
  for (const span of spans) {
    const { track, depth } = span;
    const key = `${track}/${depth}`;
    let lane = found.get(key);
    if (!lane) {
      const name = track == null ? "Spans" : /^\d+$/.test(String(track)) ? `Spans, thread ${track}` : String(track);
      found.set(key, (lane = { label: depth ? "" : name, track: String(track), depth, spans: [] }));
    }
    lane.spans.push(span);
  }
  // Rows, not spans, are put in order: comparing texts takes long.
  return [...found].sort(([, a], [, b]) => names.compare(a.track, b.track) || a.depth - b.depth);
}
