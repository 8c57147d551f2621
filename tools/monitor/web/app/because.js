// Why something is empty.
import { state } from "./state.js";

/**
 * A program that has sent nothing yet may have all flags that it needs.
 * @param {string} why
 */
export const because = (why) => (state.session?.live && !state.session.heap_file && !state.session.events ? "No event has arrived yet; the overview says when they do." : why);
