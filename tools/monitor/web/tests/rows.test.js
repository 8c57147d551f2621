// Tests what the rows of the timeline show besides states: spans, markers, arrows.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { begun, beside, build, copied, freshDirectory, launch, monitor, open, PATIENCE, pixels, record, removed, rests, screenshot, until } from "./support.js";

/** @type {string} */
let directory;
/** @type {Awaited<ReturnType<typeof monitor>>} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;
/** The session of the log, and of one with the spans of many threads. */
let full = "";
let crowd = "";
let many = "";

before(async () => {
  directory = await freshDirectory();
  const [log, spans, threads] = ["full", "crowd", "many"].map((name) => path.join(directory, `${name}.eventlog`));
  const program = await build(directory);
  await record(program, log, ["40", "first"], ["-N2", "-hT", "-i0.01"]);
  await record(program, spans, ["2", "crowd"], ["-N2"]);
  await record(program, threads, ["2", "many"], ["-N2"]);
  server = await monitor([log, spans, threads]);
  browser = await launch();
  await until(async () => {
    const answer = await fetch(`${server.origin}/api/sessions`, { headers: { Authorization: `Bearer ${server.token}` } });
    const sessions = /** @type {Api.Session[]} */ (await answer.json());
    [full, crowd, many] = ["full", "crowd", "many"].map((name) => sessions.find((session) => session.name === name)?.id ?? "");
    return sessions.length === 3 && sessions.every(({ ended }) => ended);
  }, "the whole logs");
}, { timeout: 10 * PATIENCE });

after(async () => {
  await browser?.close();
  await server?.stop();
  await removed(directory);
});

const begin = () => begun(browser, server);

test("all threads are copied, not only those that are loaded", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begun(browser, server, { permissions: ["clipboard-read", "clipboard-write"], viewport: { width: 1280, height: 360 } });
  const asked = page.waitForResponse(/threads\?.*limit=/);
  await open(page, "threads", `?s=${many}`);
  const { total, rows } = /** @type {Api.Threads} */ (await (await asked).json());
  assert.ok(total > rows.length, `${rows.length} of ${total} threads are loaded`);
  await page.locator(".page.threads .table-row").first().waitFor();
  const text = await copied(page, () => page.getByRole("button", { name: "Copy TSV" }).click());
  const [head, ...lines] = text.split("\n").map((line) => line.split("\t"));
  assert.equal(head[0], "Id");
  assert.equal(lines.length, total);
  assert.equal(new Set(lines.map(([id]) => id)).size, total);
  assert.deepEqual(faults, []);
  await context.close();
});

test("all rows of spans can be unfolded, and the capabilities are below a few", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begin();
  await open(page, "timeline", `?s=${crowd}`);
  const head = page.locator(".lane-name.spans");
  // Two for each of the 40 jobs, and two of the main loop.
  await head.getByText("12 of 82 rows").waitFor();
  await rests(page);
  await screenshot(page, "timeline-spans");
  const cap = await page.locator(".lane-name.cap").last().boundingBox();
  assert.ok(cap && cap.y + cap.height < 720, "the capabilities are visible");
  const fold = page.getByRole("button", { name: "Spans" });
  assert.equal(await fold.getAttribute("aria-expanded"), "false");
  await fold.click();
  await head.getByText("82 rows", { exact: true }).waitFor();
  assert.equal(await fold.getAttribute("aria-expanded"), "true");
  assert.match(await page.evaluate(() => location.hash), /spans=1/);
  // By scrolling, each of them.
  /** @type {Set<string>} */
  const names = new Set();
  const scroller = page.locator(".lanes-scroll");
  for (let top = 0; names.size < 41 && top < 4000; top += 300) {
    await scroller.evaluate((node, to) => node.scrollTo(0, to), top);
    await rests(page);
    for (const name of await page.locator(".lane-name.span").allInnerTexts()) if (name) names.add(name.replace(/ \(\d+\)$/, ""));
  }
  assert.deepEqual([...names].sort(), [...Array.from({ length: 40 }, (_, n) => `job ${n + 1}`), "main loop"].sort());
  assert.deepEqual(faults, []);
  await context.close();
});

