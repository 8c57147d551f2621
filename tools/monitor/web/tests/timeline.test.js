// Tests the timeline with the log of a real program.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { begun, beside, build, freshDirectory, launch, monitor, open, PATIENCE, pixels, range, record, removed, rests, screenshot, until, whole } from "./support.js";

/** @type {string} */
let directory;
/** @type {Awaited<ReturnType<typeof monitor>>} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;
/** The session of the log. */
let full = "";

before(async () => {
  directory = await freshDirectory();
  const log = path.join(directory, "full.eventlog");
  await record(await build(directory), log, ["40", "first"], ["-N2", "-hT", "-i0.05"]);
  server = await monitor([log]);
  browser = await launch();
  full = await whole(server);
}, { timeout: 10 * PATIENCE });

after(async () => {
  await browser?.close();
  await server?.stop();
  await removed(directory);
});

const begin = () => begun(browser, server);

test("from the whole run to one event, and its text", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begin();
  await open(page, "timeline", `?s=${full}`);
  await until(async () => (await pixels(page, { mutator: "#009E73" })).mutator > 500, "capabilities that run");
  await screenshot(page, "timeline-whole");
  // By search.
  await page.keyboard.press("/");
  await page.getByRole("dialog").getByRole("textbox").fill("needle .b.in");
  await page.getByRole("dialog").getByText("a needle <b>in</b> the log").click();
  await page.locator(".details").getByText("a needle <b>in</b> the log").first().waitFor();
  const { from, to } = await range(page);
  assert.ok(to - from <= 50_000, `a range of ${to - from} ns`);
  // On the timeline itself.
  const text = page.locator(".lane-text.event").filter({ hasText: "a needle <b>in</b> the log" }).first();
  await rests(page);
  for (let n = 0; n < 12 && !(await text.isVisible()); n++) {
    await page.keyboard.press("w");
    await rests(page);
  }
  await text.waitFor();
  await screenshot(page, "timeline-event");
  // Zoom out again step by step.
  let { from: before_, to: after_ } = await range(page);
  for (let n = 0; n < 6; n++) {
    await page.keyboard.press("s");
    const now = await range(page);
    assert.ok(now.to - now.from > after_ - before_, `${now.to - now.from} after ${after_ - before_}`);
    ({ from: before_, to: after_ } = now);
    await until(async () => (await pixels(page, { mutator: "#009E73" })).mutator > 0, "a picture at each step");
  }
  assert.deepEqual(faults, []);
  await context.close();
});

test("the timeline is moved by keys, wheel and drag, and the address has the range", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begin();
  await open(page, "timeline", `?s=${full}`);
  const lanes = page.locator(".lanes-scroll");
  await lanes.hover();
  await page.keyboard.press("w");
  const closer = await range(page);
  assert.ok(closer.to > closer.from, "a range in the address");
  await page.keyboard.press("d");
  const later = await range(page);
  assert.ok(later.from > closer.from, "later");
  assert.ok(Math.abs(later.to - later.from - (closer.to - closer.from)) <= 2, "moving keeps the length");
  const box = await lanes.boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + 700, box.y + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + 900, box.y + 50, { steps: 4 });
  await page.mouse.up();
  const earlier = await range(page);
  assert.ok(earlier.from < later.from, "earlier by dragging to the right");
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -300);
  await page.keyboard.up("Control");
  // Playwright does not wait until the page has heard of the wheel.
  await until(async () => {
    const { from, to } = await range(page);
    return to - from < (earlier.to - earlier.from) * 0.9;
  }, "closer by the wheel");
  await page.keyboard.press("m");
  await until(async () => (await page.evaluate(() => location.hash)).includes("marks="), "a mark");
  // The same address shows the same, in another tab.
  const there = await page.evaluate(() => location.hash);
  const second = await beside(browser, server);
  await open(second.page, "timeline", there.replace("#/timeline", ""));
  const shown = await page.locator(".range-text").innerText();
  await until(async () => (await second.page.locator(".range-text").innerText()) === shown, `${shown} in the other tab`);
  await page.keyboard.press("0");
  await until(async () => !(await page.evaluate(() => location.hash)).includes("from="), "all of it");
  await page.keyboard.press("?");
  await page.getByRole("dialog").getByText("the whole session").first().waitFor();
  await page.keyboard.press("Escape");
  assert.deepEqual([...faults, ...second.faults], []);
  await second.context.close();
  await context.close();
});

