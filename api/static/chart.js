// Time series: a canvas by uPlot, and the same numbers as a table, because a canvas is silent to screen readers.

import { el, setText } from "./dom.js";
import { at } from "./routes.js";
import { foldedTable, table } from "./table.js";

const HEIGHT = 190;
const FONT = "12px system-ui, sans-serif";
const drawn = new Set();
let library = null;

/** uPlot, fetched when the first chart is drawn. */
function uplot() {
  library ??= new Promise((resolve, reject) => {
    const script = el("script", { src: at("vendor/uPlot.iife.min.js") });
    script.onload = () => resolve(window.uPlot);
    script.onerror = () => { library = null; reject(new Error("vendor/uPlot.iife.min.js")); };
    document.head.append(el("link", { rel: "stylesheet", href: at("vendor/uPlot.min.css") }), script);
  });
  return library;
}

/** Draw every chart anew in the colours of the present theme. */
export function redrawCharts() {
  for (const chart of drawn) {
    if (chart.holder.isConnected) chart.draw();
    else chart.forget();
  }
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawCharts);

/** Values on a regular grid; null where there is none. */
export function onGrid(points, { from, to, step }) {
  const values = new Array(Math.max(0, Math.round((to - from) / step))).fill(null);
  for (const [time, value] of points ?? []) {
    const i = Math.floor((time - from) / step);
    if (i >= 0 && i < values.length) values[i] = value;
  }
  return values;
}

/**
 * @typedef {{label: string, values: Array<number | null>, look: string, dash?: boolean, quiet?: boolean, unit?: string}} Line
 *   `look` is a colour of page.css; a `quiet` line has no number of its own in the legend
 * @param {{title: string, unit: string, digits: number, span: object, lines: Array<Line>, bands?: Array<[number, number, string]>,
 *   zone: string, words: object}} options bands: [upper line, lower line, look]
 */
export async function chart(options) {
  const known = options.lines.some(({ dash, values }) => !dash && values.some((v) => v != null));
  if (!known) return el("p", { class: "soft", text: options.words.t("noData") });
  return new Chart(options, await uplot()).root;
}

class Chart {
  #plot = null;

