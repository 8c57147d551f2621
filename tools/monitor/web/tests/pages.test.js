// Tests every page with logs of a real program.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { begun, build, copied, freshDirectory, launch, monitor, open, PATIENCE, record, removed, screenshot, until, untroubled } from "./support.js";

/** @type {string} */
let directory;
/** @type {Awaited<ReturnType<typeof monitor>>} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;
/** The sessions of the full log and of the empty one. */
let full = "";
let bare = "";

before(async () => {
  directory = await freshDirectory();
  const program = await build(directory);
  const log = path.join(directory, "full.eventlog");
  await record(program, log, ["40", "first"], ["-N2", "-hT", "-i0.01"]);
  // Only the header, so that all pages are empty.
  const bytes = await readFile(log);
  const data = bytes.indexOf("datb", 0, "latin1");
  assert.ok(data > 0);
  await writeFile(path.join(directory, "bare.eventlog"), bytes.subarray(0, data + 4));
  server = await monitor([log, path.join(directory, "bare.eventlog")]);
  browser = await launch();
  await until(async () => {
    const answer = await fetch(`${server.origin}/api/sessions`, { headers: { Authorization: `Bearer ${server.token}` } });
    const sessions = /** @type {Api.Session[]} */ (await answer.json());
    full = sessions.find(({ source, name }) => `${source}${name}`.includes("full"))?.id ?? "";
    bare = sessions.find(({ source, name }) => `${source}${name}`.includes("bare"))?.id ?? "";
    return full !== "" && bare !== "" && sessions.every(({ id, ended, events }) => id === bare || (ended && events > 0));
  }, "the sessions of both files");
}, { timeout: 10 * PATIENCE });

after(async () => {
  await browser?.close();
  await server?.stop();
  await removed(directory);
});

/** @param {import("playwright-core").BrowserContextOptions} [options] */
const begin = (options) => begun(browser, server, options);

/** What each page must show of the log. @type {Record<string, (string | RegExp)[]>} */
const CONTENT = {
  overview: [/Productivity/, /Capability 1/, /subject/, "Parent process", "Allocation area"],
  timeline: ["Capability 0", "Capability 1", "Threads", "Messages, markers"],
  threads: ["main loop", "worker number 3", "answering thread", "<img src=x onerror="],
  "thread/SELF": ["main loop", /Run time/, /Blocked/, /The longest lately: \d/],
  collections: [/Generation/, /rows/],
  heap: [/\d samples/, /Band/],
  sparks: [/Converted/, /cap 0/],
  spans: ["request", "render"],
  log: ["a needle <b>in</b> the log", "round 12 of first keeps"],
  stream: [/Final until/, /Capability 1/, "events, too late to be put in order", "Lost in all"],
};

/** @param {import("playwright-core").Page} page */
async function mainThread(page) {
  await open(page, "threads", `?s=${full}`);
  await page.getByRole("row").filter({ hasText: "main loop" }).first().click();
  await page.locator(".page.thread").waitFor();
  return page.evaluate(() => location.hash.slice(2).split("?")[0]);
}

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  test(`every page shows what is in the log, ${colorScheme}`, { timeout: 10 * PATIENCE }, async () => {
    const { page, faults, context } = await begin({ colorScheme });
    const self = await mainThread(page);
    for (const [name, texts] of Object.entries(CONTENT)) {
      // Only visible rows of a table have nodes.
      const find = name === "log" ? "&find=needle|round 12" : "";
      await open(page, name.replace("thread/SELF", self), `?s=${full}${find}`);
      for (const text of texts) await page.locator("main").getByText(text).first().waitFor();
      await page.waitForTimeout(400);
      await screenshot(page, `${name.split("/")[0]}-${colorScheme}`);
      await untroubled(page);
    }
    assert.deepEqual(faults, []);
    await context.close();
  });
}

test("the page says why something is empty", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begin();
  for (const name of ["overview", "timeline", "threads", "collections", "heap", "sparks", "spans", "log", "stream"]) {
    await open(page, name, `?s=${bare}`);
    const empty = page.locator("main .empty:visible");
    // Which flag brings it; these two have nothing that a flag would bring.
    await (name === "stream" || name === "overview" ? empty : empty.filter({ hasText: /\+RTS -/ })).first().waitFor();
    // The charts have such texts also before the answer is there.
    if (name === "overview") await page.locator("main").getByText("No capability has written anything yet").waitFor();
    assert.deepEqual(await page.locator("main .trouble:visible").allTextContents(), [], name);
    await screenshot(page, `empty-${name}`);
  }
  assert.deepEqual(faults, []);
  await context.close();
});

