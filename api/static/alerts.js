// Firing alerts, worst first: what, where, since when, why, what to do, and the evidence.

import { el, icon, setChildren, setData, setText } from "./dom.js";
import { at } from "./routes.js";

const PSEUDO = /^_(voltair$|group-)/;
const ICON = { critical: "fault", warning: "fault", info: "info" };

export class AlertsView {
  #cards = new Map();

  /**
   * @param {{list: HTMLElement, count: HTMLElement, none: HTMLElement}} nodes
   * @param {(alert: object, call: string) => void} onAck called when someone wants to take an alert on, or has repaired it
   * @param {string | null} station show those of this station only
   */
  constructor({ list, count, none }, onAck, station = null) {
    this.list = list;
    this.count = count;
    this.none = none;
    this.onAck = onAck;
    this.station = station;
  }

  reset() {
    this.#cards.clear();
    this.list.replaceChildren();
  }

  render(model, words, known) {
    const alerts = model.sortedAlerts().filter((a) => this.station === null || a.station === this.station);
    const firing = alerts.filter((a) => model.alerts.has(a.id));
    const live = new Set(alerts.map((a) => a.id));
    for (const id of this.#cards.keys()) if (!live.has(id)) this.#cards.delete(id);
    setText(this.count, String(firing.length));
    setData(this.count, "worst", firing.length ? firing[0].severity : "none");
    this.none.hidden = !known || firing.length > 0;
    setChildren(this.list, alerts.map((alert) => {
      if (this.#cards.get(alert.id)?.alert !== alert) {
        const open = this.#cards.get(alert.id)?.node.querySelector("details").open ?? false;
        const node = card(alert, model, words, this.onAck);
        node.querySelector("details").open = open;
        this.#cards.set(alert.id, { alert, node });
      }
      const { node } = this.#cards.get(alert.id);
      const until = alert.resolved_at ? Date.parse(alert.resolved_at) : model.now(alert.station);
      const lasting = words.duration(until - Date.parse(alert.since));
      setText(node.querySelector(".lasting"), words.t("alert.lasting", { duration: lasting }));
      return node;
    }));
  }
}

function card(alert, model, words, onAck) {
  const device = model.devices.get(alert.station)?.get(`${alert.device_kind}/${alert.device}`);
  const place = device?.name || alert.device || (PSEUDO.test(alert.station) ? "" : words.t("alert.station"));
  const since = words.time(Date.parse(alert.since), model.zone(alert.station), true);
  const amount = (value) => `${words.number(value, Number.isInteger(value) ? 0 : Math.abs(value) < 1 ? 3 : 2)} ${(alert.unit ?? "").replace("m3", "m³")}`.trim();
  const firing = alert.state === "firing";
  const acked = alert.acknowledgement;
  const facts = [];
  if (alert.value != null) facts.push(`${words.t("alert.value")} ${amount(alert.value)}`);
  if (alert.threshold != null) facts.push(`${words.t("alert.limit")} ${amount(alert.threshold)}`);
  const node = el("li", { class: "alert", id: `alert-${alert.id}`, tabindex: "-1", data: { severity: firing ? alert.severity : "resolved" } },
    el("p", { class: "where" }, icon(firing ? ICON[alert.severity] : "green"),
      el("strong", { text: words.t(firing ? `severity.${alert.severity}` : "alert.resolved") }),
      el("span", {}, subject(alert.station, model, words), place && ` · ${place}`)),
    el("p", { class: "why", id: `why-${alert.id}`, text: words.pick(alert.summary) }),
    el("p", { class: "when" }, `${words.t("alert.since")} `, el("time", { datetime: alert.since, text: since }), " · ",
      el("span", { class: "lasting" }), ...facts.map((f) => ` · ${f}`),
      ...(acked ? [` · ${words.t("alert.acked", acked)}`] : [])),
    ...(alert.repair ? [el("p", { class: "repair", data: { state: alert.repair.state }, text: repairText(alert.repair, words, model.zone(alert.station)) })] : []),
    el("p", { class: "remedy" }, el("b", { text: words.t("alert.remedy") }), ` ${words.pick(alert.remedy)}`),
    el("details", {}, el("summary", { text: words.t("alert.evidence") }),
      evidence(alert),
      el("a", { href: at(`api/v1/alerts/${alert.id}`), text: `${alert.rule} · ${alert.id}` })));
  const offer = (call) => {
    const button = el("button", { type: "button", class: "take", text: words.t(`take.${call}`), "aria-describedby": `why-${alert.id}` });
    button.addEventListener("click", () => onAck(alert, call));
    node.querySelector("details").before(button, " ");
  };
  if (firing && !acked) offer("ack");
  if (firing && alert.rule === "leak" && alert.repair?.state !== "verifying") offer("repaired");
  return node;
}

/** What is known of a repair: who marked it when, and what the nights since say. */
export function repairText(repair, words, zone) {
  const moment = (time) => words.moment(Date.parse(time), zone);
  return words.t(`repair.${repair.state}`, {
    by: repair.by, at: moment(repair.at), nights: repair.nights.map(moment).join(", "),
    left: words.number(repair.leak_m3_min ?? 0, 2), note: repair.note && ` (${repair.note})`,
  });
}

/** A link to the station of an alert; the name of what has no page: Voltair itself, or a group of stations. */
function subject(id, model, words) {
  if (id === "_voltair") return el("span", { text: words.t("alert.self") });
  if (id.startsWith("_group-")) return el("span", { text: words.t("alert.group", { group: id.slice(7) }) });
  const name = model.stations.get(id)?.station.name || id;
  return el("a", { href: at(`s/${id}`), "data-route": "", text: name });
}

function evidence(alert) {
  const shown = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));
  return el("dl", {}, ...Object.entries(alert.evidence ?? {}).flatMap(
    ([name, value]) => [el("dt", { text: name }), el("dd", { text: shown(value) })]));
}
