// Advice in force: what to change now and what it brings. Voltair switches nothing.

import { el } from "./dom.js";
import { get } from "./fetch.js";
import { foldedTable, table } from "./table.js";

/** What a kind of advice shows beside its text. */
const MORE = { ordered_charging: ordered, scorecard };

export function advicePanel(view) {
  return ["panel.advice", (signal) => advice(view, signal)];
}

async function advice({ id, zone, words, item }, signal) {
  const [{ at, items, reasons }, { limits }] = await Promise.all([get(`stations/${id}/advice`, {}, signal), item]);
  const none = Object.entries(reasons).map(([type, reason]) => el("li", { class: "soft" }, `${words.t(`advice.${type}`)}: `, words.reason(reason)));
  if (at === null) return [el("p", { class: "soft", text: words.t("noData") })];
  return [
    el("ul", { class: "advice" }, ...items.map((it) => el("li", {},
      el("p", {}, el("b", { text: `${words.t(`advice.${it.type}`)}. ` }), words.pick(it.text)),
      ...(it.saving_kw ? [el("p", { class: "soft", text: saving(it, limits.currency, words) })] : []), ...(MORE[it.type]?.(it, words) ?? []))), ...none),
    el("p", { class: "soft" }, el("time", { datetime: at, text: words.moment(Date.parse(at), zone) })),
  ];
}

function saving({ saving_kw: kw, saving_money_per_h: money }, currency, words) {
  const text = words.t("advice.saving", { kw: words.number(kw, 1) });
  return money === null ? text : `${text} · ${words.number(money, 2)} ${currency ?? ""}/h`;
}

function ordered({ limits, ports }, words) {
  const head = ["limit", "most", "other", "advised", "headroom"].map((name, i) => (i ? [words.t(`advice.${name}`), "number"] : words.t(`advice.${name}`)));
  const rows = limits.map((l) => [`${words.t(`limit.${l.limit}`)} [${l.unit}]`, ...[l.most, l.other, l.advised, l.headroom].map((v) => words.number(v, 1))]);
  const portHead = [words.t("field.port"), [`${words.t("advice.should")} [kW]`, "number"], ["[A]", "number"], [`${words.t("advice.now")} [kW]`, "number"]];
  const portRows = () => ports.map((p) => [p.port, words.number(p.power_kw, 1), words.number(p.current_a, 1), words.number(p.present_power_kw, 1)]);
  return [
    table(words.t("advice.limit"), head, rows),
    ...(ports.length ? [foldedTable(words.t("advice.ports", { count: ports.length }), () => table(words.t("advice.should"), portHead, portRows()))] : []),
  ];
}

function scorecard({ actual, advice: advised }, words) {
  const scores = [["delivered", "percent"], ["met", "percent"], ["peak_kw", "number"], ["violation_min", "number"], ["curtailed_min", "number"]];
  const head = [words.t("score.score"), [words.t("score.actual"), "number"], [words.t("score.advice"), "number"]];
  return [table(words.t("advice.scorecard"), head, scores.map(([name, show]) => [words.t(`score.${name}`), words[show](actual[name], 1), words[show](advised[name], 1)]))];
}
