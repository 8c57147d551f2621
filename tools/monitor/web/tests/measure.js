// Measures the pages: when they show a picture, their memory, their frames.
//
//   EVENTLOG=target/release/eventlog node tests/measure.js LOG CROWD SECONDS
//
// LOG: a large log. CROWD: one with many rows (examples/crowd.rs). SECONDS: how long to zoom and to move.
import { launch, monitor, open, rests, tab, until } from "./support.js";
import { unrecorded } from "./unrecorded.js";

const [log, crowd, seconds] = [process.argv[2], process.argv[3], Number(process.argv[4] ?? 60)];
const PAGES = ["overview", "threads", "collections", "heap", "sparks", "spans", "log", "stream", "timeline"];

/** @typedef {Awaited<ReturnType<typeof monitor>>} Server */
/** @typedef {import("playwright-core").Page} Page */
/** @typedef {{ view: import("../app/timeline/view.js").View }} Timeline */

/** @param {string} name @param {string} value */
const tell = (name, value) => process.stdout.write(`| ${name} | ${value} |\n`);
/** @param {number} bytes */
const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
/** @param {number[]} values */
function spread(values) {
  const sorted = values.slice().sort((a, b) => a - b);
  const at = (/** @type {number} */ part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))].toFixed(1);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms, of ${sorted.length}`;
}

/** @param {Server} server */
async function session(server) {
  const answer = await fetch(`${server.origin}/api/sessions`, { headers: { Authorization: `Bearer ${server.token}` } });
  return /** @type {Api.Session[]} */ (await answer.json())[0];
}

/**
 * Waits until a log is read as far as it goes: one that was cut off has no end.
 * @param {Server} server
 */
async function whole(server) {
  let before = -1;
  await until(async () => {
    const { bytes } = await session(server);
    const same = bytes > 0 && bytes === before;
    before = bytes;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return same;
  }, "the whole log");
}

/**
 * Opens the timeline in a tab of its own, as somebody who follows a link.
 * @param {import("playwright-core").Browser} browser
 * @param {Server} server
 */
async function follow(browser, server) {
  const opened = await tab(browser, server.origin);
  await opened.page.goto(`${server.origin}/#/timeline?token=${server.token}`);
  return opened;
}

/**
 * From the navigation to the first whole picture, in ms.
 * @param {Page} page
 */
async function pictured(page) {
  await page.locator(".page.timeline").waitFor();
  return page.locator(".page.timeline").evaluate(async (node) => {
    const { view } = /** @type {Timeline} */ (/** @type {unknown} */ (node));
    while (view.complete == null) await new Promise(requestAnimationFrame);
    return view.complete;
  });
}

/**
 * Zooms in, moves, zooms out, in each frame, as long as this; what the frames took.
 * @param {Page} page
 * @param {number} ms
 */
const travel = (page, ms) => page.evaluate(travelled, ms);

/** Runs in the page. @param {number} length in ms */
async function travelled(length) {
  const node = /** @type {Element & Timeline} */ (/** @type {unknown} */ (document.querySelector(".page.timeline")));
  const scroller = /** @type {Element} */ (document.querySelector(".lanes-scroll"));
  const { left, top, width } = scroller.getBoundingClientRect();
  /** @type {number[]} */
  const drawn = [];
  /** @type {number[]} */
  const between = [];
  const begin = performance.now();
  let before = begin;
  for (let n = 0; performance.now() < begin + length; n++) {
    const now = /** @type {number} */ (await new Promise(requestAnimationFrame));
    if (n) between.push(now - before);
    before = now;
    // `redraw` draws in the same frame or in the next.
    const last = node.view.frames.at(-1);
    if (n && last != null) drawn.push(last);
    const turn = Math.floor(n / 50) % 6;
    const way = [-40, 0, 0, 40, 40, -40][turn];
    const at = { clientX: left + 200 + ((n * 7) % (width - 300)), clientY: top + 60, bubbles: true, cancelable: true };
    scroller.dispatchEvent(way ? new WheelEvent("wheel", { ...at, deltaY: way, ctrlKey: true }) : new WheelEvent("wheel", { ...at, deltaX: turn === 1 ? 60 : -60 }));
    if (n % 50 === 25) scroller.scrollTop = (n * 11) % 2000;
  }
  return { drawn, between };
}

