// The operator page: one stream in, everything that is wrong at a glance.

import { AlertsView } from "./alerts.js";
import { DeviceDialog } from "./details.js";
import { el, icon, setData, setText } from "./dom.js";
import { chosenLanguage, chosenTheme, loadWords, remember } from "./i18n.js";
import { Model, SEVERITIES } from "./model.js";
import { watchMonitor } from "./monitor.js";
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
const stations = new StationsView(byId("stations"), (station, key) => dialog.show(station, key, model, words), soon);
const alerts = new AlertsView(byId("alert-list"), byId("alerts-count"), byId("alerts-none"));
const counts = new Map();
let words = await loadWords(chosenLanguage());
let theme = chosenTheme();
let connection = "connecting";
let updatedMs = NaN;
let pending = 0;
const asked = new URLSearchParams(location.search);
let target = location.hash.slice(1)
  || (asked.has("alert") ? `alert-${asked.get("alert")}` : asked.has("station") ? `station-${asked.get("station")}` : "");

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
  render();
}

function applyTheme() {
  document.documentElement.dataset.theme = theme;
  byId("theme").textContent = words.t(`theme.${theme}`);
}

function render() {
  pending = 0;
  const known = model.hello !== null;
  const numbers = model.counts();
  for (const [name, node] of counts) {
    setText(node, known ? String(numbers[name]) : "–");
    setData(node.parentNode, "zero", String(numbers[name] === 0));
  }
  stations.render(model, words);
  alerts.render(model, words, known);
  dialog.render(model, words);
  byId("waiting").hidden = !known || numbers.stations > 0;
  byId("demo").hidden = !model.hello?.demo;
  setText(byId("version"), known ? `Voltair ${model.hello.version}` : "");
  setData(byId("connection"), "state", connection);
  setText(byId("connection-text"), words.t(`connection.${connection}`));
  const first = model.sortedStations()[0]?.station;
  setText(byId("updated"), words.time(updatedMs, first?.timezone ?? "UTC"));
  byId("updated").title = first?.timezone ?? "UTC";
  const firing = SEVERITIES.slice(0, 2).reduce((n, s) => n + numbers[s], 0);
  document.title = firing ? `(${firing}) Voltair` : "Voltair";
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
  const answer = await fetch(`api/v1/alerts/${encodeURIComponent(id)}`);
  if (answer.ok) model.recalled = await answer.json();
  soon();
}

function soon() {
  pending ||= setTimeout(render, RENDER_MS);
}

const stream = openStream({
  onEvent(name, data) {
    model.apply(name, data);
    if (name === "hello" && asked.has("alert") && !data.alerts.includes(asked.get("alert"))) recall(asked.get("alert"));
    updatedMs = model.serverNow();
    soon();
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
  const answer = await fetch("login", {
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

addEventListener("hashchange", () => {
  target = location.hash.slice(1);
  showTarget();
});

installTips(() => words);
watchMonitor(byId("monitor"), () => words);
applyWords();
setInterval(soon, 1000); // ages of data go on while nothing arrives
