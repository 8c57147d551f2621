// Tests the heap page with profiles of all kinds: of logs, and of .hp files.
import assert from "node:assert/strict";
import { appendFile, copyFile, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { begun, copied, freshDirectory, launch, monitor, open, PATIENCE, removed, root, run, screenshot, until } from "./support.js";

/** @type {string} */
let directory;
/** @type {Awaited<ReturnType<typeof monitor>>} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;
/** Sessions by name. @type {Record<string, Api.Session>} */
let sessions = {};
/** Whether this GHC can build for profiling. */
let profiling = true;

/**
 * Builds the program, runs it once for each profile, and returns the files.
 * @param {string} way
 * @param {string[]} ghc
 * @param {[string, string[]][]} runs name and flags
 */
async function profiles(way, ghc, runs) {
  const program = path.join(directory, way);
  await run("ghc", ["-v0", "-O", "-eventlog", "-rtsopts", "-outputdir", path.join(directory, `${way}.o`), "-o", program, ...ghc, path.join(root, "formats/events/corpus/Heap.hs")],
    { timeout: 10 * PATIENCE });
  const files = [];
  for (const [name, flags] of runs) {
    const log = path.join(directory, `${name}.eventlog`);
    // GHC 9.0.2 can crash in longer profiles by biography.
    const [rounds, every] = flags.includes("-hb") ? ["24", "-i0.02"] : ["120", "-i0.01"];
    await run(program, [rounds, "20000", "+RTS", "-l", `-ol${log}`, every, ...flags], { cwd: directory, timeout: 2 * PATIENCE });
    const text = path.join(directory, `${name}.hp`);
    await copyFile(`${program}.hp`, text);
    files.push(log, text);
  }
  return files;
}

before(async () => {
  directory = await freshDirectory();
  const files = await profiles("plain", [], [["types", ["-hT"]]]);
  try {
    files.push(...await profiles("prof", ["-prof", "-fprof-auto-top"], [["centres", ["-hc"]], ["biography", ["-hb"]]]));
  } catch (error) {
    if (!/profiling libraries/.test(String(error))) throw error;
    profiling = false;
  }
  await writeFile(path.join(directory, "grows.hp"), "");
  // Of GHC 9.10: the one that runs these tests may be too old for -hi.
  const info = path.join(path.dirname(fileURLToPath(import.meta.url)), "heap-i.eventlog");
  server = await monitor([...files, info, path.join(directory, "grows.hp")]);
  browser = await launch();
  await until(async () => {
    sessions = await all();
    const read = Object.values(sessions).filter(({ ended, heap_file: file }) => ended || (file?.samples ?? 0) > 2);
    return read.length === files.length + 1;
  }, "all sessions");
}, { timeout: 10 * PATIENCE });

after(async () => {
  await browser?.close();
  await server?.stop();
  await removed(directory);
});

/** @returns {Promise<Record<string, Api.Session>>} */
async function all() {
  const answer = await fetch(`${server.origin}/api/sessions`, { headers: { Authorization: `Bearer ${server.token}` } });
  const list = /** @type {Api.Session[]} */ (await answer.json());
  return Object.fromEntries(list.map((session) => [session.name, session]));
}

/** @param {import("playwright-core").BrowserContextOptions} [options] */
const begin = (options) => begun(browser, server, options);

/**
 * @param {import("playwright-core").Page} page
 * @param {string} session
 */
async function heapOf(page, session) {
  await open(page, "heap", `?s=${sessions[session].id}`);
  await page.locator(".page.heap .chart path").first().waitFor({ state: "attached" });
}

/**
 * The rows of a table, as they are copied, once it has some.
 * @param {import("playwright-core").Page} page
 * @param {string} label
 */
async function rowsOf(page, label) {
  const section = page.locator("section.table").filter({ has: page.locator(`[aria-label="${label}"]`) });
  await section.locator(".table-row").first().waitFor({ state: "attached" });
  const text = await copied(page, () => section.getByRole("button", { name: "Copy TSV" }).click());
  const [, ...rows] = text.split("\n").map((line) => line.split("\t"));
  return rows;
}

/** The last sample of a file that has bands. @param {string} name */
async function lastSample(name) {
  const text = await readFile(path.join(directory, name), "utf8");
  const samples = text.split("BEGIN_SAMPLE").slice(1).map((sample) => sample.split("\n").slice(1).filter((line) => line.includes("\t")));
  const last = samples.filter((bands) => bands.length).at(-1) ?? [];
  return new Map(last.map((line) => /** @type {[string, number]} */ ([line.split("\t")[0], Number(line.split("\t")[1])])));
}

for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
  test(`a .hp file has the same heap page as a log, ${colorScheme}`, { timeout: 5 * PATIENCE }, async () => {
    const { page, faults, context } = await begin({ colorScheme, permissions: ["clipboard-read", "clipboard-write"] });
    await heapOf(page, "types.hp");
    const main = page.locator("main");
    await main.getByText("closure type (-hT)").first().waitFor();
    await main.getByText("that the program itself has run").waitFor();
    await main.getByText(/^plain/).first().waitFor();
    const expected = await lastSample("types.hp");
    const rows = await rowsOf(page, "bands");
    assert.ok(rows.length > 5);
    for (const [name, newest] of rows) assert.equal(Number(newest), expected.get(name) ?? 0, name);
    for (const [way, drawn] of [["lines", ".chart path[fill='none']"], ["share", ".chart path:not([fill='none'])"], ["stacked", ".chart path:not([fill='none'])"]]) {
      await page.getByLabel("How the profile is drawn").selectOption(way);
      await page.locator(drawn).first().waitFor({ state: "attached" });
    }
    // The difference between the first and the last sample.
    await page.getByLabel("Later moment").waitFor();
    assert.ok((await rowsOf(page, "differences")).length > 0);
    await page.locator("#said").getByText(/Copied/).waitFor({ state: "hidden" });
    await page.locator("main").evaluate((node) => node.scrollTo(0, 0));
    await screenshot(page, `hp-heap-${colorScheme}`);
    await page.locator("main").evaluate((node) => node.scrollTo(0, node.scrollHeight));
    await screenshot(page, `hp-heap-below-${colorScheme}`);
    for (const name of ["overview", "timeline", "threads", "collections", "sparks", "spans", "log", "stream"]) {
      await open(page, name, `?s=${sessions["types.hp"].id}`);
      await main.getByText("a .hp file holds heap samples only").waitFor();
      await main.getByText("+RTS -l").first().waitFor();
    }
    await screenshot(page, `hp-other-${colorScheme}`);
    await main.getByRole("button", { name: "Show the heap" }).click();
    await page.locator(".page.heap .chart path").first().waitFor({ state: "attached" });
    assert.deepEqual(faults, []);
    await context.close();
  });
}

