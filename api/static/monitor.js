// Whether Voltair itself works: a page that shows nothing wrong must not come from a monitor that hears nothing.

import { el, setData } from "./dom.js";
import { at } from "./routes.js";

const EVERY_MS = 10_000;

/** Show the reasons of /readyz in `root` while there are any. @param {() => {t: (key: string) => string}} words */
export function watchMonitor(root, words) {
  async function ask() {
    let found;
    try {
      found = await (await fetch(at("readyz"))).json();
    } catch {
      return; // the API is away: the connection says so
    }
    root.hidden = found.status === "ready";
    const level = found.status === "degraded" ? "degraded" : "broken";
    setData(root, "status", level);
    const text = words().t(`monitor.${level}`);
    const reasons = found.reasons.map((reason) => words().reason(reason));
    const now = [text, ...reasons].join("\n");
    if (root.dataset.text === now) return; // screen readers speak only what is new
    root.dataset.text = now;
    root.replaceChildren(el("strong", { text }), el("ul", {}, ...reasons.map((reason, i) => el("li", { text: reason, lang: reason === found.reasons[i] ? "en" : null }))));
  }

  ask();
  setInterval(ask, EVERY_MS);
}
