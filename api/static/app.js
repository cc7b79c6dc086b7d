// The operator page: one stream in, everything that is wrong at a glance.

import { ackDialog } from "./ack.js";
import { AlertsView } from "./alerts.js";
import { installWorker, showAway } from "./away.js";
import { DeviceDialog } from "./details.js";
import { el, icon, setData, setText } from "./dom.js";
import { get } from "./fetch.js";
import { chosenLanguage, chosenTheme, loadWords, remember } from "./i18n.js";
import { Model, SEVERITIES } from "./model.js";
import { watchMonitor } from "./monitor.js";
import { windowOf } from "./range.js";
import { at, dashboard, linkTo, readRoute, watchRoutes } from "./routes.js";
import { StationsView } from "./stations.js";
import { openStream } from "./stream.js";
import { installTips } from "./tips.js";

const RENDER_MS = 250; // many events of one snapshot make one redraw
const THEMES = ["auto", "light", "dark"];
const COUNTS = [
  ["stations", "green"], ["devices", "live"], ["online", "active"], ["offline", "offline"], ["faulted", "fault"],
  ["critical", "fault"], ["warning", "fault"], ["info", "info"],
];

const byId = (id) => document.getElementById(id);
const model = new Model();
const dialog = new DeviceDialog(byId("device"));
const openAck = ackDialog();
const openDevice = (station, key) => dialog.show(station, key, model, words);
const takeOn = (alert, call) => openAck(alert, words, call);
const stations = new StationsView(byId("stations"), openDevice, soon);
const alerts = new AlertsView({ list: byId("alert-list"), count: byId("alerts-count"), none: byId("alerts-none") }, takeOn);
const counts = new Map();
let words = await loadWords(chosenLanguage());
let theme = chosenTheme();
let connection = "connecting";
let updatedMs = NaN; // when the stream spoke last
let pending = 0;
let route = readRoute();
let target = route.target ?? "";
let view = null; // of another address than the first screen
let opening = null; // the address whose view is being opened
let redrawCharts = () => {}; // until there is a chart

/** Views beside the first screen: fetched when someone goes there. */
const VIEWS = {
  station: async (root, context) => {
    const [{ StationView }, charts] = await Promise.all([import("./station.js"), import("./chart.js")]);
    ({ redrawCharts } = charts);
    return () => new StationView(root, route.station, context);
  },
  compare: async (root, context) => {
    const { CompareView } = await import("./compare.js");
    return () => new CompareView(root, context);
  },
  data: async (root, context) => {
    const { DataView } = await import("./data.js");
    return () => new DataView(root, context);
  },
};

/** Show what the address says; `moved` by the reader, not by opening the page. */
async function openRoute(moved) {
  route = readRoute();
  target = route.target ?? "";
  view?.close();
  view = null;
  const mine = opening = {};
  const root = byId("view");
  root.replaceChildren();
  root.hidden = route.view === "home";
  setData(byId("main"), "view", route.view);
  for (const node of document.querySelectorAll("a[id^='view-']")) {
    node.href = linkTo(node.id === "view-home" ? "" : node.id.slice(5));
    if (node.id === `view-${route.view}`) node.setAttribute("aria-current", "page");
    else node.removeAttribute("aria-current");
  }
  if (route.view !== "home") {
    const make = await VIEWS[route.view](root, { model, words, openDevice, ack: takeOn });
    if (mine !== opening) return; // the reader went on meanwhile
    view = make();
  } else if (route.alert && model.hello && !model.alerts.has(route.alert)) {
    recall(route.alert);
  }
  render();
  if (moved && !target) {
    scrollTo(0, 0);
    byId("main").focus({ preventScroll: true });
  }
}

function applyWords() {
  document.documentElement.lang = words.texts.lang;
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = words.t(node.dataset.t);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", words.t(node.dataset.label));
  byId("lang").textContent = words.language === "zh" ? "English" : "中文";
  byId("lang").lang = words.language === "zh" ? "en" : "zh";
  counts.clear();
  byId("counts").replaceChildren(...COUNTS.map(([name, look]) => {
    const number = el("b", { text: "–" });
    counts.set(name, number);
    return el("p", { class: "count", tabindex: "0", data: { count: name, def: `def.${name}` } },
      icon(look), number, el("span", { text: words.t(`count.${name}`) }));
  }));
  stations.reset();
  alerts.reset();
  applyTheme();
  openRoute(false);
}