test("a click on a span or a marker says what is known about it", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begin();
  await open(page, "timeline", `?s=${full}`);
  await page.locator(".lane-name.span").first().waitFor();
  await rests(page);
  const place = await page.locator(".page.timeline").evaluate((node) => {
    const { view } = /** @type {{ view: import("../app/timeline/view.js").View }} */ (/** @type {unknown} */ (node));
    const box = view.scroller.getBoundingClientRect();
    const [row, marks] = [view.rows.fixed.find(({ kind }) => kind === "span"), view.rows.fixed.find(({ kind }) => kind === "marks")];
    const span = row?.spans?.[3];
    if (!row || !marks || !span) throw new Error("there is no span");
    const left = view.canvas.getBoundingClientRect().left;
    return { span, x: left + view.x((span.from + (span.to ?? span.from)) / 2), y: box.top + row.y + row.height / 2, mark: { x: left + view.x(view.data.marks[1].time), y: box.top + marks.y + marks.height / 2 } };
  });
  await page.mouse.click(place.x, place.y);
  const details = page.locator(".details");
  await details.getByRole("heading", { name: place.span.name }).waitFor();
  for (const text of ["Duration", "Running", "Collecting", "main loop"]) await details.getByText(text).first().waitFor();
  await screenshot(page, "timeline-span");
  // The same address shows the same.
  const there = await page.evaluate(() => location.hash);
  const second = await beside(browser, server);
  await open(second.page, "timeline", there.replace("#/timeline", ""));
  await second.page.locator(".details").getByRole("heading", { name: place.span.name }).waitFor();
  await second.context.close();
  await page.keyboard.press("Escape");
  await details.waitFor({ state: "hidden" });
  await rests(page);
  await page.mouse.click(place.mark.x, place.mark.y);
  await details.locator(".events").getByText("phase two").waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

test("what a capability does is told by keyboard alone", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begin();
  await open(page, "timeline", `?s=${full}`);
  const name = page.getByRole("button", { name: "Capability 1" });
  await name.waitFor();
  await rests(page);
  await name.focus();
  await page.keyboard.press("Enter");
  const details = page.getByRole("complementary", { name: "Details of the selection" });
  /** @param {string} key */
  const fact = (key) => details.locator("dt").filter({ hasText: new RegExp(`^${key}$`) }).locator("+ dd").innerText();
  await details.getByRole("heading", { name: "Capability 1" }).waitFor();
  const before_ = await fact("To");
  await details.getByRole("button", { name: "After it" }).focus();
  // The next interval begins where this one ends, and the button keeps the focus.
  await page.keyboard.press("Enter");
  await until(async () => (await fact("From")) === before_, "the next interval");
  const second = await fact("To");
  await page.keyboard.press("Enter");
  await until(async () => (await fact("From")) === second, "the one after it");
  await details.getByRole("button", { name: "Before it" }).focus();
  await page.keyboard.press("Enter");
  await until(async () => (await fact("To")) === second, "the one before it");
  assert.deepEqual(faults, []);
  await context.close();
});

test("wake-ups, migrations and the owners of black holes are arrows", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begin();
  const kinds = { wakeup: "#16191d", migration: "#A050C0", blackhole: "#D00000" };
  let kind = "";
  const end = await page.evaluate(async (module) => (await import(module)).state.sessions[0].end, "/app/state.js");
  // One at a time: of main (5) and the thread that answers (6).
  await page.route("**/arrows?*", (route) => route.fulfill({ json: {
    total: kind ? 1 : 0, rows: kind ? [{ kind, time: Math.round(end / 2), from_cap: 0, to_cap: kind === "blackhole" ? null : 1, thread: 5, by: 6 }] : [],
  } }));
  /** @param {string} query */
  const drawn = async (query) => {
    await open(page, "overview", `?s=${full}`);
    await open(page, "timeline", `?s=${full}${query}`);
    if (query) await page.locator(".lane-name.thread").getByText("6 answering thread").waitFor();
    await rests(page);
    return pixels(page, kinds, "canvas.over");
  };
  assert.deepEqual(await drawn(""), { wakeup: 0, migration: 0, blackhole: 0 });
  for (kind of ["wakeup", "migration"]) {
    const seen = await drawn("");
    for (const [name, count] of Object.entries(seen)) assert.equal(count > 5, name === kind, `${kind}: ${JSON.stringify(seen)}`);
  }
  // Where its owner was is not known, but its row is.
  kind = "blackhole";
  assert.equal((await drawn("")).blackhole, 0);
  await page.getByText("unfold the threads to see all of them").waitFor();
  assert.ok((await drawn("&threads=1")).blackhole > 5);
  await screenshot(page, "timeline-arrow");
  await page.locator(".timeline-tools").getByText("1 to the owner of a black hole").waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

test("after the last thread nothing is unknown about threads", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begin();
  const end = await page.evaluate(async ([module, id]) => (await import(module)).state.sessions.find((/** @type {Api.Session} */ one) => one.id === id).end, /** @type {const} */ (["/app/state.js", full]));
  // As if all had finished in the middle: the others of these threads end too late, or not at all.
  const ended = Math.round(end / 2);
  await page.route("**/rows", async (route) => {
    const response = await route.fetch();
    const told = await response.json();
    await route.fulfill({ response, json: { ...told, threads: { ...told.threads, ended } } });
  });
  await open(page, "timeline", `?s=${full}&from=${ended + 1000}&to=${end}`);
  await page.locator(".lane-name.threads").waitFor();
  await rests(page);
  const hatched = await page.locator(".page.timeline").evaluate((node) => {
    const { view } = /** @type {{ view: import("../app/timeline/view.js").View }} */ (/** @type {unknown} */ (node));
    const row = view.rows.fixed.find(({ kind }) => kind === "threads");
    if (!row) throw new Error("there is no row of threads");
    const copy = new OffscreenCanvas(view.canvas.width, view.canvas.height);
    const context_ = /** @type {OffscreenCanvasRenderingContext2D} */ (copy.getContext("2d"));
    context_.drawImage(view.canvas, 0, 0);
    const { data } = context_.getImageData(0, row.y, view.canvas.width, row.height);
    let coloured = 0;
    for (let n = 0; n < data.length; n += 4) if (data[n] !== 255 || data[n + 1] !== 255 || data[n + 2] !== 255) coloured++;
    return coloured;
  });
  assert.equal(hatched, 0);
  assert.deepEqual(faults, []);
  await context.close();
});