test("what a running program has not sent yet is not missing", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begin();
  await page.evaluate(async (module) => {
    const { state } = await import(module);
    const learn = state.learn.bind(state);
    state.learn = (/** @type {Api.Session[]} */ sessions) => learn(sessions.map((session) => ({ ...session, live: true })));
    state.learn(state.sessions);
  }, "/app/state.js");
  for (const name of ["overview", "threads", "collections", "heap", "sparks", "spans", "log"]) {
    await open(page, name, `?s=${bare}`);
    await page.locator("main .empty:visible").getByText("No event has arrived yet").first().waitFor();
    assert.equal(await page.locator("main .empty:visible").filter({ hasText: /\+RTS/ }).count(), 0, name);
  }
  // It profiles its heap, but there is no sample at the very beginning.
  await open(page, "heap", `?s=${full}&from=0&to=1000`);
  await page.locator("main .empty:visible").getByText("samples come when the buffer").waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

test("what is lost and what came late are both told", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begin();
  let losses = {};
  await page.route(`**/api/s/${full}/overview`, async (route) => {
    const response = await route.fetch();
    const told = await response.json();
    await route.fulfill({ response, json: { ...told, losses: { ...told.losses, ...losses } } });
  });
  const card = page.locator(".card").filter({ has: page.locator(".card-name").getByText("Lost", { exact: true }) });
  for (const [what, texts] of /** @type {[object, string[]][]} */ ([
    [{}, ["nothing"]],
    [{ late: 7 }, ["nothing", "7 events came too late"]],
    [{ unreadable_bytes: 2048, late: 7 }, ["2.00 KiB unreadable", "hatched", "7 events came too late"]],
    [{ chunks: 3, bytes: 5120 }, ["3 chunks, 5.00 KiB", "hatched"]],
  ])) {
    losses = what;
    await open(page, "threads", `?s=${full}`);
    await open(page, "overview", `?s=${full}`);
    for (const text of texts) await card.getByText(text).first().waitFor();
    assert.equal(/late/.test(await card.innerText()), "late" in what);
  }
  assert.deepEqual(faults, []);
  await context.close();
});

test("times are seconds, or those of the wall clock, on all pages", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begin({ timezoneId: "Asia/Kolkata", permissions: ["clipboard-read", "clipboard-write"] });
  await open(page, "collections", `?s=${full}`);
  const rows = page.getByRole("table", { name: "collections" }).locator(".table-row");
  await rows.first().getByText(/^\d\.\d+ s$/).waitFor();
  const copy = () => copied(page, () => page.getByRole("button", { name: "Copy TSV" }).click());
  const before_ = await copy();
  await page.getByRole("button", { name: "Times: seconds since the start" }).click();
  const { first, wall } = await page.evaluate(async ([module, id]) => {
    const { rows: [one] } = await (await import(module)).of(id, "collections", {});
    return { first: one.from, wall: (await (await import(module)).get("/api/sessions")).find((/** @type {Api.Session} */ session) => session.id === id).wall };
  }, /** @type {const} */ (["/app/api.js", full]));
  // India is five and a half hours ahead.
  const expected = new Date(Number((BigInt(wall) + BigInt(first)) / 1000000n) + 19_800_000).toISOString().slice(11, 23);
  await rows.first().getByText(expected).waitFor();
  assert.equal(await copy(), before_, "the copy has nanoseconds");
  assert.match(await page.evaluate(() => location.hash), /clock=1/);
  await page.getByRole("link", { name: "Timeline" }).click();
  const ticks = page.locator(".tick-label");
  await ticks.filter({ hasText: /^\d\d:\d\d:\d\d/ }).nth(2).waitFor();
  // At round times of the clock: of a second or so, each a multiple of 50 ms.
  for (const text of await ticks.allInnerTexts()) assert.match(text, /^\d\d:\d\d:\d\d(\.\d[05]?)?$/);
  assert.match(await page.locator(".range-text").innerText(), /^\d\d:\d\d:\d\d\.\d+ to \d\d:/);
  await screenshot(page, "timeline-clock");
  await page.getByRole("button", { name: "Times: wall clock" }).click();
  await ticks.filter({ hasText: /ms$/ }).first().waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

test("a label with markup is text everywhere", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begin();
  for (const name of ["overview", "timeline", "threads", "log", "spans"]) {
    await open(page, name, `?s=${full}${name === "timeline" ? "&threads=1" : ""}`);
    if (name === "threads" || name === "timeline") await page.getByText("<img src=x onerror=").first().waitFor();
    await page.waitForTimeout(300);
    assert.equal(await page.locator("img, b b, script:not([src])").count(), 0, name);
  }
  assert.doesNotMatch(await page.title(), /broken/);
  assert.deepEqual(faults, []);
  await context.close();
});

