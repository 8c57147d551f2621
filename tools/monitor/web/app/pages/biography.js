// The parts of a biographical profile, always in the same order and colours.

/** From the bottom of the chart to its top. */
export const PARTS = Object.freeze([
  { name: "LAG", colour: "#56B4E9", means: "allocated and not used yet" },
  { name: "DRAG", colour: "#D55E00", means: "used for the last time, but still reachable" },
  { name: "VOID", colour: "#CC79A7", means: "never used" },
  { name: "USE", colour: "#009E73", means: "between its first and its last use" },
  { name: "INHERENT_USE", colour: "#8D6E63", means: "of a kind that always counts as used, such as arrays" },
]);

/** @param {string} name */
export const colour = (name) => PARTS.find((part) => part.name === name)?.colour;

/** What the parts mean, and of which time they are. @param {string[]} names */
export function explain(names) {
  const told = PARTS.filter(({ name }) => names.includes(name)).map(({ name, means }) => `${name}: ${means}`).join("; ");
  return `${told}. Whether something is used again is known only when it has died, so the program writes these samples at its end: each has the values of the earlier time at which it is drawn.`;
}

/**
 * In the fixed order; anything else comes after them.
 * @template {{ name: string }} T
 * @param {T[]} bands
 */
export function ordered(bands) {
  const place = (/** @type {T} */ { name }) => PARTS.findIndex((part) => part.name === name) >>> 0;
  return bands.slice().sort((a, b) => place(a) - place(b));
}
