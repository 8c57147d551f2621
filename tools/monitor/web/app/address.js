// The state of the page is in the fragment of the address, so a link shows exactly the same view.
//
//   #/timeline?s=ID&from=NS&to=NS&sel=c0@NS&marks=NS,NS     a range
//   #/timeline?s=ID&last=NS                                 the newest part of a live session
//   #/timeline?s=ID                                         all of it
//   ...&clock=1                                             times as wall clock, instead of seconds of the log

/**
 * @typedef {{
 *   page: string, session: string | null, from: number | null, to: number | null,
 *   last: number | null, sel: string | null, marks: number[], clock: boolean, more: Record<string, string>,
 * }} Place
 */

const OWN = new Set(["s", "from", "to", "last", "sel", "marks", "clock", "token"]);

/** @param {string | null} text */
function number(text) {
  if (text == null || text.trim() === "") return null;
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

/**
 * @param {string} hash
 * @returns {Place & { token: string | null }}
 */
export function parse(hash) {
  const text = hash.replace(/^#/, "");
  const bare = /^token=/.test(text);
  const split = text.indexOf("?");
  const path = bare ? "" : split < 0 ? text : text.slice(0, split);
  const query = new URLSearchParams(bare ? text : split < 0 ? "" : text.slice(split + 1));
  const from = number(query.get("from"));
  const to = number(query.get("to"));
  const ranged = from != null && to != null && to > from;
  const last = number(query.get("last"));
  /** @type {Record<string, string>} */
  const more = {};
  for (const [name, value] of query) if (!OWN.has(name)) more[name] = value;
  return {
    page: path.replace(/^\/+/, "") || "overview",
    session: query.get("s"),
    from: ranged ? from : null,
    to: ranged ? to : null,
    last: !ranged && last != null && last > 0 ? last : null,
    sel: query.get("sel"),
    marks: (query.get("marks") ?? "").split(",").map(number).filter((mark) => mark != null).slice(0, 50),
    clock: query.get("clock") === "1",
    more,
    token: query.get("token"),
  };
}

/** @param {Place} place */
export function format(place) {
  const query = new URLSearchParams();
  if (place.session != null) query.set("s", place.session);
  if (place.from != null && place.to != null) {
    query.set("from", String(Math.round(place.from)));
    query.set("to", String(Math.round(place.to)));
  } else if (place.last != null) {
    query.set("last", String(Math.round(place.last)));
  }
  if (place.sel) query.set("sel", place.sel);
  if (place.marks.length) query.set("marks", place.marks.map((mark) => Math.round(mark)).join(","));
  if (place.clock) query.set("clock", "1");
  for (const [name, value] of Object.entries(place.more)) if (value) query.set(name, value);
  // Readable for people: these characters need no escape in a fragment.
  const text = query.toString().replaceAll("%2C", ",").replaceAll("%40", "@").replaceAll("%2F", "/");
  return `#/${place.page}${text ? `?${text}` : ""}`;
}