test("a .hp file that grows is followed", { timeout: 5 * PATIENCE }, async () => {
  const text = await readFile(path.join(directory, "types.hp"), "utf8");
  const ends = [...text.matchAll(/END_SAMPLE .*\n/g)].map((match) => match.index + match[0].length);
  const file = path.join(directory, "grows.hp");
  // The first sample is always empty.
  await appendFile(file, text.slice(0, ends[3]));
  await until(async () => (sessions = await all())["grows.hp"]?.heap_file?.samples === 4, "the first samples");
  // Not earlier: the page would ask for what an empty file could still have been.
  const { page, faults, context } = await begin();
  await heapOf(page, "grows.hp");
  await page.locator("main").getByText("3 samples").waitFor();
  await page.locator("header .badge").getByText("live").waitFor();
  // Up to the middle of a sample.
  await appendFile(file, text.slice(ends[3], ends[5] + 40));
  await page.locator("main").getByText("5 samples").waitFor();
  await appendFile(file, text.slice(ends[5] + 40, ends[7]));
  await page.locator("main").getByText("7 samples").waitFor();
  assert.deepEqual(faults, []);
  await context.close();
});

test("cost-centre stacks are a tree, callers first", { timeout: 5 * PATIENCE }, async (t) => {
  if (!profiling) {
    t.skip("this GHC has no libraries for profiling");
    return;
  }
  const { page, faults, context } = await begin({ permissions: ["clipboard-read", "clipboard-write"] });
  await heapOf(page, "centres");
  const tree = page.getByRole("treegrid", { name: "cost-centre stacks" });
  await tree.getByText("MAIN").first().waitFor();
  await page.getByRole("button", { name: "Open all" }).click();
  const expected = await lastSample("centres.hp");
  const total = [...expected.values()].reduce((sum, value) => sum + value, 0);
  const rows = await rowsOf(page, "cost-centre stacks");
  // Inclusive of the root, and own of all together.
  assert.equal(rows[0][0], "MAIN");
  assert.equal(Number(rows[0][1]), total);
  assert.equal(rows.reduce((sum, row) => sum + Number(row[3]), 0), total);
  // The last sample may be of a moment when nothing was left.
  const time = page.locator("section").filter({ has: tree }).locator(".tools .quiet").first();
  const slider = page.getByLabel("Moment of the tree");
  /** @param {string[][]} list */
  const isDeep = (list) => list.some(([stack]) => stack.startsWith("MAIN/") && stack.split("/").length > 2);
  let found = isDeep(rows);
  for (let n = Number(await slider.inputValue()) - 1; n >= 0 && !found; n--) {
    const shown = await time.innerText();
    await slider.fill(String(n));
    await until(async () => (await time.innerText()) !== shown, "an earlier sample");
    await page.getByRole("button", { name: "Open all" }).click();
    found = isDeep(await rowsOf(page, "cost-centre stacks"));
  }
  assert.ok(found, "stacks of several frames");
  await tree.scrollIntoViewIfNeeded();
  await page.waitForTimeout(300);
  await screenshot(page, "heap-tree");
  // By keyboard.
  await tree.focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowLeft");
  await until(async () => (await tree.getByRole("row").count()) === 2, "a closed root");
  assert.equal(await tree.locator("[aria-level='1']").getAttribute("aria-expanded"), "false");
  await page.keyboard.press("ArrowRight");
  await until(async () => (await tree.getByRole("row").count()) > 2, "an open root");
  // Another moment.
  const before_ = await time.innerText();
  await slider.fill((await slider.inputValue()) === "1" ? "0" : "1");
  await until(async () => (await time.innerText()) !== before_, "another sample");
  // The file of the same run says why it has no tree.
  await heapOf(page, "centres.hp");
  await page.locator("main").getByText("shows them as a tree").waitFor();
  assert.equal(await tree.isVisible(), false);
  assert.deepEqual(faults, []);
  await context.close();
});

