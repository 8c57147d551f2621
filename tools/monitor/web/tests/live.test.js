// A program while it runs, and when it is started again.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { access, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { build, clickSlowly, eventlog, freshDirectory, launch, monitor, open, PATIENCE, pixels, removed, root, run, screenshot, tab, until, untroubled } from "./support.js";

/** @type {string} */
let directory;
/** @type {string} */
let program;
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  directory = await freshDirectory();
  program = await build(directory);
  browser = await launch();
}, { timeout: 10 * PATIENCE });

after(async () => {
  await browser?.close();
  await removed(directory);
});

/** @param {import("playwright-core").Page} page */
const messages = (page) => page.locator(".page.log .table-row").count();

test("a program that the monitor starts is seen as it runs, and to its end", { timeout: 10 * PATIENCE }, async () => {
  // It runs until the file exists, however long the pages take.
  const stop = path.join(directory, "stop");
  const server = await monitor(["--", program, "1000000", "live", stop, "+RTS", "-N2", "-l", "-hT", "-i0.1", "-RTS"]);
  try {
    const { page, faults, context } = await tab(browser, server.origin);
    await page.goto(server.address);
    await page.locator("header .badge").getByText("live").waitFor();
    await open(page, "log");
    await until(async () => (await messages(page)) > 0, "the first messages");
    await page.locator(".page.log").getByText(/round \d+ of live/).first().waitFor();
    await open(page, "timeline");
    await until(async () => (await pixels(page, { mutator: "#009E73" })).mutator > 100, "capabilities that run");
    const before_ = await page.locator(".range-text").innerText();
    await until(async () => (await page.locator(".range-text").innerText()) !== before_, "a range that moves on");
    for (const name of ["overview", "threads", "collections", "heap", "sparks", "spans", "stream", "timeline"]) {
      await open(page, name);
      await page.waitForTimeout(1500);
      await untroubled(page);
      await screenshot(page, `live-${name}`);
    }
    // What is clicked is loaded again in the meantime.
    await open(page, "threads");
    await clickSlowly(page, page.locator(".page.threads .table-row").filter({ hasText: "main loop" }));
    await page.locator(".page.thread h1").getByText("main loop").waitFor();
    await clickSlowly(page, page.getByRole("button", { name: "All threads" }));
    await page.locator(".page.threads").waitFor();
    await writeFile(stop, "");
    await page.locator("header .badge").getByText("ended").waitFor({ timeout: 6 * PATIENCE });
    await open(page, "log");
    await page.getByLabel("Search with a regular expression").fill("last words");
    await page.locator(".page.log").getByText("the last words of live").waitFor();
    assert.deepEqual(faults, []);
    await context.close();
  } finally {
    await server.stop();
  }
});

/** The library that was built with the command line. */
async function library() {
  const file = process.env.EVENTLOG_LIBRARY ?? path.join(path.dirname(eventlog), "libeventlog_socket.a");
  try {
    await access(file);
  } catch {
    const release = path.basename(path.dirname(file)) === "release" ? ["--release"] : [];
    await run("cargo", ["build", "--quiet", "-p", "eventlog-socket", "--target-dir", path.dirname(path.dirname(file)), ...release], { cwd: root, timeout: 10 * PATIENCE });
  }
  return file;
}

test("a program that is started again is a new session, and the page offers it", { timeout: 15 * PATIENCE }, async () => {
  const place = path.join(directory, "socket");
  const wrapped = path.join(directory, "wrapped");
  await run("mkdir", ["-p", wrapped]);
  const source = path.join(root, "haskell/eventlog-socket");
  // The program's own main, with a writer to the socket around it.
  const subject = await build(wrapped, [`-I${root}/include`, "-DWITH_SOCKET", `-i${source}/src`, `${source}/cbits/eventlog_socket_hs.c`,
    `${root}/ffi/rts/eventlog_socket_rts.c`, await library()]);
  /** @param {string} name */
  const start = (name) => {
    const child = spawn(subject, ["1000000", name, "+RTS", "-N2", "-l", "-RTS"], {
      env: { ...process.env, GHC_EVENTLOG_UNIX_PATH: place }, stdio: "ignore",
    });
    return { child, ended: new Promise((resolve) => child.once("exit", resolve)) };
  };
  let running = start("first");
  const server = await monitor([`unix:${place}`]);
  try {
    const { page, faults, context } = await tab(browser, server.origin);
    await page.goto(server.address);
    await page.locator("header .badge").getByText("live").waitFor();
    const first = await page.getByLabel("Session").inputValue();
    // A selected session stays selected when another one begins.
    await open(page, "log", `?s=${encodeURIComponent(first)}`);
    await page.locator(".page.log").getByText(/round \d+ of first/).first().waitFor();
    running.child.kill("SIGKILL");
    await running.ended;
    running = start("second");
    await clickSlowly(page, page.locator(".hint").getByRole("button", { name: "Show the new run" }));
    await page.locator(".page.log").getByText(/round \d+ of second/).first().waitFor();
    assert.notEqual(await page.getByLabel("Session").inputValue(), first);
    await screenshot(page, "live-restarted");
    assert.deepEqual(faults, []);
    await context.close();
  } finally {
    running.child.kill("SIGKILL");
    await running.ended;
    await server.stop();
  }
});
