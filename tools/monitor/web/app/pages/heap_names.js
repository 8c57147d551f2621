// Names and colours of bands, for all parts of the heap page.
import { named } from "../colours.js";
import * as biography from "./biography.js";

const NAMES = /** @type {Record<string, string>} */ ({
  closure_type: "closure type (-hT)", type_description: "type (-hy)", cost_centre: "cost-centre stack (-hc)", module: "module (-hm)", retainer: "retainer (-hr)",
  biography: "biography (-hb)", closure_description: "closure description (-hd)", info_table: "info table, source (-hi)", era: "era (-he)",
});

/** @param {string | null} breakdown */
export const breakdownName = (breakdown) => NAMES[breakdown ?? ""] ?? breakdown ?? "band";

/**
 * @param {string | null} breakdown
 * @param {string} name
 */
export const bandColour = (breakdown, name) => (breakdown === "biography" && biography.colour(name)) || named(name);
