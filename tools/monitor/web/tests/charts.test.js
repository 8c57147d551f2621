// Reads the values of every kind of chart with the keyboard alone, and compares them with its CSV file.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { count, duration, percent, quantity } from "../app/format.js";
import { chart, tabTo, tells, times, valueOf } from "./chart.js";
import { begun, build, freshDirectory, launch, monitor, open, PATIENCE, record, removed, rests, screenshot, until, whole } from "./support.js";

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
  await record(await build(directory), log, ["40", "first"], ["-N2", "-hT", "-i0.01"]);
  server = await monitor([log]);
  browser = await launch();
  full = await whole(server);
}, { timeout: 10 * PATIENCE });

after(async () => {
  await browser?.close();
  await server?.stop();
  await removed(directory);
});

test("lines: each value of each line is read, with its unit", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begun(browser, server);
  await open(page, "heap", `?s=${full}`);
  const { area, csv, told, press, box } = await chart(page, "Sizes");
  const { rows } = await csv();
  const names = [...new Set(rows.map(([name]) => name))];
  assert.ok(names.length > 1);
  await tabTo(page, area);
  /** @param {number} time */
  const all = (time) => `TIME: ${names.flatMap((name) => rows.filter((row) => row[0] === name && Number(row[1]) <= time).slice(-1).map((row) => valueOf(row, "B"))).join("; ")}`;
  const every = times(rows, 1);
  tells(await press("ArrowRight"), every[0], all(every[0]));
  tells(await press("ArrowRight"), every[1], all(every[1]));
  tells(await press("End"), every[every.length - 1], all(every[every.length - 1]));
  tells(await press("ArrowLeft"), every[every.length - 2], all(every[every.length - 2]));
  tells(await press("Home"), every[0], all(every[0]));
  tells(await press("PageDown"), every[10], all(every[10]));
  assert.match(await told(), /\d [KMG]iB/);
  // The same beside the chart, as with the mouse.
  const shown = box.locator(".chart-told.shown");
  for (const name of names) await shown.getByText(name, { exact: true }).waitFor();
  // It is still there when the page has loaded again.
  await Promise.all([page.waitForResponse(/series/), page.evaluate(async (module) => (await import(module)).state.tell("range"), "/app/state.js")]);
  await page.waitForTimeout(300);
  await shown.waitFor();
  await screenshot(page, "chart-keyboard");
  // One line alone.
  await press("Home");
  await press("ArrowDown");
  for (const name of names) {
    const own = rows.filter((row) => row[0] === name);
    const fits = (/** @type {string} */ text, /** @type {string[]} */ row) => tells(text, Number(row[1]), `${valueOf(row, "B")}, TIME`);
    await page.keyboard.press("Home");
    fits(await told(), own[0]);
    fits(await press("End"), own[own.length - 1]);
    fits(await press("ArrowLeft"), own[own.length - 2]);
    assert.match(await shown.locator(".chosen").innerText(), new RegExp(name));
    if (name !== names[names.length - 1]) await press("ArrowDown");
  }
  // Only the arrows of the chart: the range is the same.
  assert.doesNotMatch(await page.evaluate(() => location.hash), /from=/);
  await page.keyboard.press("Escape");
  await shown.waitFor({ state: "hidden" });
  assert.equal(await told(), "");
  assert.equal(await area.evaluate((node) => node.contains(document.activeElement)), false);
  // And now they move through time again.
  await page.keyboard.press("w");
  await page.keyboard.press("ArrowLeft");
  await until(async () => /from=/.test(await page.evaluate(() => location.hash)), "another range");
  assert.equal(await told(), "");
  assert.deepEqual(faults, []);
  await context.close();
});

test("rates: each value of sparks is read, with its unit", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begun(browser, server);
  await open(page, "sparks", `?s=${full}`);
  for (const [title, unit] of [["Created", "sparks/s"], ["Pool", "sparks"]]) {
    const { area, csv, press } = await chart(page, title);
    const { rows } = await csv();
    await tabTo(page, area);
    await press("Home");
    await press("ArrowDown");
    const own = rows.filter(([name]) => name === "cap 0");
    const texts = [await press("End"), await press("ArrowLeft"), await press("ArrowLeft")];
    for (const [n, row] of own.slice(-3).reverse().entries()) tells(texts[n], Number(row[1]), `${valueOf(row, unit)}, TIME`);
  }
  assert.deepEqual(faults, []);
  await context.close();
});

test("pauses: each one is read", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begun(browser, server);
  await open(page, "collections", `?s=${full}`);
  const { area, csv, press } = await chart(page, "Pauses");
  const { rows } = await csv();
  await tabTo(page, area);
  for (const row of rows.slice(0, 5)) tells(await press("ArrowRight"), Number(row[1]), `TIME: ${valueOf(row, "ns")}`);
  assert.deepEqual(faults, []);
  await context.close();
});

