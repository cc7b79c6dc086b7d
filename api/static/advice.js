// Advice in force: what to change now and what it brings. Voltair switches nothing.

import { el } from "./dom.js";
import { get } from "./fetch.js";

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
      ...(it.saving_kw ? [el("p", { class: "soft", text: saving(it, limits.currency, words) })] : []))), ...none),
    el("p", { class: "soft" }, el("time", { datetime: at, text: words.moment(Date.parse(at), zone) })),
  ];
}

function saving({ saving_kw: kw, saving_money_per_h: money }, currency, words) {
  const text = words.t("advice.saving", { kw: words.number(kw, 1) });
  return money === null ? text : `${text} · ${words.number(money, 2)} ${currency ?? ""}/h`;
}
