// A section per station: health, headline numbers, a bar of states, and a tile per device.

import { el, icon, setChildren, setData, setIcon, setText } from "./dom.js";
import { HEADLINE, LOOKS, lookOf, mainDevices, shownState, stationMetrics } from "./model.js";
import { at } from "./routes.js";

const HEALTH_ICON = { red: "fault", yellow: "fault", green: "green", grey: "unknown" };
const OPEN_STATIONS = 6; // with more, stations stand in columns and their devices open on demand
const DENSE_TILES = 120; // of one kind; with more, tiles shrink to name and number
const PARTIAL = 0.95;

export class StationsView {
  #sections = new Map();

  /**
   * @param {HTMLElement} root
   * @param {(station: string, key: string) => void} onDevice called when a tile is chosen
   * @param {() => void} onOpen called when devices are to be shown that were not
   */
  constructor(root, onDevice, onOpen) {
    this.root = root;
    this.onOpen = onOpen;
    watchTiles(root, onDevice);
  }

  /** Forget all elements, as after a change of language. */
  reset() {
    this.#sections.clear();
    this.root.replaceChildren();
  }

  render(model, words) {
    const stations = model.sortedStations();
    const live = new Set(stations.map((s) => s.station.station));
    for (const id of this.#sections.keys()) if (!live.has(id)) this.#sections.delete(id);
    const few = (model.hello?.stations.length ?? 0) <= OPEN_STATIONS;
    setData(this.root, "many", String(!few));
    const nodes = stations.map((data) => {
      const id = data.station.station;
      if (!this.#sections.has(id)) this.#sections.set(id, new Section(id, few, this.onOpen));
      const section = this.#sections.get(id);
      section.render(data, model, words);
      return section.root;
    });
    setChildren(this.root, nodes);
  }
}

/** One station as it is now: used in the wall, and at the head of its own page. */
export class Section {
  #metrics = [];
  #groups = new Map();
  #tiles = new Map();
  #segments = new Map();
  #legend = new Map();

  constructor(id, open, onOpen) {
    this.id = id;
    this.root = el("article", { class: "station", id: `station-${id}`, tabindex: "-1" });
    this.healthIcon = icon("unknown");
    this.healthText = el("span");
    this.health = el("p", { class: "health", tabindex: "0", "data-def": "def.health" }, this.healthIcon, this.healthText);
    this.kindIcon = icon("charging");
    this.name = el("a", { href: at(`s/${id}`), "data-route": "" });
    this.title = el("h2", { id: `station-${id}-name` }, this.name);
    this.kind = el("p", { class: "kind" });
    this.seen = el("time");
    this.root.setAttribute("aria-labelledby", this.title.id);
    this.numbers = el("dl", { class: "numbers" });
    this.bar = el("div", { class: "bar", "aria-hidden": "true" });
    this.legend = el("ul", { class: "legend", tabindex: "0", "data-def": "def.states" });
    this.summary = el("summary", {}, this.legend);
    this.groups = el("div", { class: "groups" });
    this.details = el("details", { class: "devices" }, this.summary, this.groups);
    this.details.open = open;
    this.details.addEventListener("toggle", onOpen);
    this.root.append(
      el("header", {}, this.kindIcon, el("div", {}, this.title, this.kind), this.health),
      this.numbers, this.bar, this.details);
  }

  render(data, model, words) {
    const { station } = data;
    const rows = model.sortedDevices(this.id);
    setData(this.root, "health", station.health);
    setIcon(this.healthIcon, HEALTH_ICON[station.health]);
    setText(this.healthText, words.t(`health.${station.health}`));
    setIcon(this.kindIcon, station.kind);
    setText(this.name, station.name || this.id);
    const seen = words.time(Date.parse(station.last_seen), model.zone(this.id));
    setText(this.kind, `${words.t(`kind.${station.kind}`)} · ${this.id} · ${seen}`);
    this.#renderMetrics(data, rows, words);
    this.#renderStates(mainDevices(station.kind, rows), words);
    if (this.details.open) this.#renderTiles(rows, model, words);
  }

  #renderMetrics(data, rows, words) {
    stationMetrics(data, rows).forEach(([name, value, unit, digits, definition, kpi], i) => {
      if (!this.#metrics[i]) {
        const number = el("b");
        const label = el("dt");
        const box = el("div", { tabindex: "0" }, label, el("dd", {}, number, el("span", { class: "unit" })));
        this.#metrics[i] = { box, label, number, unit: box.querySelector(".unit") };
        this.numbers.append(box);
      }
      const { box, label, number, unit: unitNode } = this.#metrics[i];
      // A figure of an hour of which little is known must not look like a whole one.
      const partial = kpi && value != null && data.coverage < PARTIAL;
      const known = partial ? ` · ${words.t("metric.known", { percent: words.number(100 * data.coverage, 0) })}` : "";
      setText(label, words.t(`metric.${name}`) + known);
      setText(number, words.number(value, digits));
      setText(unitNode, unit);
      const reason = value == null && kpi ? data.reasons?.[kpi] : null;
      const text = words.t(`def.${definition}`);
      setData(box, "tip", reason ? `${text} ${words.t("noNumber", { reason: words.reason(reason) })}` : text);
    });
  }

  #renderStates(rows, words) {
    const looks = new Map();
    const states = new Map();
    for (const row of rows) {
      const state = shownState(row);
      looks.set(lookOf(state), (looks.get(lookOf(state)) ?? 0) + 1);
      states.set(state, (states.get(state) ?? 0) + 1);
    }
    setChildren(this.bar, LOOKS.filter((look) => looks.has(look)).map((look) => {
      if (!this.#segments.has(look)) this.#segments.set(look, el("i", { data: { look } }));
      const segment = this.#segments.get(look);
      const grow = String(looks.get(look));
      if (segment.style.flexGrow !== grow) segment.style.flexGrow = grow;
      return segment;
    }));
    const order = [...states.keys()].sort((a, b) => LOOKS.indexOf(lookOf(a)) - LOOKS.indexOf(lookOf(b)) || (a < b ? -1 : 1));
    setChildren(this.legend, order.map((state) => {
      if (!this.#legend.has(state)) {
        const count = el("b");
        const node = el("li", { data: { look: lookOf(state) } }, icon(lookOf(state)), count,
          ` ${words.t(`state.${state}`)}`);
        this.#legend.set(state, { node, count });
      }
      const { node, count } = this.#legend.get(state);
      setText(count, String(states.get(state)));
      return node;
    }));
  }

  #renderTiles(rows, model, words) {
    const now = model.now(this.id);
    const byKind = new Map();
    for (const row of rows) {
      const key = `${row.kind}/${row.device}`;
      if (!this.#tiles.has(key)) this.#tiles.set(key, new Tile(this.id, key));
      const tile = this.#tiles.get(key);
      tile.render(row, now, words);
      if (!byKind.has(row.kind)) byKind.set(row.kind, []);
      byKind.get(row.kind).push(tile.item);
    }
    const groups = [...byKind].map(([kind, items]) => {
      if (!this.#groups.has(kind)) {
        const list = el("ul", { class: "tiles" });
        const group = el("section", { class: "group", data: { kind } }, el("h3", { text: words.t(`devices.${kind}`) }), list);
        this.#groups.set(kind, { group, list });
      }
      const { group, list } = this.#groups.get(kind);
      list.toggleAttribute("data-dense", items.length > DENSE_TILES);
      setChildren(list, items);
      // One stop of the Tab key per group: arrows move inside it.
      if (!list.querySelector("[tabindex='0']")) items[0].firstChild.tabIndex = 0;
      return group;
    });
    setChildren(this.groups, groups);
  }
}

class Tile {
  constructor(station, key) {
    this.icon = icon("unknown");
    this.name = el("span", { class: "name" });
    this.age = el("span", { class: "age" });
    this.number = el("b");
    this.unit = el("span", { class: "unit" });
    this.state = el("span", { class: "state" });
    this.button = el("button", { type: "button", class: "tile", tabindex: "-1", data: { station, key } },
      el("span", { class: "top" }, this.icon, this.name, this.age),
      el("span", { class: "value" }, this.number, this.unit), this.state);
    this.item = el("li", {}, this.button);
  }