/** The longest trace, in ms: it has many events. */
const TRACED = 15_000;

/**
 * Travels, and tells what the frames took.
 * @param {string} what
 * @param {Page} page
 * @param {number} ms
 */
async function measured(what, page, ms) {
  const { drawn, between } = await travel(page, ms);
  tell(`${what}: drawing a frame`, spread(drawn));
  tell(`${what}: from frame to frame`, spread(between));
}

/**
 * Opens the timeline and travels; tells the memory before and after, and after a visit to all pages.
 * @param {string} what
 * @param {Server} server
 * @param {string} query
 * @param {number} ms
 */
async function remembering(what, server, query, ms) {
  const page = await unrecorded(`${server.origin}/#/timeline?token=${server.token}${query}`);
  try {
    const rested = () => page.evaluate("new Promise((resolve) => setTimeout(resolve, 3000))");
    await page.evaluate(`(async () => {
      while (document.querySelector(".page.timeline")?.view?.complete == null) await new Promise(requestAnimationFrame);
    })()`);
    await rested();
    tell(`${what}: memory at first`, remembered(await page.memory()));
    await page.evaluate(`(${travelled})(${ms}).then(() => null)`);
    await rested();
    tell(`${what}: memory after ${ms / 1000} s`, remembered(await page.memory()));
    for (const name of PAGES) {
      await page.evaluate(`location.hash = "#/${name}"`);
      await rested();
    }
    tell(`${what}: memory after all pages`, remembered(await page.memory()));
  } finally {
    await page.close();
  }
}

/**
 * Travels, and tells what a frame took of the processor by itself, because other programs delay a frame.
 * @param {string} what
 * @param {import("playwright-core").Browser} browser
 * @param {Page} page
 * @param {number} ms
 */
async function traced(what, browser, page, ms) {
  await browser.startTracing(page, { categories: ["cc"] });
  await travel(page, Math.min(ms, TRACED));
  /** @type {{ traceEvents: { name: string, tdur?: number }[] }} */
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
  const frames = traceEvents.filter(({ name, tdur }) => name === "ProxyMain::BeginMainFrame" && tdur != null);
  if (frames.length) tell(`${what}: processor time of a frame in the main thread`, spread(frames.map(({ tdur }) => Number(tdur) / 1000)));
}

/** @param {{ heap: number, resident: number, alone: number }} told */
const remembered = ({ heap, resident, alone }) => `JavaScript ${mb(heap)}, process ${mb(alone)} of its own, ${mb(resident)} with the browser's code`;

const browser = await launch();
process.stdout.write("| what | figures |\n| --- | --- |\n");
try {
  const reading = await monitor([log]);
  try {
    const opened = await follow(browser, reading);
    const first = await pictured(opened.page);
    const { bytes } = await session(reading);
    tell("first whole picture of a log that is being read", `${first.toFixed(0)} ms (${mb(bytes)} were read by then)`);
    await opened.context.close();
    await whole(reading);
    const times = [];
    for (let n = 0; n < 5; n++) {
      const again = await follow(browser, reading);
      times.push(await pictured(again.page));
      await again.context.close();
    }
    tell("first whole picture of a log that was read", times.map((ms) => `${ms.toFixed(0)} ms`).join(", "));
    const { page, context } = await follow(browser, reading);
    await rests(page);
    await measured("a long log", page, seconds * 1000);
    await traced("a long log", browser, page, seconds * 1000);
    await context.close();
    await remembering("a long log", reading, "", seconds * 1000);
  } finally {
    await reading.stop();
  }
  const many = await monitor([crowd]);
  try {
    await whole(many);
    const { page, context } = await follow(browser, many);
    await open(page, "timeline", "?threads=1");
    await page.locator(".lane-name.cap").nth(3).waitFor();
    await rests(page);
    await measured("many rows", page, seconds * 1000);
    await traced("many rows", browser, page, seconds * 1000);
    await context.close();
    await remembering("many rows", many, "&threads=1", seconds * 1000);
  } finally {
    await many.stop();
  }
} finally {
  await browser.close();
}
