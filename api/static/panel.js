// A titled part of a view that loads its content, and says so where it cannot.

import { el } from "./dom.js";

let count = 0;

export class Panel {
  /**
   * @param {string} title
   * @param {(signal: AbortSignal) => Promise<Array<Node>>} load
   * @param {Array<Node>} controls beside the title
   */
  constructor(title, load, controls = []) {
    this.load = load;
    const id = `panel-${count += 1}`;
    this.body = el("div", { class: "body" });
    this.root = el("section", { class: "panel", "aria-labelledby": id, "aria-busy": "true" },
      el("header", {}, el("h2", { id, text: title }), ...controls), this.body);
  }

  /** Load anew; a reader who is inside is left in peace. */
  async update(signal) {
    if (this.body.childElementCount && this.body.contains(document.activeElement)) return;
    let nodes;
    try {
      nodes = await this.load(signal);
    } catch (error) {
      if (signal.aborted) return;
      nodes = [el("p", { class: "error", lang: "en", text: error.message })];
    }
    if (signal.aborted) return;
    const open = [...this.body.querySelectorAll("details")].map((d) => d.open);
    this.body.replaceChildren(...nodes);
    this.body.querySelectorAll("details").forEach((details, i) => { details.open = open[i] ?? false; });
    this.root.setAttribute("aria-busy", "false");
  }
}
