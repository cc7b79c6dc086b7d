// Data health: how far the river is, what could not be read, and who reports without being listed.

import { el } from "./dom.js";
import { get } from "./fetch.js";
import { Panel } from "./panel.js";
import { table } from "./table.js";
import { webhooks } from "./webhooks.js";

const EVERY_MS = 5_000;
const LETTERS_SHOWN = 100; // newest
const COUNTERS = ["received", "acknowledged", "dead_lettered", "rejected", "journalled", "written", "analysed", "too_late", "future", "kind_mismatch",
  "derived_pending", "deliveries_pending"];
/** Kind of device -> its list in stations.toml. */
const LISTS = {
  port: "ports", site_meter: "site_meters", compressor: "compressors", dryer: "dryers", auxiliary: "auxiliaries",
  air_main: "air_mains", air_meter: "air_meters",
};

export class DataView {
  #abort = new AbortController();
  #timer = 0;
  #toml = "";
  #newest = []; // dead letters, oldest first
  #cursor = 0; // id of the last one that was read

  constructor(root, { model, words }) {
    Object.assign(this, { model, words });
    this.progress = new Panel(words.t("panel.progress"), (signal) => this.#progress(signal));
    this.letters = new Panel(words.t("panel.letters"), (signal) => this.#letters(signal));
    this.webhooks = new Panel(words.t("panel.webhooks"), (signal) => webhooks(words, signal));
    this.adopt = el("div", { class: "body" });
    root.replaceChildren(this.progress.root, el("section", { class: "panel", "aria-labelledby": "adopt-title" },
      el("header", {}, el("h2", { id: "adopt-title", text: words.t("panel.adopt") })), this.adopt), this.webhooks.root, this.letters.root);
    this.#update();
    this.#timer = setInterval(() => this.#update(), EVERY_MS);
  }

  get title() { return this.words.t("view.data"); }

  get board() { return "health"; }

  close() {
    clearInterval(this.#timer);
    this.#abort.abort();
  }

  #update() {
    this.progress.update(this.#abort.signal);
    this.webhooks.update(this.#abort.signal);
    this.letters.update(this.#abort.signal);
  }

  render() {
    const toml = adoptionToml(this.model);
    if (toml === this.#toml && this.adopt.childElementCount) return;
    this.#toml = toml;
    const { words } = this;
    if (!toml) return this.adopt.replaceChildren(el("p", { class: "soft", text: words.t("adopt.none") }));
    const copy = el("button", { type: "button", text: words.t("copy") });
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(this.#toml);
      copy.textContent = words.t("copied");
    });
    this.adopt.replaceChildren(el("p", { text: words.t("adopt.help") }),
      el("pre", { tabindex: "0", role: "group", "aria-label": words.t("panel.adopt") }, el("code", { text: toml })),
      ...(navigator.clipboard ? [copy] : []));
  }

  async #progress(signal) {
    const { words, model } = this;
    const found = await get("progress", {}, signal);
    const facts = COUNTERS.map((name) => el("div", { data: { counter: name } }, el("dt", { text: words.t(`counter.${name}`) }), el("dd", { text: words.number(found[name], 0) })));
    const marks = Object.entries(found.watermark).map(([station, time]) => [station, time === null ? "–" : words.time(Date.parse(time), model.zone(station), true)]);
    return [
      el("p", { data: { connected: String(found.connected) }, text: words.t(found.connected ? "progress.connected" : "progress.notConnected") }),
      el("dl", { class: "facts" }, ...facts),
      ...(marks.length ? [table(words.t("progress.watermark"), [words.t("station"), words.t("progress.watermark")], marks)] : []),
    ];
  }

  async #letters(signal) {
    const { words } = this;
    for (let more = true; more;) {
      const found = await get("dead-letters", { limit: 1_000, cursor: this.#cursor }, signal);
      this.#cursor = found.items.at(-1)?.id ?? this.#cursor;
      this.#newest = [...this.#newest, ...found.items].slice(-LETTERS_SHOWN);
      more = found.next_cursor !== null;
    }
    if (!this.#newest.length) return [el("p", { class: "soft", text: words.t("letters.none") })];
    const rows = [...this.#newest].reverse().map((x) => [String(x.id), words.time(Date.parse(x.time), "UTC", true), x.topic,
      el("span", { lang: "en", text: x.reason }), el("code", { text: (x.payload ?? x.payload_base64).slice(0, 200) })]);
    return [el("p", { text: words.t("letters.help") }),
      table(words.t("panel.letters"), ["#", "UTC", words.t("letters.topic"), words.t("letters.reason"), words.t("letters.payload")], rows)];
  }
}

/** What to add to stations.toml so that every device that reports is listed; "" where all are. */
export function adoptionToml(model) {
  const parts = [];
  for (const { station } of model.sortedStations()) {
    const rows = model.sortedDevices(station.station).filter((row) => !row.registered);
    if (!rows.length) continue;
    if (!station.registered) parts.push(`[stations.${station.station}]`, `kind = "${station.kind}"`, "");
    for (const row of rows) parts.push(`[[stations.${station.station}.${LISTS[row.kind]}]]`, `id = "${row.device}"`, "");
  }
  return parts.join("\n").trim();
}
