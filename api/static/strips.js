// Strips of states over time: own SVG, which assistive tools can read.

import { el, icon, svg } from "./dom.js";
import { LOOKS, lookOf } from "./model.js";

const WIDTH = 1000;

/** Stored names of what is no state of a device, as the page calls them. */
const SHOWN = { Offline: "offline", Unknown: "unknown" };

/** Spans of equal states out of [[start, state], ...] of periods of `step` ms. */
export function spansOf(points, { from, to, step }) {
  const spans = [];
  for (const [start, stored] of points) {
    const state = SHOWN[stored] ?? stored;
    const [a, b] = [Math.max(start, from), Math.min(start + step, to)];
    if (a >= b) continue;
    const last = spans.at(-1);
    if (last?.state === state && last.to === a) last.to = b;
    else spans.push({ from: a, to: b, state });
  }
  return spans;
}

/** A row per device: name, and its states from left to right. @param {Array<{name: string, points: Array}>} rows */
export function stateStrips(title, rows, span, zone, words) {
  const seen = new Set();
  const items = rows.map(({ name, points }) => {
    const spans = spansOf(points, span);
    const lasting = new Map();
    for (const { from, to, state } of spans) lasting.set(state, (lasting.get(state) ?? 0) + to - from);
    for (const state of lasting.keys()) seen.add(state);
    const shares = [...lasting].sort((a, b) => b[1] - a[1])
      .map(([state, ms]) => `${words.t(`state.${state}`)} ${words.percent(ms / (span.to - span.from), 0)}`);
    const label = `${name}: ${shares.join(", ") || words.t("noData")}`;
    return el("li", {}, el("span", { class: "name", text: name }), strip(label, spans.map((s) => ({
      ...s, look: lookOf(s.state),
      text: `${words.t(`state.${s.state}`)} ${words.moment(s.from, zone)} – ${words.moment(s.to, zone)}`,
    })), span));
  });
  const order = [...seen].sort((a, b) => LOOKS.indexOf(lookOf(a)) - LOOKS.indexOf(lookOf(b)) || (a < b ? -1 : 1));
  return [
    el("div", { class: "scroll", role: "group", tabindex: "0", "aria-label": title },
      el("ul", { class: "strips" }, ...items), timeAxis(span, zone, words)),
    el("ul", { class: "legend" }, ...order.map((state) => el("li", { data: { look: lookOf(state) } }, icon(lookOf(state)), words.t(`state.${state}`)))),
  ];
}

function strip(label, spans, { from, to }) {
  const x = (ms) => ((ms - from) / (to - from)) * WIDTH;
  return svg("svg", { class: "strip", viewBox: `0 0 ${WIDTH} 10`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    ...spans.map((s) => svg("rect", { x: x(s.from), width: x(s.to) - x(s.from), height: 10, "data-look": s.look },
      svg("title", {}, s.text))));
}

/**
 * A column per period, filled from below by shares of time.
 * @param {Array<{look: string, label: string, values: Array<number | null>}>} parts fractions of each period
 */
export function shareStrip(label, parts, span, zone, words) {
  const width = WIDTH / parts[0].values.length;
  const columns = parts[0].values.map((_, i) => {
    let top = 100;
    const filled = parts.filter(({ values }) => values[i] > 0);
    const text = filled.map((p) => `${p.label} ${words.percent(p.values[i], 0)}`).join(", ");
    return svg("g", {}, svg("title", {}, `${words.moment(span.from + i * span.step, zone)}: ${text}`),
      ...filled.map(({ look, values }) => {
        top -= 100 * values[i];
        return svg("rect", { x: i * width, y: top, width, height: 100 * values[i], "data-look": look });
      }));
  });
  return [
    svg("svg", { class: "shares", viewBox: `0 0 ${WIDTH} 100`, preserveAspectRatio: "none", role: "img", "aria-label": label }, ...columns),
    timeAxis(span, zone, words),
    el("ul", { class: "legend" }, ...parts.filter(({ values }) => values.some((v) => v > 0))
      .map((p) => el("li", { data: { look: p.look } }, icon(p.look), p.label))),
  ];
}

function timeAxis({ from, to }, zone, words) {
  const marks = [0, 0.25, 0.5, 0.75, 1].map((part) => el("span", { text: words.moment(from + part * (to - from), zone) }));
  return el("p", { class: "time-axis", "aria-hidden": "true" }, ...marks);
}