for (const way of ["stacked", "lines", "share"]) {
  test(`a heap profile, ${way}: each band of each sample is read`, { timeout: 5 * PATIENCE }, async () => {
    const { page, faults, context } = await begun(browser, server);
    await open(page, "heap", `?s=${full}`);
    await chart(page, "Profile");
    await page.getByLabel("How the profile is drawn").selectOption(way);
    const { area, csv, told, press, box } = await chart(page, "Profile");
    const { head: [, ...names], rows } = await csv();
    await tabTo(page, area);
    const samples = rows.map(([time, ...values]) => {
      const total = values.reduce((sum, value) => sum + Number(value), 0);
      return { time: Number(time), total, values: values.map((value, n) => `${names[n]} ${quantity(Number(value), "B")}, ${percent(total ? Number(value) / total : 0)}`) };
    });
    for (const { time, total } of samples) {
      const text = await press("ArrowRight");
      tells(text.replace(/;.*/, ""), time, `TIME: all ${quantity(total, "B")}`);
    }
    // From the highest band to the lowest one, and back to all of them.
    const last = samples[samples.length - 1];
    for (const value of last.values.slice().reverse()) tells(await press("ArrowDown"), last.time, `${value}, TIME`);
    await page.keyboard.press("ArrowDown");
    tells(await told(), last.time, `${last.values[0]}, TIME`);
    const before_ = samples[samples.length - 2];
    tells(await press("ArrowLeft"), before_.time, `${before_.values[0]}, TIME`);
    await box.locator(".told.chosen").getByText(names[0], { exact: true }).waitFor();
    await screenshot(page, `chart-keyboard-${way}`);
    for (let n = 1; n < names.length; n++) await press("ArrowUp");
    assert.match(await press("ArrowUp"), / all /);
    assert.deepEqual(faults, []);
    await context.close();
  });
}

test("histograms: each bucket of each group is read", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begun(browser, server);
  await open(page, "spans", `?s=${full}`);
  const { area, csv, press, told, box } = await chart(page, "Lengths");
  const { rows } = await csv();
  const names = [...new Set(rows.map(([name]) => name))];
  assert.ok(names.length > 1);
  await tabTo(page, area);
  for (const from of times(rows, 1)) {
    const there = rows.filter((row) => Number(row[1]) === from);
    assert.equal(await press("ArrowRight"), `${duration(from)} to ${duration(Number(there[0][2]))}: ${there.map(([name, , , n]) => `${name} ${count(Number(n))} spans`).join("; ")}`);
  }
  await press("Home");
  await press("ArrowDown");
  await page.keyboard.press("Home");
  for (const [n, [name, from, to, number]] of rows.filter((row) => row[0] === names[0]).entries()) {
    if (n) await press("ArrowRight");
    assert.equal(await told(), `${name} ${count(Number(number))} spans, ${duration(Number(from))} to ${duration(Number(to))}`);
  }
  await screenshot(page, "chart-keyboard-histogram");
  await page.keyboard.press("Escape");
  // With the mouse it is the same.
  const bar = await box.locator("svg rect").first().boundingBox();
  assert.ok(bar);
  await page.mouse.move(bar.x + bar.width / 2, bar.y + bar.height / 2);
  await box.locator(".chart-told.shown").getByText(`${count(Number(rows[0][3]))} spans`).first().waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

test("a waterfall: each span of each row is read", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begun(browser, server);
  await open(page, "spans", `?s=${full}`);
  const { area, csv, press } = await chart(page, "Waterfall");
  const { rows } = await csv();
  await tabTo(page, area);
  /** @param {string[]} row */
  const span = ([name, , from, to]) => `${name} ${duration(Number(to) - Number(from))}`;
  tells(await press("Home"), Number(rows[0][2]), `TIME: ${span(rows[0])}`);
  // In the first row are the requests, in the second one what is inside of them.
  for (const name of ["request", "render"]) {
    await press("ArrowDown");
    await page.keyboard.press("Home");
    await press("End");
    const own = rows.filter((row) => row[0] === name);
    for (const row of own.slice(-6, -1).reverse()) tells(await press("ArrowLeft"), Number(row[2]), `${span(row)}, TIME`);
  }
  await screenshot(page, "chart-keyboard-waterfall");
  assert.deepEqual(faults, []);
  await context.close();
});

