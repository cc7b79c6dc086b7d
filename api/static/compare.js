// Stations side by side: key figures of a range, by kind, in the order that the reader chooses.

import { el, setText } from "./dom.js";
import { get } from "./fetch.js";
import { RangeBar, windowOf } from "./range.js";
import { linkTo } from "./routes.js";

const AT_ONCE = 4; // calls; the browser has six connections, of which the stream takes one
/** Figures: name, unit, digits; "%" is a fraction of 1. */
const FIGURES = {
  charging: [["occupied_utilisation", "%", 1], ["charging_utilisation", "%", 1], ["uptime", "%", 2], ["energy_kwh", "kWh", 1], ["peak_kw", "kW", 1],
    ["sessions", "", 0], ["session_success_rate", "%", 1], ["transformer_loading_max", "%", 1]],
  compressed_air: [["kwh_per_m3", "kWh/m³", 4], ["energy_kwh", "kWh", 1], ["supplied_m3", "m³", 0], ["leak_share", "%", 1], ["unaccounted_share", "%", 1],
    ["unloaded_energy_share", "%", 1], ["pressure_in_band", "%", 1], ["load_factor", "%", 1]],
};

export class CompareView {
  #answers = new Map();
  #abort = new AbortController();
  #order = {}; // kind -> [column, 1 or -1]
  #asked = false;

  constructor(root, { model, words }) {
    Object.assign(this, { model, words });
    this.body = el("div", { class: "body" });
    this.state = el("p", { class: "soft", role: "status" });
    const first = () => this.model.sortedStations()[0]?.station.station;
    this.ranges = new RangeBar({
      words, now: () => model.now(first()), zone: () => model.zone(first()), onChange: () => {
        this.#abort.abort();
        this.#load();
      },
    });
    root.replaceChildren(el("section", { class: "panel", "aria-labelledby": "compare-title" },
      el("header", {}, el("h2", { id: "compare-title", text: words.t("view.compare") }), this.ranges.root), this.state, this.body));
  }

  get title() { return this.words.t("view.compare"); }

  close() { this.#abort.abort(); }

  render() {
    if (this.#asked || !this.model.complete || !this.model.stations.size) return;
    this.#asked = true;
    this.#load();
  }

  async #load() {
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#answers.clear();
    this.ranges.say();
    const waiting = this.model.sortedStations().map((s) => s.station);
    const total = waiting.length;
    const work = async () => {
      for (let station = waiting.shift(); station; station = waiting.shift()) {
        try {
          this.#answers.set(station.station, await this.#ask(station, signal));
        } catch (error) {
          if (signal.aborted) return;
          this.#answers.set(station.station, { kpis: {}, reasons: {}, coverage: null, error: error.message, station });
        }
        setText(this.state, this.words.t("compare.loaded", { done: this.#answers.size, all: total }));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    if (!signal.aborted) this.#draw();
  }

  async #ask(station, signal) {
    const found = await get(`stations/${station.station}/kpis`, windowOf(this.model.now(station.station)), signal);
    return { ...found, station };
  }

  #draw() {
    const kinds = Object.keys(FIGURES).filter((kind) => [...this.#answers.values()].some((a) => a.station.kind === kind));
    this.body.replaceChildren(...kinds.map((kind) => this.#table(kind)));
  }

  #table(kind) {
    const { words } = this;
    const columns = [["coverage", "%", 1], ...FIGURES[kind]];
    const value = (a, name) => (name === "coverage" ? a.coverage : a.kpis[name]) ?? null;
    const rows = this.model.sortedStations().map((s) => this.#answers.get(s.station.station)).filter((a) => a?.station.kind === kind);
    const [by, way] = this.#order[kind] ?? [null, 1];
    if (by) rows.sort((a, b) => (value(a, by) === null) - (value(b, by) === null) || way * (value(a, by) - value(b, by)));
    const title = words.t(`kind.${kind}`);
    return el("div", { class: "scroll", role: "group", tabindex: "0", "aria-label": title },
      el("table", { data: { kind } }, el("caption", { text: title }),
        el("thead", {}, el("tr", {}, el("th", { scope: "col", text: words.t("station") }), ...columns.map(([name, unit]) => this.#head(kind, name, unit)))),
        el("tbody", {}, ...rows.map((a) => el("tr", { data: { station: a.station.station } },
          el("th", { scope: "row" }, el("a", { href: linkTo(`s/${a.station.station}`), "data-route": "", text: a.station.name })),
          ...columns.map(([name, unit, digits]) => el("td", {
            class: "number", title: a.error ?? (a.reasons[name] && this.words.reason(a.reasons[name])), data: { kpi: name },
            text: unit === "%" ? words.percent(value(a, name), digits) : words.number(value(a, name), digits),
          })))))));
  }

  #head(kind, name, unit) {
    const [by, way] = this.#order[kind] ?? [null, 1];
    const label = this.words.t(`kpi.${name}`) + (unit && unit !== "%" ? ` [${unit}]` : "");
    const button = el("button", { type: "button", text: label });
    button.addEventListener("click", () => {
      this.#order[kind] = [name, by === name ? -way : -1];
      this.#draw();
      this.body.querySelector(`table[data-kind="${kind}"] th[data-kpi="${name}"] button`).focus();
    });
    const sort = by === name ? (way > 0 ? "ascending" : "descending") : "none";
    return el("th", { scope: "col", class: "number", "aria-sort": sort, data: { kpi: name } }, button);
  }
}
