// Panels of a charging station.

import { advicePanel } from "./advice.js";
import { chart, onGrid } from "./chart.js";
import { el } from "./dom.js";
import { all, series } from "./fetch.js";
import { coarser } from "./range.js";
import { shareStrip, stateStrips } from "./strips.js";
import { files, foldedTable, table } from "./table.js";

const SESSIONS_SHOWN = 100; // newest; the API has all
const HOURS = [
  ["charging_h", "active"], ["idle_h", "held"], ["reserved_h", "live"], ["available_h", "free"], ["unavailable_h", "out"],
  ["faulted_h", "fault"], ["offline_h", "offline"], ["unknown_h", "unknown"],
];

/** @returns {Array<[string, (signal: AbortSignal) => Promise<Array<Node>>]>} title keys and loaders */
export function chargingPanels(view) {
  return [
    ["panel.utilisation", (signal) => utilisation(view, signal)],
    ["panel.power", (signal) => power(view, signal)],
    advicePanel(view),
    ["panel.ports", (signal) => ports(view, signal)],
    ["panel.sessions", (signal) => sessions(view, signal)],
    ["panel.uptime", (signal) => uptime(view, signal)],
  ];
}

async function utilisation({ span, zone, words, kpis }, signal) {
  const rows = `charging_station_${span.width}`;
  const [whole, ...parts] = await Promise.all(["window_h", ...HOURS.map(([field]) => field)].map(
    async (field) => onGrid([...(await series(rows, field, span, signal)).values()][0], span)));
  const figures = (await kpis).kpis;
  const shares = HOURS.map(([field, look], i) => ({
    look, label: words.t(`hours.${field}`), values: parts[i].map((h, k) => (whole[k] ? h / whole[k] : null)),
  }));
  const facts = ["occupied_utilisation", "charging_utilisation", "idle_utilisation", "uptime"].map((name) => el("div", { data: { kpi: name } },
    el("dt", { text: words.t(`kpi.${name}`) }), el("dd", { text: words.percent(figures[name]) })));
  const label = `${words.t("panel.utilisation")}: ${words.t("kpi.occupied_utilisation")} ${words.percent(figures.occupied_utilisation)}`;
  return [el("dl", { class: "facts" }, ...facts), ...shareStrip(label, shares, span, zone, words)];
}

async function power({ span, zone, words, item }, signal) {
  const rows = `charging_station_${span.width}`;
  const [mean, peak, { limits }] = await Promise.all([series(rows, "power_kw", span, signal), series(rows, "peak_kw", span, signal), item]);
  const line = (found) => onGrid([...found.values()][0], span);
  const level = (value) => lines[0].values.map(() => value);
  const lines = [
    { label: words.t("line.peak"), values: line(peak), look: "held" },
    { label: words.t("line.power"), values: line(mean), look: "active" },
  ];
  if (limits.transformer_kva) {
    lines.push({ label: words.t("line.transformer"), values: level(limits.transformer_kva), look: "fault", dash: true, unit: "kVA" });
  }
  if (limits.contract_kw) lines.push({ label: words.t("line.contract"), values: level(limits.contract_kw), look: "out", dash: true });
  return [await chart({ title: words.t("panel.power"), unit: "kW", digits: 1, span, zone, words, lines })];
}

async function ports({ id, span, zone, words, model }, signal) {
  const devices = model.sortedDevices(id).filter((row) => row.kind === "port");
  const axis = coarser(span, devices.length);
  const found = await series(`port_${axis.width}`, "status", axis, signal);
  const rows = devices.map((row) => ({ name: row.device, points: found.get(row.device) ?? [] }));
  const note = axis.step > span.step ? [el("p", { class: "soft", text: words.t("strips.step", { step: words.duration(axis.step) }) })] : [];
  return [...stateStrips(words.t("panel.ports"), rows, axis, zone, words), ...note];
}

async function sessions({ id, asked, zone, words }, signal) {
  const { from, to } = asked;
  const items = await all(`stations/${id}/sessions`, asked, signal);
  const newest = items.slice(-SESSIONS_SHOWN).reverse();
  const moment = (text) => (text === null ? words.t("session.open") : words.moment(Date.parse(text), zone));
  const head = [words.t("field.port"), words.t("session.start"), words.t("session.end"), [`${words.t("session.energy")} [kWh]`, "number"],
    [`${words.t("session.peak")} [kW]`, "number"], [words.t("session.charging"), "number"], [words.t("session.idle"), "number"], words.t("session.outcome")];
  const rows = newest.map((s) => [s.port, moment(s.start), moment(s.end), words.number(s.energy_kwh, 2), words.number(s.peak_kw, 1),
    words.duration(1000 * s.charging_s), words.duration(1000 * s.idle_s), s.outcome ? words.t(`outcome.${s.outcome}`) : "–"]);
  return [
    el("p", { class: "soft", text: words.t("session.count", { shown: rows.length, all: items.length }) }),
    ...(rows.length ? [table(words.t("panel.sessions"), head, rows)] : []),
    files(`stations/${id}/sessions?from=${from}&to=${to}`),
  ];
}

async function uptime({ id, asked, zone, words }, signal) {
  const { from, to } = asked;
  const items = await all(`stations/${id}/uptime`, asked, signal);
  const minutes = (value) => words.number(value, Number.isInteger(value) ? 0 : 1);
  const head = [words.t("field.port"), [words.t("uptime.uptime"), "number"], [`${words.t("uptime.outage")} [min]`, "number"],
    [`${words.t("uptime.excluded")} [min]`, "number"], [words.t("uptime.outages"), "number"]];
  const rows = items.map((p) => [p.port, words.percent(p.uptime, 2), minutes(p.outage_min), minutes(p.excluded_min), words.number(p.outages.length, 0)]);
  const outages = items.flatMap((p) => p.outages.map((o) => [p.port, words.moment(Date.parse(o.from), zone), words.moment(Date.parse(o.to), zone),
    words.t(`cause.${o.cause}`), o.excluded ? words.t("uptime.isExcluded") : ""]));
  const outageHead = [words.t("field.port"), words.t("field.from"), words.t("field.to"), words.t("uptime.cause"), words.t("uptime.excluded")];
  return [
    table(words.t("panel.uptime"), head, rows),
    foldedTable(words.t("uptime.list", { count: outages.length }), () => table(words.t("uptime.outages"), outageHead, outages)),
    files(`stations/${id}/uptime?from=${from}&to=${to}`),
  ];
}
