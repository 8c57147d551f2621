// Builds DOM nodes. Text of a log is only ever put into text nodes.

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Attributes; `on...` are listeners, `class` is the class, true is an empty attribute, null and false are left out.
 * @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => void)>} Attributes
 */

/**
 * @param {Element} node
 * @param {Attributes | null} attributes
 * @param {Child[]} children
 */
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value == null || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  put(node, children);
}

/**
 * @param {Element} node
 * @param {Child[]} children
 */
function put(node, children) {
  for (const child of children) {
    if (child == null || child === false) continue;
    node.append(typeof child === "number" ? String(child) : child);
  }
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {Attributes | null} [attributes]
 * @param {Child[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(name, attributes = null, ...children) {
  const node = document.createElement(name);
  fill(node, attributes, children);
  return node;
}

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} name
 * @param {Attributes | null} [attributes]
 * @param {Child[]} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function s(name, attributes = null, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  fill(node, attributes, children);
  return node;
}

/**
 * @param {Element} node
 * @param {Child[]} children
 */
export function replace(node, ...children) {
  node.replaceChildren();
  put(node, children);
}

/**
 * Wraps a function so that it runs at most once a frame, however often it is called.
 * @param {(time: number) => void} draw
 */
export function frame(draw) {
  let wished = 0;
  const wish = () => {
    if (wished) return;
    wished = requestAnimationFrame((time) => {
      wished = 0;
      draw(time);
    });
  };
  wish.waits = () => wished !== 0;
  return wish;
}

/**
 * Wraps an action so that it runs only after no call for a while (debounce).
 * @template {unknown[]} T
 * @param {number} ms
 * @param {(...args: T) => void} action
 */
export function settled(ms, action) {
  let timer = 0;
  /** @param {T} args */
  const wish = (...args) => {
    clearTimeout(timer);
    timer = window.setTimeout(() => {
      timer = 0;
      action(...args);
    }, ms);
  };
  wish.stop = () => {
    clearTimeout(timer);
    timer = 0;
  };
  wish.waits = () => timer !== 0;
  return wish;
}

/**
 * Downloads a file.
 * @param {string} name
 * @param {string} type
 * @param {string} text
 */
export function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = h("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
