// All requests to the server are made here.

/** An error of the server, or no connection to it (status 0). */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// In memory only: the token must not be left in the page's storage.
let token = "";

/** @param {string} value */
export function useToken(value) {
  token = value;
}

/** The bytes of all answers so far. */
export let received = 0;

/** @param {RequestInit} [init] */
const request = (init = {}) => ({
  ...init,
  headers: { ...init.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) },
});

/**
 * @param {string} path
 * @param {RequestInit} init
 */
async function ask(path, init) {
  let answer;
  try {
    answer = await fetch(path, request(init));
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Refused(0, "The monitor does not answer. Is it still running?");
  }
  received += Number(answer.headers.get("content-length") ?? 0);
  if (!answer.ok) throw new Refused(answer.status, await reason(answer));
  return answer;
}

/** @param {Response} answer */
async function reason(answer) {
  const text = await answer.text().catch(() => "");
  try {
    const told = JSON.parse(text).error;
    if (typeof told === "string") return told;
  } catch {
    // Not JSON: use the text.
  }
  return text.slice(0, 500) || `the monitor answered ${answer.status}`;
}

/** @typedef {Record<string, string | number | boolean | null | undefined>} Query */

/** @param {Query} query */
export function queryString(query) {
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value == null || value === "" || value === false) continue;
    parts.set(name, typeof value === "number" ? String(Math.round(value)) : value === true ? "1" : value);
  }
  const text = parts.toString();
  return text ? `?${text}` : "";
}

/**
 * @template T
 * @param {string} path
 * @param {Query} [query]
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
export async function get(path, query = {}, signal = undefined) {
  const answer = await ask(path + queryString(query), { signal });
  return answer.json();
}

/**
 * A request for one session.
 * @template T
 * @param {string} session
 * @param {string} what
 * @param {Query} [query]
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
export const of = (session, what, query, signal) => get(`/api/s/${encodeURIComponent(session)}/${what}`, query, signal);

/**
 * @param {string} session
 * @param {{ z: number, from: number, to: number, rows: string[] }} wish
 * @param {AbortSignal} [signal]
 */
export async function tiles(session, wish, signal) {
  const answer = await ask(`/api/s/${encodeURIComponent(session)}/tiles`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(wish),
    signal,
  });
  return answer.arrayBuffer();
}

/**
 * Calls `changed` with the session list whenever it changes, until `signal`. Reconnects automatically.
 * @param {(sessions: Api.Session[]) => void} changed
 * @param {(error: Refused | null) => void} state null: connected
 * @param {AbortSignal} signal
 */
export async function follow(changed, state, signal) {
  let wait = 500;
  while (!signal.aborted) {
    await seen(signal);
    const hidden = new AbortController();
    const hide = () => document.hidden && hidden.abort();
    document.addEventListener("visibilitychange", hide);
    signal.addEventListener("abort", () => hidden.abort());
    try {
      const answer = await ask("/api/stream", { signal: hidden.signal, headers: { Accept: "text/event-stream" } });
      state(null);
      wait = 500;
      await events(answer, (name, data) => {
        if (name === "sessions") changed(JSON.parse(data));
      });
      state(new Refused(0, "The monitor has closed the connection."));
    } catch (error) {
      if (signal.aborted) return;
      if (hidden.signal.aborted) continue;
      const refused = error instanceof Refused ? error : new Refused(0, "The connection to the monitor broke.");
      state(refused);
      if (refused.status === 401) return;
    } finally {
      document.removeEventListener("visibilitychange", hide);
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
    wait = Math.min(wait * 2, 5000);
  }
}

/**
 * A browser has six connections to a host, over all tabs: hidden tabs close theirs.
 * @param {AbortSignal} signal
 */
async function seen(signal) {
  while (document.hidden && !signal.aborted) {
    await new Promise((resolve) => {
      document.addEventListener("visibilitychange", resolve, { once: true });
      signal.addEventListener("abort", resolve, { once: true });
    });
  }
}

/**
 * Server-sent events, as far as the monitor uses them.
 * @param {Response} answer
 * @param {(name: string, data: string) => void} each
 */
async function events(answer, each) {
  if (!answer.body) return;
  const reader = answer.body.getReader();
  const text = new TextDecoder();
  let rest = "";
  let name = "message";
  let data = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += text.decode(value, { stream: true });
    const lines = rest.split(/\r\n|\n/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (data) each(name, data);
        name = "message";
        data = "";
      } else if (line.startsWith("event:")) {
        name = line.slice(6).trim();
      } else if (line.startsWith("data:")) {
        data += (data ? "\n" : "") + line.slice(5).replace(/^ /, "");
      }
    }
  }
}
