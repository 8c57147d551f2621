// A page in a browser of its own, to measure its memory. Playwright has each page record what it receives, which takes
// up to 100 MB of the page's memory; this one records nothing.
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { chromiumPath, freshDirectory, removed, until } from "./support.js";

/** @typedef {{ heap: number, alone: number, resident: number }} Memory in bytes */

/** @param {string} address */
export async function unrecorded(address) {
  const directory = await freshDirectory();
  const browser = spawn(chromiumPath, [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--window-size=1280,720", `--user-data-dir=${directory}`,
    "--remote-debugging-pipe",
  ], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => browser.once("exit", resolve));
  const [to, from] = [/** @type {import("node:stream").Writable} */ (browser.stdio[3]), /** @type {import("node:stream").Readable} */ (browser.stdio[4])];
  /** @type {Map<number, { resolve: (result: any) => void, reject: (error: Error) => void }>} */
  const waiting = new Map();
  let text = "";
  from.setEncoding("utf8");
  from.on("data", (chunk) => {
    const messages = (text + chunk).split("\0");
    text = messages.pop() ?? "";
    for (const message of messages) {
      const { id, result, error } = JSON.parse(message);
      const asked = waiting.get(id);
      waiting.delete(id);
      if (error) asked?.reject(new Error(error.message));
      else asked?.resolve(result);
    }
  });
  let count = 0;
  /**
   * @param {string} method
   * @param {object} [params]
   * @param {string} [sessionId]
   * @returns {Promise<any>}
   */
  const send = (method, params = {}, sessionId) => new Promise((resolve, reject) => {
    waiting.set(++count, { resolve, reject });
    to.write(`${JSON.stringify({ id: count, method, params, sessionId })}\0`);
  });
  const { targetId } = await send("Target.createTarget", { url: address });
  const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
  // At first there is no document that could run anything.
  await until(() => send("Runtime.evaluate", { expression: "document.title" }, sessionId).then(() => true, () => false), "a document");

  return {
    /**
     * Runs an expression in the page, and waits for its promise.
     * @param {string} expression
     */
    async evaluate(expression) {
      const { result, exceptionDetails: failed } = await send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true }, sessionId);
      if (failed) throw new Error(failed.exception?.description ?? failed.text);
      return result.value;
    },

    /** @returns {Promise<Memory>} of the page, after what nobody needs is collected */
    async memory() {
      await send("HeapProfiler.collectGarbage", {}, sessionId);
      await send("Performance.enable", {}, sessionId);
      const { metrics } = await send("Performance.getMetrics", {}, sessionId);
      const heap = metrics.find((/** @type {{ name: string }} */ { name }) => name === "JSHeapUsedSize")?.value ?? 0;
      const { processInfo } = await send("SystemInfo.getProcessInfo");
      let found = { heap, alone: 0, resident: 0 };
      for (const { type, id } of processInfo) {
        if (type !== "renderer") continue;
        const status = await readFile(`/proc/${id}/status`, "utf8");
        const kib = (/** @type {string} */ name) => 1024 * Number(new RegExp(`^${name}:\\s*(\\d+)`, "m").exec(status)?.[1] ?? 0);
        if (kib("VmRSS") > found.resident) found = { heap, alone: kib("RssAnon") + kib("RssShmem"), resident: kib("VmRSS") };
      }
      return found;
    },

    async close() {
      await send("Browser.close");
      await ended;
      await removed(directory);
    },
  };
}
