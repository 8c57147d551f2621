// A chart as it is read with the keyboard, and what it has to tell.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { quantity } from "../app/format.js";
import { until } from "./support.js";

/**
 * A chart of a page, and the rows of its CSV file.
 * @param {import("playwright-core").Page} page
 * @param {string} title
 */
export async function chart(page, title) {
  const box = page.locator(".chart-box").filter({ has: page.locator(".chart-title").getByText(title, { exact: true }) });
  await box.locator("svg text").first().waitFor();
  await box.locator(".chart-empty").waitFor({ state: "hidden" });
  const area = box.locator(".chart-area");
  const csv = async () => {
    const [file] = await Promise.all([page.waitForEvent("download"), box.getByRole("button", { name: "CSV" }).click()]);
    const text = await readFile(await file.path(), "utf8");
    const [head, ...rows] = text.split("\r\n").map((line) => line.split(","));
    return { head, rows };
  };
  const told = () => box.locator(".value-told").innerText();
  /** Presses a key, and waits until something else is told. @param {string} key */
  const press = async (key) => {
    const before_ = await told();
    await page.keyboard.press(key);
    await until(async () => (await told()) !== before_, `another text than "${before_}" after ${key}`);
    return told();
  };
  return { box, area, csv, told, press };
}

/**
 * Presses Tab until something has the focus, from the beginning of the page.
 * @param {import("playwright-core").Page} page
 * @param {import("playwright-core").Locator} target
 */
export async function tabTo(page, target) {
  await page.locator("main").focus();
  for (let n = 0; n < 100; n++) {
    await page.keyboard.press("Tab");
    if (await target.evaluate((node) => node === document.activeElement)) return;
  }
  assert.fail("Tab does not reach it");
}

/**
 * Whether something is told of a time, which is told as exactly as is needed to distinguish it from others.
 * @param {string} actual
 * @param {number} time
 * @param {string} expected with TIME in it
 */
export function tells(actual, time, expected) {
  const [, digits = ""] = /(\d+\.\d+) s(?=:|,|$)/.exec(actual) ?? [];
  const places = digits.length - digits.indexOf(".") - 1;
  assert.ok(places >= 3 && (time / 1e9).toFixed(places) === digits, `${actual}: at ${time} ns`);
  assert.equal(actual.replace(`${digits} s`, "TIME"), expected);
}

/** The times of some rows, each once. @param {string[][]} rows @param {number} column */
export const times = (rows, column) => [...new Set(rows.map((row) => Number(row[column])))].sort((a, b) => a - b);

/**
 * What is told of a row of a chart with lines.
 * @param {string[]} row of its CSV file
 * @param {string} unit
 */
export function valueOf([name, , min, max, mean], unit) {
  const [least, most, middle] = [Number(min), Number(max), Number(mean)];
  const value = quantity(middle > most || middle < least ? most : middle, unit);
  return `${name} ${value}${least === most ? "" : ` (${quantity(least, unit)} to ${quantity(most, unit)})`}`;
}
