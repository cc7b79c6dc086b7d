// Panels of a compressed-air station.

import { chart, onGrid } from "./chart.js";
import { el, icon, svg } from "./dom.js";
import { repairText } from "./alerts.js";
import { get, series } from "./fetch.js";
import { advicePanel } from "./advice.js";
import { statementPanel } from "./statement.js";
import { stateStrips } from "./strips.js";
import { table } from "./table.js";

const CODE_ICON = { green: "green", yellow: "fault", red: "fault", grey: "unknown" };
const PERCENT = /_(share|efficiency|baseline)$|^kwh_per_m3_of/;

/** @returns {Array<[string, (signal: AbortSignal) => Promise<Array<Node>>, Array<Node>?]>} title keys, loaders, controls */
export function airPanels(view) {
  return [
    ["panel.code", (signal) => energyCode(view, signal)],
    advicePanel(view),
    ["panel.ratio", (signal) => ratio(view, signal)],
    ["panel.flow", (signal) => flow(view, signal)],
    ["panel.pressure", (signal) => pressure(view, signal)],
    ["panel.machines", (signal) => machines(view, signal)],
    ["panel.leaks", (signal) => leaks(view, signal)],
    statementPanel(view),
  ];
}

async function lineOf(span, field, signal) {
  return onGrid([...(await series(`air_station_${span.width}`, field, span, signal)).values()][0], span);
}

const level = (line, value) => line.map(() => value);

async function ratio({ span, zone, words, item, kpis }, signal) {
  const [values, { limits }, figures] = await Promise.all([lineOf(span, "kwh_per_m3", signal), item, kpis]);
  const lines = [{ label: words.t("line.ratio"), values, look: "active" }];
  const baseline = limits.baseline_kwh_per_m3;
  if (baseline) lines.push({ label: words.t("line.baseline"), values: level(values, baseline), look: "held", dash: true });
  const whole = figures.kpis.kwh_per_m3;
  return [
    el("dl", { class: "facts" }, el("div", { data: { kpi: "kwh_per_m3" } },
      el("dt", { text: words.t("kpi.kwh_per_m3") }), el("dd", { text: `${words.number(whole, 4)} kWh/m³` }))),
    await chart({ title: words.t("panel.ratio"), unit: "kWh/m³", digits: 4, span, zone, words, lines }),
  ];
}

async function flow({ span, zone, words }, signal) {
  const values = await lineOf(span, "flow_mean_m3_min", signal);
  return [await chart({ title: words.t("panel.flow"), unit: "m³/min", digits: 1, span, zone, words, lines: [{ label: words.t("line.flow"), values, look: "active" }] })];
}

async function pressure({ span, zone, words, item }, signal) {
  const fields = ["pressure_mean_bar", "pressure_p95_bar", "pressure_p05_bar"];
  const [mean, high, low] = await Promise.all(fields.map((field) => lineOf(span, field, signal)));
  const band = (await item).limits.contract_pressure_bar;
  const lines = [
    { label: words.t("line.pressure"), values: mean, look: "active" },
    { label: "p95", values: high, look: "active", quiet: true },
    { label: "p05", values: low, look: "active", quiet: true },
  ];
  const bands = [[1, 2, "active"]];
  if (band) {
    lines.push({ label: words.t("line.contractHigh"), values: level(mean, band[1]), look: "good", dash: true },
      { label: words.t("line.contractLow"), values: level(mean, band[0]), look: "good", dash: true });
    bands.push([3, 4, "good"]);
  }
  return [await chart({ title: words.t("panel.pressure"), unit: "bar", digits: 2, span, zone, words, lines, bands })];
}

async function machines({ id, span, zone, words, model }, signal) {
  const kinds = ["compressor", "dryer"];
  const found = await Promise.all(kinds.map((kind) => series(`${kind}_${span.width}`, "status", span, signal)));
  const rows = model.sortedDevices(id).filter((row) => kinds.includes(row.kind))
    .map((row) => ({ name: row.name || row.device, points: found[kinds.indexOf(row.kind)].get(row.device) ?? [] }));
  return stateStrips(words.t("panel.machines"), rows, span, zone, words);
}

/** Name of what a figure is about: `station`, `network`, `compressor:c1`, `machine:c1`, `customer:plastics`. */
function subject(text, { id, words, model }, customers) {
  const [kind, name] = text.split(":");
  if (kind === "station") return words.t("alert.station");
  if (kind === "network") return words.t("place.network");
  if (kind === "customer") return customers.find((c) => c.customer === name)?.name ?? name;
  const devices = model.devices.get(id);
  return (devices?.get(`compressor/${name}`) ?? devices?.get(`dryer/${name}`))?.name || name;
}

async function energyCode(view, signal) {
  const { id, asked, words } = view;
  const [{ items }, { customers }] = await Promise.all([get(`stations/${id}/energy-code`, asked, signal), view.item]);
  const amount = (figure, value) => (PERCENT.test(figure) ? words.percent(value) : words.number(value, Number.isInteger(value) ? 0 : 2));
  return [el("ul", { class: "codes" }, ...items.map((item) => el("li", { data: { code: item.code } },
    el("p", {}, icon(CODE_ICON[item.code]), el("b", { text: subject(item.subject, view, customers) }), ` ${words.t(`code.${item.code}`)}`),
    ...item.reasons.map((r) => el("p", { class: "soft", text: `${words.t(`figure.${r.figure}`)} ${amount(r.figure, r.value)} > ${amount(r.figure, r.limit)}` })))))];
}

async function leaks(view, signal) {
  const { id, asked, words } = view;
  const [{ fused, methods, repairs }, { customers }] = await Promise.all([get(`stations/${id}/leaks`, asked, signal), view.item]);
  const place = (text) => (text === null ? "–" : subject(text, view, customers));
  const most = Math.max(...[fused, ...methods].map((m) => m.high ?? m.leak_m3_min ?? 0)) || 1;
  const row = (name, m, note) => [name, words.number(m.leak_m3_min, 2), rangeBar(m, most, words), place(m.place), note];
  const facts = [["share", words.percent(fused.share)], ["kwh_per_year", words.number(fused.kwh_per_year, 0)], ["money_per_year", words.number(fused.money_per_year, 0)]];
  return [
    el("dl", { class: "facts" }, ...facts.map(([name, text]) => el("div", { data: { leak: name } }, el("dt", { text: words.t(`leak.${name}`) }), el("dd", { text })))),
    table(words.t("panel.leaks"), [words.t("leak.method"), ["m³/min", "number"], words.t("leak.range"), words.t("leak.place"), words.t("leak.note")], [
      row(words.t("leak.fused"), fused, ""),
      ...methods.map((m) => row(words.t(`method.${m.method}`), m, m.usable ? "" : words.reason(m.reason))),
    ]),
    ...repairs.map((repair) => el("p", { class: "repair", data: { state: repair.state } }, place(repair.place), `: ${repairText(repair, words, view.zone)}`)),
  ];
}

/** From low to high with a mark at the estimate, on one scale for all methods. */
function rangeBar({ low, high, leak_m3_min: leak }, most, words) {
  if (leak === null) return "–";
  const x = (value) => (100 * value) / most;
  const text = `${words.number(low, 2)} – ${words.number(high, 2)}`;
  return el("span", { class: "range" }, text, svg("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { x: x(low), y: 2, width: Math.max(1, x(high) - x(low)), height: 4 }), svg("rect", { x: Math.min(99, x(leak)), width: 1.5, height: 8, class: "mark" })));
}
