// The range of time that a view shows: the last hours, or what `from` and `to` [ms] of the address say.

import { el, setText } from "./dom.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Ranges that end now: name in the address -> length. */
const LAST = { "6h": 6 * HOUR_MS, "24h": DAY_MS, "7d": 7 * DAY_MS };
const LONGEST_MS = 92 * DAY_MS; // for more there are the monthly report and the exports
const SHORTEST_MS = 15 * MINUTE_MS; // of an axis
const MOST_STATES = 60_000; // fetched for all strips of a panel
/** Rolled-up rows that charts are drawn from: name, step, longest axis. */
const ROWS = [["1m", MINUTE_MS, 6 * HOUR_MS], ["15m", 15 * MINUTE_MS, 2 * DAY_MS], ["1h", HOUR_MS, Infinity]];

const floor = (ms, step) => Math.floor(ms / step) * step;

/** What the address asks for: `{name}`, or `{from, to, cut}` where both are given; `cut`: the page shows the end of it only. */
export function askedRange() {
  const asked = new URLSearchParams(location.search);
  const [from, to] = ["from", "to"].map((name) => {
    const text = asked.get(name) ?? "";
    return floor(/^\d+$/.test(text) ? Number(text) : Date.parse(text), MINUTE_MS);
  });
  if (to > from) return { from: Math.max(from, to - LONGEST_MS), to, cut: to - from > LONGEST_MS };
  const name = asked.get("range");
  return { name: name in LAST ? name : "24h" };
}

/** The window [from, to) of whole minutes that the address asks for. @param {number} now a station's clock [ms] */
export function windowOf(now) {
  const { name, from, to } = askedRange();
  if (!name) return { from, to };
  const end = floor(now, MINUTE_MS);
  return { from: end - LAST[name], to: end };
}

/** The axis of a window: whole periods of rolled-up rows, from the first data on. */
export function axisOf({ from, to }, first) {
  const begin = first > from && first < to + MINUTE_MS ? Math.max(from, Math.min(floor(first, MINUTE_MS), to - SHORTEST_MS)) : from;
  const [width, step] = ROWS.find(([, , longest]) => to - begin <= longest);
  const left = Math.ceil(begin / step) * step;
  return { from: left, to: Math.max(floor(to, step), left + step), step, width };
}

/** The same axis in steps so wide that `count` devices do not have too many states. */
export function coarser(axis, count) {
  const most = Math.max(1, Math.floor(MOST_STATES / count));
  const states = (step) => (axis.to - axis.from) / step;
  const [width, step] = ROWS.slice(ROWS.findIndex(([name]) => name === axis.width)).find(([, s]) => states(s) <= most) ?? ROWS.at(-1);
  const steps = Math.ceil(states(step) / most);
  return { ...axis, width, step: step * steps, aggregate: steps > 1 };
}

/** Put a range into the address: `{name}` or `{from, to}`. */
function choose({ name, from, to }) {
  const url = new URL(location.href);
  for (const key of ["range", "from", "to"]) url.searchParams.delete(key);
  const chosen = name ? { range: name } : { from: Math.round(from), to: Math.round(to) };
  for (const [key, value] of Object.entries(chosen)) url.searchParams.set(key, value);
  history.replaceState(null, "", url);
}

/** Buttons for the range, and what it is. */
export class RangeBar {
  /** @param {{words: object, now: () => number, zone: () => string, onChange: () => void}} options */
  constructor(options) {
    Object.assign(this, options);
    const button = (text, act) => {
      const node = el("button", { type: "button", text: this.words.t(text) });
      node.addEventListener("click", () => this.choose(act()));
      return node;
    };
    this.names = Object.keys(LAST).map((name) => [name, button(`range.${name}`, () => ({ name }))]);
    this.span = el("span", { class: "soft" });
    this.root = el("div", { class: "ranges", role: "group", "aria-label": this.words.t("range") },
      ...this.names.map(([, node]) => node), button("range.earlier", () => this.#moved(-1)), button("range.later", () => this.#moved(1)), this.span);
    this.say();
  }

  choose(range) {
    choose(range);
    this.say();
    this.onChange();
  }

  /** The range before or after, never beyond now. */
  #moved(way) {
    const { from, to } = windowOf(this.now());
    const length = to - from;
    const end = to + way * length;
    if (end < this.now()) return { from: end - length, to: end };
    const name = Object.keys(LAST).find((n) => LAST[n] === length);
    return name ? { name } : { from: floor(this.now(), MINUTE_MS) - length, to: floor(this.now(), MINUTE_MS) };
  }

  /** Say what is shown. @param {number} [first] when data begin [ms] */
  say(first = NaN) {
    const { words } = this;
    const zone = this.zone();
    const { name, cut } = askedRange();
    const { from, to } = windowOf(this.now());
    for (const [own, node] of this.names) node.setAttribute("aria-pressed", String(own === name));
    const notes = [`${words.date(from, zone)} – ${words.date(to, zone)}`];
    if (cut) notes.push(words.t("range.cut"));
    if (first > from) notes.push(words.t("range.since", { when: words.date(first, zone) }));
    setText(this.span, notes.join(" · "));
  }
}
