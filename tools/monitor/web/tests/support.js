// A real monitor, a real browser, and programs to watch.
import { execFile, spawn } from "node:child_process";
import { mkdtemp, mkdir, rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

export const run = promisify(execFile);
const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.resolve(here, "../../../..");
export const eventlog = path.resolve(process.env.EVENTLOG ?? "eventlog");
/** Whether the pages are those of this directory, instead of those that are built into `eventlog`. */
const fresh = process.env.EVENTLOG_PAGES === "source";
const screenshots = process.env.EVENTLOG_SCREENSHOTS ? path.resolve(process.env.EVENTLOG_SCREENSHOTS) : null;

/** Generous: the machine may be busy. */
export const PATIENCE = 60_000;
/** How many times slower the pages run, to find tests that depend on how fast they are. */
const SLOWER = Number(process.env.EVENTLOG_PAGES_SLOWER ?? 1);

/** @returns {Promise<string>} */
export const freshDirectory = () => mkdtemp(path.join(tmpdir(), "eventlog-pages-"));

/** Again, if a browser that has just ended still writes there. @param {string} directory */
export const removed = (directory) => rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });

/**
 * The test program.
 * @param {string} directory
 * @param {string[]} [more] of ghc
 */
export async function build(directory, more = []) {
  await run("ghc", ["-v0", "-O", "-threaded", "-eventlog", "-rtsopts", "-outputdir", directory, "-o", path.join(directory, "subject"),
    path.join(here, "Subject.hs"), ...more], { timeout: 10 * PATIENCE });
  return path.join(directory, "subject");
}

/**
 * A log of it.
 * @param {string} program
 * @param {string} log
 * @param {string[]} args
 * @param {string[]} rts
 */
export async function record(program, log, args, rts) {
  await run(program, [...args, "+RTS", `-ol${log}`, "-l", ...rts, "-RTS"], { cwd: path.dirname(log), timeout: 2 * PATIENCE });
}

/**
 * Runs `eventlog monitor` until `stop`.
 * @param {string[]} args
 */
export async function monitor(args) {
  const process_ = spawn(eventlog, ["monitor", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let errors = "";
  process_.stderr.on("data", (chunk) => (errors += chunk));
  const ended = new Promise((resolve) => process_.once("exit", resolve));
  const lines = createInterface({ input: process_.stdout });
  /** @type {string} */
  const address = await new Promise((resolve, reject) => {
    lines.once("line", resolve);
    process_.once("error", reject);
    void ended.then((code) => reject(new Error(`eventlog monitor ended with ${code}: ${errors}`)));
  });
  const found = /^(http:\/\/[^/]+)\/#token=(.+)$/.exec(address.trim());
  if (!found) throw new Error(`no address: ${address}`);
  return {
    address: address.trim(),
    origin: found[1],
    token: found[2],
    pid: process_.pid,
    errors: () => errors,
    async stop() {
      process_.kill("SIGTERM");
      const timer = setTimeout(() => process_.kill("SIGKILL"), 10_000);
      await ended;
      clearTimeout(timer);
    },
  };
}

export const chromiumPath = process.env.EVENTLOG_CHROMIUM ?? "/usr/bin/chromium";

export const launch = () => chromium.launch({
  executablePath: chromiumPath,
  // The sandbox does not work as root, and the pages are trusted.
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});

/**
 * A tab, with a record of everything that must not happen in it.
 * @param {import("playwright-core").Browser} browser
 * @param {string} origin
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function tab(browser, origin, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, ...options });
  if (fresh) await context.route(/\/app\/[^?]*$/, (route) => route.fulfill({ path: path.join(here, "..", new URL(route.request().url()).pathname) }));
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  if (SLOWER > 1) await (await context.newCDPSession(page)).send("Emulation.setCPUThrottlingRate", { rate: SLOWER });
  /** @type {string[]} */
  const faults = [];
  // On a busy machine the server refuses slow requests, and the page requests less.
  page.on("console", (message) => /status of 503/.test(message.text()) || faults.push(`console ${message.type()}: ${message.text()} (${message.location().url})`));
  page.on("pageerror", (error) => faults.push(`error: ${error.stack ?? error}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${origin}/`) && !request.url().startsWith(`blob:${origin}/`)) faults.push(`request to elsewhere: ${request.url()}`);
  });
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { context, page, faults };
}

/**
 * A tab on the first page of a monitor, beside those that are open.
 * @param {import("playwright-core").Browser} browser
 * @param {Awaited<ReturnType<typeof monitor>>} server
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function beside(browser, server, options) {
  const opened = await tab(browser, server.origin, options);
  await opened.page.goto(server.address);
  await opened.page.locator("main .page").waitFor();
  return opened;
}

/**
 * The same, alone: a tab left by a failed test would take connections from the next one.
 * @param {Parameters<typeof beside>} where
 */
export async function begun(...where) {
  for (const left of where[0].contexts()) await left.close();
  return beside(...where);
}

