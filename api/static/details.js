// The dialog of one device: every channel with its last value.

import { el, icon, setChildren } from "./dom.js";
import { HEADLINE, lookOf, shownState } from "./model.js";
import { windowOf } from "./range.js";
import { at, dashboard } from "./routes.js";

export class DeviceDialog {
  #open = null;

  constructor(dialog) {
    this.dialog = dialog;
    dialog.addEventListener("close", () => { this.#open = null; });
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  }

  show(station, key, model, words) {
    this.#open = { station, key };
    this.render(model, words);
    this.dialog.showModal();
  }

  render(model, words) {
    if (!this.#open) return;
    const { station, key } = this.#open;
    const row = model.devices.get(station)?.get(key);
    if (!row) return this.dialog.close();
    const state = shownState(row);
    const seen = Date.parse(row.last_seen);
    const age = words.t("age", { duration: words.duration(model.now(station) - seen) });
    const facts = [
      [words.t("field.kind"), words.t(`devices.${row.kind}`)],
      [words.t("field.lastSeen"), Number.isNaN(seen) ? "–" : `${words.time(seen, model.zone(station), true)} · ${age}`],
      ...Object.entries(row.values).filter(([, value]) => value != null)
        .map(([name, value]) => [words.t(`channel.${name}`), shown(name, value, model.zone(station), words)]),
    ];
    const series = new URLSearchParams({ measurement: row.kind, station, device: row.device, field: HEADLINE[row.kind][0] });
    const close = this.dialog.querySelector("button") ?? el("button", { type: "button" });
    close.textContent = words.t("close");
    close.onclick = () => this.dialog.close();
    setChildren(this.dialog, [
      el("h2", { id: "device-title", text: row.name || row.device }),
      el("p", { class: "state", data: { look: lookOf(state) } }, icon(lookOf(state)), ` ${words.t(`state.${state}`)}`),
      el("dl", {}, ...facts.flatMap(([name, value]) => [el("dt", { text: name }), el("dd", { text: String(value) })])),
      el("p", {}, el("a", { href: at(`api/v1/series?${series}`), text: `${station}/${row.device}` }), ...grafanaLink(station, row, model, words)),
      close,
    ]);
  }
}

/** A value of a channel: a time, a number, or a word of the device. */
function shown(name, value, zone, words) {
  if (typeof value !== "number") return value;
  return name === "departure" ? words.date(value, zone) : words.number(value, Number.isInteger(value) ? 0 : 3);
}

/** A link to the dashboard of a port, where a Grafana is known. */
function grafanaLink(station, row, model, words) {
  const { grafana_url: grafana } = model.hello;
  if (!grafana || row.kind !== "port") return [];
  const href = dashboard(grafana, "port", words.language, { "var-station": station, "var-port": row.device }, windowOf(model.now(station)));
  return [" · ", el("a", { href, target: "_blank", rel: "noopener", text: "Grafana" })];
}