  render(row, now, words) {
    const state = shownState(row);
    const [channel, unit, digits] = HEADLINE[row.kind];
    const seen = Date.parse(row.last_seen);
    // What an offline device said last is history, not its value now.
    const value = state === "offline" ? null : row.values[channel];
    setData(this.button, "look", lookOf(state));
    setIcon(this.icon, lookOf(state));
    setText(this.name, row.kind === "port" ? row.device : row.name || row.device);
    setText(this.age, Number.isNaN(seen) ? "" : words.duration(now - seen));
    setText(this.number, words.number(value, digits));
    setText(this.unit, unit);
    setText(this.state, words.t(`state.${state}`) + (row.registered ? "" : ` · ${words.t("unregistered")}`));
    setData(this.button, "tip", `${row.name || row.device}. ${words.t(`def.${channel}`)} ${words.t("def.age")}`);
  }
}

/** Let tiles below `root` be chosen by pointer and keyboard. */
export function watchTiles(root, onDevice) {
  root.addEventListener("click", (event) => {
    const tile = event.target.closest(".tile");
    if (tile) onDevice(tile.dataset.station, tile.dataset.key);
  });
  root.addEventListener("keydown", moveFocus);
}

/** Arrow keys move between the tiles of a group, Home and End to its ends. */
function moveFocus(event) {
  const tile = event.target.closest(".tile");
  if (!tile) return;
  const tiles = [...tile.closest(".tiles").querySelectorAll(".tile")];
  const at = tiles.indexOf(tile);
  const columns = tiles.findIndex((t) => t.offsetTop > tiles[0].offsetTop);
  const row = columns < 0 ? tiles.length : columns;
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + row, ArrowUp: at - row, Home: 0, End: tiles.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const next = tiles[to];
  if (!next) return;
  tile.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}