/**
 * Goes to a page, and waits until it is shown, instead of one with the same name that was there.
 * @param {import("playwright-core").Page} page
 * @param {string} name
 * @param {string} [query]
 */
export async function open(page, name, query = "") {
  await page.evaluate(async (hash) => {
    if (location.hash === hash) return;
    // Ours is called after that of the page, which has shown the other one then.
    const changed = new Promise((resolve) => addEventListener("hashchange", resolve, { once: true }));
    location.hash = hash;
    await changed;
  }, `#/${name}${query}`);
  await page.locator(`main .page.${name.split("/")[0]}`).waitFor();
}

/**
 * The range in the address, after all movements have ended.
 * @param {import("playwright-core").Page} page
 */
export const range = (page) => page.evaluate(async (modules) => {
  const [{ moving }, { state }, { parse }] = await Promise.all(modules.map((module) => import(module)));
  for (;;) {
    const { from, to } = parse(location.hash);
    // The page writes the address a little later than it draws.
    if (!moving() && from === state.place.from && to === state.place.to) return { from: Number(from), to: Number(to) };
    await new Promise(requestAnimationFrame);
  }
}, ["/app/motion.js", "/app/state.js", "/app/address.js"]);

/**
 * Waits until the timeline shows all that it is going to.
 * @param {import("playwright-core").Page} page
 */
export async function rests(page) {
  await range(page);
  await page.locator(".page.timeline").evaluate(async (node) => {
    const { view } = /** @type {{ view: import("../app/timeline/view.js").View }} */ (/** @type {unknown} */ (node));
    while (!view.rests) await new Promise(requestAnimationFrame);
  });
}

/**
 * Clicks so slowly that a live page is loaded again before the button of the mouse is up.
 * @param {import("playwright-core").Page} page
 * @param {import("playwright-core").Locator} target
 */
export async function clickSlowly(page, target) {
  await target.hover();
  await page.mouse.down();
  await page.waitForTimeout(3000);
  await page.mouse.up();
}

/**
 * What an action copies.
 * @param {import("playwright-core").Page} page with the permissions for it
 * @param {() => Promise<void>} action
 */
export async function copied(page, action) {
  const nothing = "nothing was copied";
  await page.evaluate((text) => navigator.clipboard.writeText(text), nothing);
  await action();
  let text = nothing;
  await until(async () => (text = await page.evaluate(() => navigator.clipboard.readText())) !== nothing, "a copy");
  return text;
}

/**
 * Waits until the page reports no error: on a busy machine the server refuses slow requests, and the page repeats them.
 * @param {import("playwright-core").Page} page
 */
export async function untroubled(page) {
  let texts = /** @type {string[]} */ ([]);
  try {
    await until(async () => !(texts = await page.locator("main .trouble:visible").allTextContents()).length, "no error");
  } catch {
    throw new Error(`the page reports: ${texts.join("; ")}`);
  }
}

/**
 * Saves a screenshot for manual checks, if that is configured.
 * @param {import("playwright-core").Page} page
 * @param {string} name
 */
export async function screenshot(page, name) {
  if (!screenshots) return;
  await mkdir(screenshots, { recursive: true });
  await page.screenshot({ path: path.join(screenshots, `${name}.png`) });
}

/**
 * @param {() => Promise<boolean> | boolean} true_
 * @param {string} what
 */
export async function until(true_, what) {
  const end = Date.now() + PATIENCE;
  while (!(await true_())) {
    if (Date.now() > end) throw new Error(`timed out waiting for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/**
 * Waits until the only log is read to its end.
 * @param {Awaited<ReturnType<typeof monitor>>} server
 * @returns {Promise<string>} its session
 */
export async function whole(server) {
  let id = "";
  await until(async () => {
    const answer = await fetch(`${server.origin}/api/sessions`, { headers: { Authorization: `Bearer ${server.token}` } });
    const [session] = /** @type {Api.Session[]} */ (await answer.json());
    id = session?.id ?? "";
    return session?.ended === true;
  }, "the whole log");
  return id;
}

/**
 * How many pixels of the timeline have each of the colours.
 * @param {import("playwright-core").Page} page
 * @param {Record<string, string>} colours
 * @param {string} [which] of its canvases
 * @returns {Promise<Record<string, number>>}
 */
export const pixels = (page, colours, which = "canvas.lanes") => page.evaluate(([wanted, selector]) => {
  const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector(selector));
  // Read from a copy: the page's own canvas is not set up for reading.
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (copy.getContext("2d", { willReadFrequently: true }));
  context.drawImage(canvas, 0, 0);
  const data = new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  return Object.fromEntries(Object.entries(wanted).map(([name, hex]) => {
    const value = parseInt(hex.slice(1), 16);
    const pixel = (0xff000000 | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
    return [name, data.reduce((sum, one) => sum + (one === pixel ? 1 : 0), 0)];
  }));
}, /** @type {const} */ ([colours, which]));