test("bands of info tables have type, module and place in the source", { timeout: 5 * PATIENCE }, async () => {
  const { page, faults, context } = await begin({ permissions: ["clipboard-read", "clipboard-write"] });
  await heapOf(page, "heap-i");
  const rows = await rowsOf(page, "bands");
  const [name, type, module, source] = rows.find((row) => row[3]) ?? assert.fail("no band has a place in the source");
  assert.ok(name && type, `${name}: ${type}`);
  assert.equal(module, "Main");
  assert.match(source, /^Heap\.hs:\(?\d+/);
  await page.locator(".notes").getByText("-finfo-table-map").waitFor();
  await page.locator(".table-row").filter({ hasText: source }).first().click();
  const details = page.getByLabel("The chosen band");
  for (const text of ["Type", "Module", "Source", "Address", "Heap.hs:"]) await details.getByText(text).first().waitFor();
  await screenshot(page, "heap-info-table");
  await details.scrollIntoViewIfNeeded();
  await screenshot(page, "heap-info-table-chosen");
  await details.getByRole("button", { name: "Show all bands" }).click();
  await details.waitFor({ state: "hidden" });
  assert.deepEqual(faults, []);
  await context.close();
});

for (const session of ["biography", "biography.hp"]) {
  test(`the parts of a ${session} always have the same order and colours`, { timeout: 5 * PATIENCE }, async (t) => {
    if (!profiling) {
      t.skip("this GHC has no libraries for profiling");
      return;
    }
    const { page, faults, context } = await begin({ colorScheme: session === "biography" ? "light" : "dark" });
    await heapOf(page, session);
    const profile = page.locator(".chart-box").filter({ hasText: "Profile" });
    await profile.locator("path").first().waitFor({ state: "attached" });
    const keys = await profile.locator(".key").allInnerTexts();
    const order = ["LAG", "DRAG", "VOID", "USE", "INHERENT_USE"];
    assert.deepEqual(keys, order.filter((name) => keys.includes(name)));
    assert.ok(keys.length >= 4, keys.join());
    const paths = await profile.locator("path").evaluateAll((nodes) => nodes.map((node) => [node.querySelector("title")?.textContent, node.getAttribute("fill")]));
    const colours = Object.fromEntries(paths.filter(([name]) => name && order.includes(name)));
    assert.equal(colours.DRAG, "#D55E00");
    assert.equal(colours.LAG, "#56B4E9");
    assert.equal(new Set(Object.values(colours)).size, keys.length);
    const note = await page.locator(".notes").innerText();
    for (const text of ["allocated and not used yet", "never used", "earlier time"]) assert.match(note, new RegExp(text));
    await page.waitForTimeout(300);
    await screenshot(page, `heap-${session}`);
    assert.deepEqual(faults, []);
    await context.close();
  });
}

for (const [colorScheme, ink] of /** @type {const} */ ([["light", "#5c646d"], ["dark", "#9aa3ac"]])) {
  test(`charts are saved in the colours of the theme, ${colorScheme}`, { timeout: 5 * PATIENCE }, async () => {
    const { page, faults, context } = await begin({ colorScheme });
    await open(page, "collections", `?s=${sessions.types.id}`);
    for (const title of ["Pauses", "Pause durations"]) {
      const box = page.locator(".chart-box").filter({ hasText: title }).last();
      await box.locator("svg text").first().waitFor();
      const [file] = await Promise.all([page.waitForEvent("download"), box.getByRole("button", { name: "SVG" }).click()]);
      const svg = await readFile(await file.path(), "utf8");
      const texts = svg.match(/<text[^>]*>/g) ?? [];
      assert.ok(texts.length > 2, title);
      for (const text of texts) assert.ok(text.includes(`fill="${ink}"`), `${title}: ${text}`);
      assert.match(svg, colorScheme === "dark" ? /<rect[^>]*fill="#14171a"/ : /<rect[^>]*fill="#ffffff"/);
      assert.doesNotMatch(svg, /class=/);
    }
    assert.deepEqual(faults, []);
    await context.close();
  });
}