test("the timeline shows details of what is clicked, and has a row for each thread", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begin();
  await open(page, "timeline", `?s=${full}`);
  const name = page.locator(".lane-name.cap").first();
  // Rows move as spans arrive above them.
  await name.waitFor();
  await rests(page);
  const row = await name.boundingBox();
  assert.ok(row);
  await page.mouse.click(row.x + 600, row.y + row.height / 2);
  await page.locator(".details").getByText("Events around it").waitFor();
  await page.locator(".details .events li").first().waitFor();
  await page.locator(".details").getByText("Duration").waitFor();
  await screenshot(page, "timeline-details");
  await page.keyboard.press("Escape");
  await page.locator(".details").waitFor({ state: "hidden" });
  await page.getByRole("button", { name: /Threads/ }).click();
  await page.locator(".lane-name.thread").filter({ hasText: "worker number 2" }).waitFor();
  await until(async () => (await pixels(page, { blocked: "#8C8C8C" })).blocked > 100, "threads that are blocked");
  await rests(page);
  await screenshot(page, "timeline-threads");
  // Both together, with something that runs.
  await page.getByLabel("Order of the threads").selectOption("run_time");
  const cap = await name.boundingBox();
  assert.ok(cap);
  await page.mouse.click(cap.x + 420, cap.y + cap.height / 2);
  await page.locator(".details .events li").first().waitFor();
  const details = page.locator(".details");
  for (let n = 0; n < 40 && !(await details.locator("dd").first().innerText()).includes("mutator"); n++) {
    const shown = await details.locator(".facts").innerText();
    await details.getByRole("button", { name: "After it" }).click();
    await until(async () => (await details.locator(".facts").innerText()) !== shown, "the next interval");
  }
  await page.mouse.move(60, 600);
  await page.locator(".lane-name.thread").first().getByText("main loop").waitFor();
  await rests(page);
  await screenshot(page, "timeline-threads-details");
  assert.deepEqual(faults, []);
  await context.close();
});

/**
 * Shows a range at once; how many tiles its first frame lacks.
 * @param {import("playwright-core").Page} page
 * @param {number} from
 * @param {number} to
 */
const look = (page, from, to) => page.locator(".page.timeline").evaluate(async (node, [module, a, b]) => {
  const { view } = /** @type {{ view: import("../app/timeline/view.js").View }} */ (/** @type {unknown} */ (node));
  const { state } = await import(String(module));
  const drawn = view.frames.length;
  state.look(a, b);
  while (view.frames.length === drawn) await new Promise(requestAnimationFrame);
  return view.tiles.lacking;
}, /** @type {const} */ (["/app/state.js", from, to]));

test("the tiles of the next step are loaded ahead, and give way to what is visible", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begin();
  await open(page, "timeline", `?s=${full}`);
  await rests(page);
  const end = await page.evaluate(async (module) => (await import(module)).state.session.end, "/app/state.js");
  // Zoom in to the middle, move, zoom out.
  assert.equal(await look(page, end / 4, (end / 4) * 3), 0);
  await rests(page);
  assert.equal(await look(page, end / 2, end), 0);
  await rests(page);
  assert.equal(await look(page, 0, end), 0);
  await rests(page);
  // From now on the server does not answer.
  /** @type {import("playwright-core").Request[]} */
  const failed = [];
  page.on("requestfailed", (request) => failed.push(request));
  /** @type {import("playwright-core").Route[]} */
  const held = [];
  await page.route("**/tiles", (route) => void held.push(route));
  assert.equal(await look(page, (end / 8) * 3, (end / 8) * 5), 0);
  await until(() => held.length > 0, "requests for the next step");
  const ahead = held.map((route) => route.request());
  assert.ok(await look(page, end / 2, end / 2 + end / 64) > 0);
  await until(() => ahead.every((request) => failed.includes(request)), "the end of those requests");
  await until(() => held.length > ahead.length, "a request for what is visible");
  await page.unroute("**/tiles");
  for (const route of held) await route.continue().catch(() => {});
  await rests(page);
  assert.deepEqual(faults, []);
  await context.close();
});
