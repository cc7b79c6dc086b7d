// Statement of a month: what each customer of an air station owes.

import { el } from "./dom.js";
import { get } from "./fetch.js";
import { files, table } from "./table.js";

const MONTHS = 12;

/** @returns {[string, (signal: AbortSignal) => Promise<Array<Node>>, Array<Node>]} title key, loader, controls */
export function statementPanel(view) {
  const { words } = view;
  const choice = el("select", { "aria-label": words.t("statement.month") });
  const body = el("div");
  const load = async (signal) => {
    if (!choice.options.length) choice.append(...months(view.model.now(view.id), view.zone).map((m) => el("option", { value: m, text: m })));
    body.replaceChildren(...(await statement(view, choice.value, signal)));
    return [body];
  };
  choice.addEventListener("change", () => load().catch((error) => body.replaceChildren(el("p", { class: "error", text: error.message }))));
  return ["panel.statement", load, [choice]];
}

/** The station's present month and those before. */
function months(now, zone) {
  const [year, month] = new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit" }).format(now).split("-").map(Number);
  return Array.from({ length: MONTHS }, (_, i) => new Date(Date.UTC(year, month - 1 - i, 1)).toISOString().slice(0, 7));
}

async function statement({ id, words, zone, item }, month, signal) {
  const [found, { customers }] = await Promise.all([get(`stations/${id}/statement`, { month }, signal), item]);
  const name = (customer) => customers.find((c) => c.customer === customer)?.name ?? customer;
  const issued = found.issued ? words.t("statement.issued", { when: words.moment(Date.parse(found.issued), zone) }) : words.t("statement.draft");
  const money = found.currency ?? "";
  const head = [words.t("statement.customer"), ["m³", "number"], [`${money}/m³`, "number"], [`${words.t("statement.amount")} [${money}]`, "number"],
    [words.t("statement.loss"), "number"], [`${words.t("statement.savings")} [kWh]`, "number"], [words.t("statement.coverage"), "number"]];
  const rows = found.customers.map((c) => [name(c.customer), words.number(c.volume_m3, 0), words.number(c.price_per_m3, 4), words.number(c.amount, 2),
    words.percent(c.loss_share), words.number(c.savings_kwh, 0), words.percent(c.coverage)]);
  return [
    el("p", { class: "soft", text: issued }),
    rows.length ? table(`${words.t("panel.statement")} ${month}`, head, rows) : el("p", { class: "soft", text: words.t("statement.none") }),
    files(`stations/${id}/statement?month=${month}`),
  ];
}
