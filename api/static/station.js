// The page of one station: how it is now, its alerts, and its history by panels.

import { airPanels } from "./air.js";
import { AlertsView } from "./alerts.js";
import { chargingPanels } from "./charging.js";
import { el, setData } from "./dom.js";
import { get } from "./fetch.js";
import { Panel } from "./panel.js";
import { RangeBar, axisOf, windowOf } from "./range.js";
import { Section, watchTiles } from "./stations.js";

const REFRESH_MS = 60_000;

export class StationView {
  #panels = [];
  #abort = new AbortController();
  #loading = false;
  #timer = 0;

  /** @param {{model: object, words: object, openDevice: Function, ack: Function}} context */
  constructor(root, id, context) {
    Object.assign(this, { root, id, ...context });
    this.section = new Section(id, false, () => this.render());
    this.ranges = new RangeBar({
      words: this.words, now: () => this.model.now(id), zone: () => this.model.zone(id), onChange: () => {
        this.#abort.abort();
        this.load();
      },
    });
    this.alertList = el("ol");
    this.alertCount = el("span", { class: "badge" });
    this.alertNone = el("p", { class: "empty", hidden: "", text: this.words.t("noAlerts") });
    this.alerts = new AlertsView({ list: this.alertList, count: this.alertCount, none: this.alertNone }, this.ack, id);
    this.panels = el("div", { class: "panels" });
    this.missing = el("p", { class: "empty", hidden: "", text: this.words.t("station.unknown", { station: id }) });
    root.replaceChildren(this.section.root, this.missing,
      el("section", { class: "alerts panel", "aria-labelledby": "station-alerts" },
        el("h2", { id: "station-alerts" }, `${this.words.t("alerts")} `, this.alertCount), this.alertList, this.alertNone),
      this.ranges.root, this.panels);
    watchTiles(this.section.root, this.openDevice);
    this.#timer = setInterval(() => this.load(), REFRESH_MS);
  }

  /** Title of the view, for the window and for readers of the screen. */
  get title() { return this.model.stations.get(this.id)?.station.name ?? this.id; }

  /** Name of the dashboard about the same. */
  get board() { return this.model.stations.get(this.id)?.station.kind === "compressed_air" ? "air" : "charging"; }

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

  #open(station) {
    const parts = station.kind === "charging" ? chargingPanels(this) : airPanels(this);
    this.#panels = parts.map(([key, load, controls]) => new Panel(this.words.t(key), load, controls));
    this.panels.replaceChildren(...this.#panels.map((p) => p.root));
    setData(this.panels, "kind", station.kind);
    this.load();
  }

  /** Load every panel: figures of what is asked for, charts from the first data on. */
  async load() {
    if (this.#loading && !this.#abort.signal.aborted) return;
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#loading = true;
    const first = Date.parse(this.model.stations.get(this.id).station.first_seen);
    this.asked = windowOf(this.model.now(this.id));
    this.span = { station: this.id, ...axisOf(this.asked, first), zoom: (from, to) => this.ranges.choose({ from, to }) };
    this.zone = this.model.zone(this.id);
    this.ranges.say(first);
    // What several panels need is asked for once.
    this.kpis = get(`stations/${this.id}/kpis`, this.asked, signal);
    this.item = get(`stations/${this.id}`, {}, signal);
    for (const shared of [this.kpis, this.item]) shared.catch(() => {}); // the panels that wait for it say so
    await Promise.all(this.#panels.map((panel) => panel.update(signal)));
    if (signal === this.#abort.signal) this.#loading = false;
  }
}