  constructor(options, Plot) {
    Object.assign(this, options);
    this.Plot = Plot;
    const { words, span, lines, title, unit } = this;
    this.times = lines[0].values.map((_, i) => (span.from + i * span.step) / 1000);
    this.numbers = lines.map(() => el("b"));
    this.when = el("span", { class: "soft" });
    const loud = lines.filter((line) => !line.quiet);
    const label = `${title} [${unit}]. ${loud.map((line) => this.#summary(line)).join(". ")}`;
    this.holder = el("div", { class: "plot", role: "img", tabindex: "0", "aria-label": label });
    this.root = el("figure", { class: "chart" },
      el("figcaption", {}, ...lines.flatMap((line, i) => (line.quiet ? [] : [el("span", { class: "key" },
        el("i", { class: line.dash ? "dash" : null, data: { colour: line.look } }), `${line.label} `, this.numbers[i],
        el("span", { class: "unit", text: line.unit ?? unit }))])), this.when),
      this.holder,
      foldedTable(words.t("asTable"), () => this.#table()));
    this.holder.addEventListener("keydown", (event) => this.#move(event));
    new ResizeObserver(() => this.#resize()).observe(this.holder);
    this.#read(null);
    drawn.add(this);
  }

  #summary({ label, values }) {
    const known = values.filter((v) => v != null);
    const amounts = known.length ? [known.at(-1), Math.min(...known), Math.max(...known)] : [null, null, null];
    const [last, min, max] = amounts.map((v) => this.words.number(v, this.digits));
    return this.words.t("chart.summary", { label, last, min, max });
  }

  #table() {
    const { words, lines, zone } = this;
    const rows = this.times.map((t, i) => [words.moment(1000 * t, zone), ...lines.map((l) => words.number(l.values[i], this.digits))]);
    return table(`${this.title} [${this.unit}]`, [words.t("field.time"), ...lines.map((l) => [l.label, "number"])], rows);
  }

  /** Show the numbers at a place, or the last ones. */
  #read(index) {
    const i = index ?? this.times.findLastIndex((_, k) => this.lines.some((l) => !l.quiet && !l.dash && l.values[k] != null));
    this.lines.forEach((line, k) => setText(this.numbers[k], this.words.number(line.values[i] ?? null, this.digits)));
    setText(this.when, i >= 0 ? this.words.moment(1000 * this.times[i], this.zone) : this.words.t("noData"));
  }

  #move(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (!step || !this.#plot) return;
    event.preventDefault();
    const last = this.times.length - 1;
    const i = Math.max(0, Math.min(last, (this.#plot.cursor.idx ?? last) + step));
    this.#plot.setCursor({ left: this.#plot.valToPos(this.times[i], "x"), top: 0 });
  }

  #resize() {
    const width = Math.floor(this.holder.clientWidth);
    if (!width) return this.holder.isConnected ? undefined : this.forget();
    if (!this.#plot) this.draw();
    else if (this.#plot.width !== width) this.#plot.setSize({ width, height: HEIGHT });
  }

  draw() {
    this.#plot?.destroy();
    const colour = (name, alpha = 1) => resolved(this.holder, name, alpha);
    const axis = {
      stroke: colour("soft"), font: FONT, grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 },
    };
    const { words, zone, lines, span } = this;
    this.#plot = new this.Plot({
      width: Math.floor(this.holder.clientWidth), height: HEIGHT, legend: { show: false },
      tzDate: (s) => this.Plot.tzDate(new Date(1000 * s), zone),
      cursor: { y: false, drag: { x: true, y: false, setScale: false, dist: 10 } },
      scales: { x: { range: () => [span.from / 1000, span.to / 1000] }, y: { range: (_, low, high) => padded(low, high) } },
      axes: [
        { ...axis, space: 70, size: 30, values: (_, splits) => splits.map((s) => words.tick(1000 * s, zone)) },
        { ...axis, size: 58, values: (_, splits, __, ___, step) => splits.map((v) => words.number(v, decimals(step))) },
      ],
      series: [{}, ...lines.map((line) => ({
        stroke: line.quiet ? null : colour(line.look), width: line.quiet ? 0 : 1.6, dash: line.dash ? [6, 4] : undefined,
        points: { show: !line.quiet, filter: () => lonely(line.values), size: 5, fill: colour(line.look) },
      }))],
      bands: (this.bands ?? []).map(([upper, lower, look]) => ({ series: [upper + 1, lower + 1], fill: colour(look, 0.16) })),
      hooks: { setCursor: [(plot) => this.#read(plot.cursor.idx)], setSelect: [(plot) => this.#zoom(plot)] },
    }, [this.times, ...lines.map((line) => line.values)], this.holder);
  }

  /** A part that was marked with the mouse becomes the range. */
  #zoom({ select, posToVal }) {
    const [from, to] = [select.left, select.left + select.width].map((x) => 60_000 * Math.round(posToVal(x, "x") / 60));
    if (to <= from) return;
    this.holder.blur(); // a panel with the focus is left as it is
    this.span.zoom(from, to);
  }

  forget() {
    this.#plot?.destroy();
    this.#plot = null;
    drawn.delete(this);
  }
}

/** Places of values between gaps, to which no line leads. */
function lonely(values) {
  return values.flatMap((v, i) => (v != null && values[i - 1] == null && values[i + 1] == null ? [i] : []));
}

/** Range with some air above and below; a flat line lies in the middle. */
function padded(low, high) {
  if (low == null) return [0, 1];
  const room = (high - low || Math.abs(high) || 1) * 0.08;
  return [low >= 0 && low < 3 * room ? 0 : low - room, high + room];
}

function decimals(step) {
  return Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
}

/** A colour of page.css as the canvas takes it: `light-dark()` is resolved only in a property of an element. */
function resolved(parent, name, alpha) {
  const probe = el("i");
  probe.style.color = `color-mix(in srgb, var(--${name}) ${100 * alpha}%, transparent)`;
  parent.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