function applyTheme() {
  document.documentElement.dataset.theme = theme;
  byId("theme").textContent = words.t(`theme.${theme}`);
  redrawCharts();
}

function render() {
  pending = 0;
  const known = model.hello !== null;
  const numbers = model.counts();
  for (const [name, node] of counts) {
    setText(node, known ? String(numbers[name]) : "–");
    setData(node.parentNode, "zero", String(numbers[name] === 0));
  }
  if (view) view.render();
  else if (route.view === "home") {
    stations.render(model, words);
    alerts.render(model, words, known);
  }
  dialog.render(model, words);
  byId("waiting").hidden = !known || numbers.stations > 0;
  byId("demo").hidden = !model.hello?.demo;
  setText(byId("version"), known ? `Voltair ${model.hello.version}` : "");
  setData(byId("connection"), "state", connection);
  setText(byId("connection-text"), words.t(`connection.${connection}`));
  const first = model.sortedStations()[0]?.station;
  showAway(byId("away"), connection === "down", updatedMs, first?.timezone, words);
  setText(byId("updated"), words.time(updatedMs, first?.timezone ?? "UTC"));
  byId("updated").title = first?.timezone ?? "UTC";
  const grafana = model.hello?.grafana_url;
  byId("grafana").hidden = !grafana;
  if (grafana) {
    const station = route.station && model.stations.has(route.station) ? { "var-station": route.station } : {};
    byId("grafana").href = dashboard(grafana, view?.board ?? "home", words.language, station, windowOf(model.now(route.station)));
  }
  const firing = SEVERITIES.slice(0, 2).reduce((n, s) => n + numbers[s], 0);
  const title = view ? `${view.title} · Voltair` : "Voltair";
  document.title = firing ? `(${firing}) ${title}` : title;
  showTarget();
}

/** Go to the alert or station of the address once it is there. */
function showTarget() {
  const node = target && byId(target);
  if (!node) return;
  target = "";
  const details = node.querySelector(":scope > details");
  if (details) details.open = true;
  node.scrollIntoView({ block: "start" });
  node.focus({ preventScroll: true });
}

/** Fetch the alert of a link in an old message, which no longer fires. */
async function recall(id) {
  try {
    model.recalled = await get(`alerts/${encodeURIComponent(id)}`);
  } catch { /* unknown, or of a station that this reader may not see: the list says what fires */ }
  soon();
}

function soon() {
  pending ||= setTimeout(render, RENDER_MS);
}

const stream = openStream({
  onEvent(name, data) {
    model.apply(name, data);
    if (name === "hello" && route.alert && !data.alerts.includes(route.alert)) recall(route.alert);
    updatedMs = model.serverNow();
    soon();
    if (name === "hello") installWorker();
  },
  onState(state) {
    if (state === connection) return;
    connection = state;
    if (state === "locked" && !byId("login").open) byId("login").showModal();
    render();
  },
});

byId("lang").addEventListener("click", async () => {
  words = await loadWords(words.language === "zh" ? "en" : "zh");
  remember("lang", words.language);
  applyWords();
});

byId("theme").addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  remember("theme", theme);
  applyTheme();
});

byId("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await fetch(at("login"), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token: byId("token").value }),
  });
  setText(byId("login-error"), answer.ok ? "" : words.t("loginWrong"));
  if (!answer.ok) return;
  byId("token").value = "";
  byId("login").close();
  stream.restart();
});


setData(document.documentElement, "kiosk", String(new URLSearchParams(location.search).get("kiosk") === "1"));
watchRoutes(openRoute);
installTips(() => words);
watchMonitor(byId("monitor"), () => words);
applyWords();
setInterval(soon, 1000); // ages of data go on while nothing arrives