test("shares: each state of each capability is read, and each reason of a wait", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begun(browser, server);
  await open(page, "overview", `?s=${full}`);
  const { area, csv, press, told, box } = await chart(page, "Capabilities");
  const { head, rows } = await csv();
  assert.deepEqual(head, ["capability", "state", "share"]);
  await tabTo(page, area);
  const states = [...new Set(rows.map(([, state]) => state))];
  for (const state of states) {
    const mean = rows.filter((row) => row[1] === state).reduce((sum, row) => sum + Number(row[2]), 0) / 2;
    assert.equal(await press("ArrowRight"), `${state} ${percent(mean)}, All capabilities`);
  }
  for (const cap of ["Capability 0", "Capability 1"]) {
    await press("ArrowDown");
    await page.keyboard.press("Home");
    for (const [n, [name, state, share]] of rows.filter(([name_, , share_]) => name_ === cap && Number(share_) > 0).entries()) {
      if (n) await press("ArrowRight");
      assert.equal(await told(), `${state} ${percent(Number(share))}, ${name}`);
    }
  }
  await box.locator(".told.chosen").getByText("idle").waitFor();
  await screenshot(page, "chart-keyboard-shares");
  await open(page, "threads", `?s=${full}`);
  await page.getByRole("row").filter({ hasText: "main loop" }).first().click();
  await page.locator(".page.thread").waitFor();
  const waits = await chart(page, "Blocked");
  const [[reason, , ns]] = (await waits.csv()).rows;
  await tabTo(page, waits.area);
  await page.keyboard.press("ArrowDown");
  assert.match(await waits.told(), /^blocked \d/);
  assert.equal(reason, "mvar");
  await waits.box.locator("svg").getByText(duration(Number(ns)), { exact: true }).waitFor();
  await screenshot(page, "chart-keyboard-blocked");
  assert.deepEqual(faults, []);
  await context.close();
});

test("values are drawn for as long as they hold", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begun(browser, server);
  await open(page, "heap", `?s=${full}`);
  /** Where the drawn parts begin and end, in pixels. @param {import("playwright-core").Locator} box */
  const drawn = (box) => box.locator("svg g path").first().evaluate((path_) => {
    const { x, width } = /** @type {SVGPathElement} */ (path_).getBBox();
    return { from: x, to: x + width };
  });
  // The newest sample of a profile can be seen.
  const profile = await chart(page, "Profile");
  await tabTo(page, profile.area);
  await profile.press("End");
  const line = profile.box.locator("line.cursor");
  const newest = Number(await line.getAttribute("x1"));
  await profile.press("ArrowLeft");
  const last = Number(await line.getAttribute("x1"));
  const { to } = await drawn(profile.box);
  const end = (await profile.box.locator("svg").evaluate((svg) => svg.clientWidth)) - 8;
  assert.ok(Math.abs(to - Math.min(end, newest + (newest - last))) < 2, `${to} after ${last} and ${newest}`);
  // The first rate is that since the beginning.
  const rate = await chart(page, "Allocation");
  await tabTo(page, rate.area);
  await rate.press("Home");
  const first = Number(await rate.box.locator("line.cursor").getAttribute("x1"));
  const { from } = await drawn(rate.box);
  assert.ok(from < first - 2, `a rate until ${first} that begins at ${from}`);
  assert.deepEqual(faults, []);
  await context.close();
});

test("a chart shows what is under the pointer", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begun(browser, server);
  await open(page, "overview", `?s=${full}`);
  const { box } = await chart(page, "Activity");
  const area = await box.locator(".chart-area").boundingBox();
  assert.ok(area);
  for (const x of [area.x + 90, area.x + area.width - 20]) {
    await page.mouse.move(x, area.y + 40);
    await until(async () => {
      const line = await box.locator("line.cursor").boundingBox();
      return line != null && Math.abs(line.x - x) < 1.5;
    }, `the line at ${x}`);
  }
  assert.deepEqual(faults, []);
  await context.close();
});

test("the activity above the timeline is read, and keys zoom at the value", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begun(browser, server);
  const [response] = await Promise.all([page.waitForResponse(/series\?names=activity&.*points=600/), open(page, "timeline", `?s=${full}`)]);
  const points = /** @type {Api.SeriesAnswer} */ (await response.json()).names.activity.points;
  const lanes = page.locator(".ruler-lanes[tabindex]");
  await lanes.waitFor();
  await rests(page);
  const told = page.locator(".ruler .value-told");
  const begin = await page.evaluate(async (module) => (await import(module)).state.range.from, "/app/state.js");
  await tabTo(page, lanes);
  for (const [time, , , share] of points.slice(0, 5)) {
    const before_ = await told.innerText();
    await page.keyboard.press("ArrowRight");
    await until(async () => (await told.innerText()) !== before_, "the next value");
    tells(await told.innerText(), Math.max(begin, time), `TIME, ${percent(share)} active`);
  }
  await page.locator(".cursor-time").getByText("active").waitFor();
  await page.keyboard.press("w");
  await until(async () => {
    const hash = new URLSearchParams((await page.evaluate(() => location.hash)).split("?")[1]);
    return Number(hash.get("from")) <= points[4][0] && Number(hash.get("to")) < points[points.length - 1][0] * 0.8;
  }, "closer to the value");
  await page.keyboard.press("Escape");
  await page.locator(".cursor-time").waitFor({ state: "hidden" });
  assert.deepEqual(faults, []);
  await context.close();
});