test("tables copy as TSV, charts are saved as SVG and CSV", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begin({ permissions: ["clipboard-read", "clipboard-write"] });
  await open(page, "spans", `?s=${full}`);
  await page.locator(".table").first().getByText("request").first().waitFor();
  const tsv = await copied(page, () => page.locator(".table").first().getByRole("button", { name: "Copy TSV" }).click());
  await page.locator("#said").getByText(/Copied/).waitFor();
  const lines = tsv.split("\n").map((line) => line.split("\t"));
  assert.equal(lines[0][0], "Name");
  // 40 rounds, each with one request and one render in it.
  assert.deepEqual(lines.slice(1).map(([name, count]) => [name, Number(count)]).sort(), [["render", 40], ["request", 40]]);
  await open(page, "heap", `?s=${full}`);
  await page.locator(".chart-box").first().locator("path").first().waitFor();
  for (const [button, expected] of /** @type {[string, RegExp][]} */ ([["SVG", /^<svg[^>]* xmlns=.*<path/s], ["CSV", /^series,time_ns,min,max,mean,count\r\n\w+,\d+/]])) {
    const [file] = await Promise.all([page.waitForEvent("download"), page.locator(".chart-box").first().getByRole("button", { name: button }).click()]);
    assert.match(await readFile(await file.path(), "utf8"), expected);
  }
  assert.deepEqual(faults, []);
  await context.close();
});

test("spans are searched on the server, on their page and everywhere", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begin();
  await open(page, "spans", `?s=${full}`);
  const rows = page.getByRole("table", { name: "spans", exact: true });
  const counted = page.locator("section.table").filter({ has: rows }).locator(".tools .quiet");
  await counted.getByText("80 rows", { exact: true }).waitFor();
  const field = page.getByLabel("Search names with a regular expression");
  await field.fill("^rend.r$");
  await counted.getByText("40 rows", { exact: true }).waitFor();
  assert.deepEqual(await page.getByRole("table", { name: "spans by name" }).getByRole("row").filter({ hasText: "re" }).count(), 1);
  await screenshot(page, "spans-found");
  // Also in another tab.
  assert.match(await page.evaluate(() => location.hash), /find=/);
  await field.fill("[rend");
  await page.getByText("is not a regular expression").waitFor();
  await field.fill("x");
  await rows.getByText("No span with a matching name").waitFor();
  assert.equal(await page.locator("main .trouble:visible").count(), 0);
  // The pages of the log have the same syntax.
  await open(page, "overview", `?s=${full}`);
  await page.keyboard.press("/");
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("textbox").fill("^req.*t$");
  const found = dialog.getByRole("button").filter({ hasText: /^span/ });
  await found.nth(11).waitFor();
  await dialog.getByText("the longest of 40 spans").waitFor();
  assert.equal(await dialog.getByText("request").count(), 12);
  await screenshot(page, "search-spans");
  await dialog.getByRole("textbox").fill("req(");
  await dialog.getByText("is not a regular expression").waitFor();
  // The browser itself reports the refused requests.
  assert.deepEqual(faults.filter((fault) => !fault.includes("400")), []);
  await context.close();
});

test("the token is asked for, kept nowhere, and taken out of the address", { timeout: 5 * PATIENCE }, async () => {
  const { page, context, faults } = await begin();
  assert.doesNotMatch(page.url(), /token/);
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
  assert.ok(!kept.includes(server.token), kept);
  await open(page, "threads", `?s=${full}`);
  await page.reload();
  await page.getByLabel("Address or token").fill("wrong");
  await page.getByRole("button", { name: "Open" }).click();
  // The form is made again when the answer has come.
  await page.getByText("the token is not that of this monitor").waitFor();
  await page.getByLabel("Address or token").fill(server.address);
  await page.getByRole("button", { name: "Open" }).click();
  await page.locator(".page.threads").getByText("main loop").waitFor();
  // The browser itself reports the refused requests.
  assert.deepEqual(faults.filter((fault) => !fault.includes("401")), []);
  await context.close();
});

for (const [what, viewport] of /** @type {const} */ ([["a phone held sideways", { width: 844, height: 390 }], ["a large screen", { width: 2560, height: 1440 }]])) {
  test(`the pages fit ${what}`, { timeout: 5 * PATIENCE }, async () => {
    const { page, faults, context } = await begin({ viewport });
    for (const name of ["overview", "timeline", "threads", "collections", "heap", "sparks", "spans", "log", "stream"]) {
      await open(page, name, `?s=${full}`);
      await page.waitForTimeout(500);
      await screenshot(page, `${viewport.width}-${name}`);
      const wide = await page.evaluate(() => [document.documentElement.scrollWidth - innerWidth, (document.querySelector("main")?.scrollWidth ?? 0) - (document.querySelector("main")?.clientWidth ?? 0)]);
      assert.deepEqual(wide, [0, 0], `${name} is wider than the screen`);
      assert.ok(await page.locator("nav a[aria-current]").isVisible());
    }
    assert.deepEqual(faults, []);
    await context.close();
  });
}
