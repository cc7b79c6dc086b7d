// The page of one station: how it is now, its alerts, and its history by panels.

import { airPanels } from "./air.js";
import { AlertsView } from "./alerts.js";
import { chargingPanels } from "./charging.js";
import { el, setData } from "./dom.js";
import { get } from "./fetch.js";
import { Panel } from "./panel.js";
import { linkTo } from "./routes.js";
import { Section, watchTiles } from "./stations.js";

const MINUTE_MS = 60_000;
const REFRESH_MS = 60_000;
/** Ranges: hours, and the rolled-up rows that they are read from. */
const RANGES = {
  "6h": { hours: 6, width: "1m", step: MINUTE_MS },
  "24h": { hours: 24, width: "15m", step: 15 * MINUTE_MS },
  "7d": { hours: 168, width: "1h", step: 60 * MINUTE_MS },
};

export class StationView {
  #panels = [];
  #abort = new AbortController();
  #loading = false;
  #timer = 0;

  /** @param {{model: object, words: object, openDevice: Function, ack: Function}} context */
  constructor(root, id, context) {
    Object.assign(this, { root, id, ...context });
    const asked = new URLSearchParams(location.search).get("range");
    this.range = asked in RANGES ? asked : "24h";
    this.section = new Section(id, false, () => this.render());
    this.head = el("div", { class: "ranges", role: "group", "aria-label": this.words.t("range") });
    this.alertList = el("ol");
    this.alertCount = el("span", { class: "badge" });
    this.alertNone = el("p", { class: "empty", text: this.words.t("noAlerts") });
    this.alerts = new AlertsView({ list: this.alertList, count: this.alertCount, none: this.alertNone }, this.ack, id);
    this.panels = el("div", { class: "panels" });
    this.missing = el("p", { class: "empty", hidden: "", text: this.words.t("station.unknown", { station: id }) });
    root.replaceChildren(this.section.root, this.missing,
      el("section", { class: "alerts panel", "aria-labelledby": "station-alerts" },
        el("h2", { id: "station-alerts" }, `${this.words.t("alerts")} `, this.alertCount), this.alertList, this.alertNone),
      this.head, this.panels);
    watchTiles(this.section.root, this.openDevice);
    this.#drawRanges();
    this.#timer = setInterval(() => this.load(), REFRESH_MS);
  }

  /** Title of the view, for the window and for readers of the screen. */
  get title() { return this.model.stations.get(this.id)?.station.name ?? this.id; }

  close() {
    clearInterval(this.#timer);
    this.#abort.abort();
  }

  render() {
    const data = this.model.stations.get(this.id);
    const known = this.model.hello !== null;
    this.section.root.hidden = !data;
    this.missing.hidden = !known || this.model.hello.stations.includes(this.id);
    if (!data) return;
    this.section.render(data, this.model, this.words);
    this.alerts.render(this.model, this.words, known);
    if (!this.#panels.length) this.#open(data.station);
  }

  #drawRanges() {
    this.head.replaceChildren(...Object.keys(RANGES).map((name) => {
      const button = el("button", { type: "button", text: this.words.t(`range.${name}`), "aria-pressed": String(name === this.range) });
      button.addEventListener("click", () => {
        const url = new URL(linkTo(`s/${this.id}`));
        url.searchParams.set("range", name);
        history.replaceState(null, "", url);
        this.range = name;
        for (const other of this.head.children) other.setAttribute("aria-pressed", String(other === button));
        this.#abort.abort();
        this.load();
      });
      return button;
    }));
  }

  #open(station) {
    const parts = station.kind === "charging" ? chargingPanels(this) : airPanels(this);
    this.#panels = parts.map(([key, load, controls]) => new Panel(this.words.t(key), load, controls));
    this.panels.replaceChildren(...this.#panels.map((p) => p.root));
    setData(this.panels, "kind", station.kind);
    this.load();
  }

  /** Load every panel for the range that ends now. */
  async load() {
    if (this.#loading && !this.#abort.signal.aborted) return;
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#loading = true;
    const { hours, width, step } = RANGES[this.range];
    const to = Math.floor(this.model.now(this.id) / MINUTE_MS) * MINUTE_MS;
    const from = Math.ceil((to - hours * 3_600_000) / step) * step;
    this.span = { station: this.id, from, to, step, width };
    this.zone = this.model.zone(this.id);
    // What several panels need is asked for once.
    this.kpis = get(`stations/${this.id}/kpis`, { from, to }, signal);
    this.item = get(`stations/${this.id}`, {}, signal);
    for (const shared of [this.kpis, this.item]) shared.catch(() => {}); // the panels that wait for it say so
    await Promise.all(this.#panels.map((panel) => panel.update(signal)));
    if (signal === this.#abort.signal) this.#loading = false;
  }
}
