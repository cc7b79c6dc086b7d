// What the page knows: stations, their devices, firing alerts. No DOM here.

export const SEVERITIES = ["critical", "warning", "info"];

const KINDS = ["port", "site_meter", "compressor", "dryer", "auxiliary", "air_main", "air_meter"];
const OCCUPIED = new Set(["Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Occupied"]);
const LOOK = {
  Charging: "active", loaded: "active", running: "active",
  Preparing: "held", SuspendedEV: "held", SuspendedEVSE: "held", Finishing: "held", Occupied: "held", Reserved: "held",
  unloaded: "held", loading: "held", unloading: "held", starting: "held", stopping: "held",
  Available: "free", stopped: "free", Unavailable: "out", Faulted: "fault", fault: "fault",
};
/** Looks in the order in which bars and legends show them. */
export const LOOKS = ["active", "live", "held", "free", "out", "fault", "offline", "unknown"];

/** The one number of a tile: channel, unit and digits by kind of device. */
export const HEADLINE = {
  port: ["power_kw", "kW", 1],
  site_meter: ["power_kw", "kW", 1],
  compressor: ["power_kw", "kW", 1],
  dryer: ["dew_point_c", "°C", 1],
  auxiliary: ["power_kw", "kW", 1],
  air_main: ["pressure_bar", "bar", 2],
  air_meter: ["flow_m3_min", "m³/min", 2],
};

const natural = new Intl.Collator("en", { numeric: true });

/** State of a device as shown: `offline` and `never` come before what it said last; meters without a state are `live`. */
export function shownState(row) {
  if (row.last_seen == null) return "never";
  if (row.online === false) return "offline";
  return row.state ?? "live";
}

/** Look (colour and icon) of a shown state. */
export function lookOf(state) {
  return { offline: "offline", never: "unknown", live: "live" }[state] ?? LOOK[state] ?? "unknown";
}

export class Model {
  stations = new Map(); // id -> data of the last `kpi` event
  devices = new Map(); // station -> Map(kind/device -> row)
  alerts = new Map(); // id -> data of the last `alert` event
  hello = null;
  recalled = null; // an alert that the address asks for, though it no longer fires
  #replace = new Set(); // stations whose next `device` event is the whole picture
  #offsetMs = 0; // server's clock - browser's clock

  apply(name, data) {
    if (name === "hello" || name === "time") this.#offsetMs = Date.parse(data.time) - Date.now();
    if (name === "hello") this.#begin(data);
    if (name === "kpi") this.stations.set(data.station.station, data);
    if (name === "device") this.#devices(data);
    if (name === "alert") {
      if (data.state === "firing") this.alerts.set(data.id, data);
      else this.alerts.delete(data.id);
    }
  }

  #begin(hello) {
    this.hello = hello;
    const stations = new Set(hello.stations);
    const alerts = new Set(hello.alerts);
    for (const id of this.stations.keys()) if (!stations.has(id)) this.stations.delete(id);
    for (const id of this.devices.keys()) if (!stations.has(id)) this.devices.delete(id);
    for (const id of this.alerts.keys()) if (!alerts.has(id)) this.alerts.delete(id);
    this.#replace = stations;
  }

  #devices({ station, devices }) {
    if (this.#replace.delete(station) || !this.devices.has(station)) this.devices.set(station, new Map());
    const rows = this.devices.get(station);
    for (const row of devices) rows.set(`${row.kind}/${row.device}`, row);
  }

  /** Whether every station that the stream announced has told its figures. */
  get complete() { return this.hello !== null && this.hello.stations.every((id) => this.stations.has(id)); }

  /** Stations in stable order. */
  sortedStations() {
    return [...this.stations.values()].sort((a, b) => natural.compare(a.station.station, b.station.station));
  }

  /** Devices of a station in stable order: kind, then id. */
  sortedDevices(station) {
    return [...(this.devices.get(station)?.values() ?? [])].sort(
      (a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || natural.compare(a.device, b.device));
  }

  /** Firing alerts, worst first, then newest first; a recalled one at the end. */
  sortedAlerts() {
    const firing = [...this.alerts.values()].sort(
      (a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity)
        || Date.parse(b.since) - Date.parse(a.since) || (a.id < b.id ? -1 : 1));
    return this.recalled && !this.alerts.has(this.recalled.id) ? [...firing, this.recalled] : firing;
  }

  /** The server's clock [ms]. */
  serverNow() { return Date.now() + this.#offsetMs; }

  /** The clock of a station [ms]: the server's, unless a recording of another time is replayed. */
  now(station) {
    const said = Date.parse(this.stations.get(station)?.station.now ?? "");
    const server = this.serverNow();
    return Number.isNaN(said) || Math.abs(server - said) < 600_000 ? server : said;
  }

  zone(station) { return this.stations.get(station)?.station.timezone ?? "UTC"; }

  counts() {
    const counts = { stations: this.stations.size, devices: 0, online: 0, offline: 0, faulted: 0 };
    for (const rows of this.devices.values()) {
      for (const row of rows.values()) {
        const state = shownState(row);
        counts.devices += 1;
        counts.online += row.online === true;
        counts.offline += state === "offline";
        counts.faulted += lookOf(state) === "fault";
      }
    }
    for (const severity of SEVERITIES) counts[severity] = 0;
    for (const alert of this.alerts.values()) counts[alert.severity] += 1;
    return counts;
  }
}

/** The devices that make a station: its ports or compressors; all where it has none. */
export function mainDevices(stationKind, rows) {
  const main = rows.filter((r) => r.kind === (stationKind === "charging" ? "port" : "compressor"));
  return main.length ? main : rows;
}

/** Those of a kind that make a station: the listed ones, or all where none is listed. */
function counted(rows, kind) {
  const all = rows.filter((r) => r.kind === kind);
  const listed = all.filter((r) => r.registered);
  return listed.length ? listed : all;
}

function heard(rows, kinds, channel) {
  return kinds.flatMap((kind) => counted(rows, kind)).filter((r) => r.online === true && r.values[channel] != null)
    .map((r) => r.values[channel]);
}

const sum = (values) => (values.length ? values.reduce((a, b) => a + b, 0) : null);

/** Numbers of a station's head: [name, value, unit, digits, definition key, KPI name for its reason]; the first is the headline. */
export function stationMetrics({ station, kpis }, rows) {
  const percent = (value) => (value == null ? null : 100 * value);
  if (station.kind === "charging") {
    const ports = counted(rows, "port");
    const known = ports.some((r) => r.online === true);
    const occupied = ports.filter((r) => OCCUPIED.has(shownState(r))).length;
    return [
      ["power", sum(heard(rows, ["port"], "power_kw")), "kW", 1, "power.charging", null],
      ["occupied", known ? occupied : null, `/ ${ports.length}`, 0, "occupied", null],
      ["utilisation", percent(kpis.occupied_utilisation), "%", 1, "utilisation", "occupied_utilisation"],
      ["energy", kpis.energy_kwh, "kWh", 1, "energy", "energy_kwh"],
    ];
  }
  const mains = heard(rows, ["air_main"], "flow_m3_min");
  const pressures = heard(rows, ["air_main"], "pressure_bar");
  return [
    ["ratio", kpis.kwh_per_m3, "kWh/m³", 4, "ratio", "kwh_per_m3"],
    ["power", sum(heard(rows, ["compressor", "dryer", "auxiliary"], "power_kw")), "kW", 1, "power.air", null],
    ["flow", sum(mains.length ? mains : heard(rows, ["compressor"], "flow_m3_min")), "m³/min", 1, "flow", null],
    ["pressure", pressures.length ? Math.min(...pressures) : null, "bar", 2, "pressure", null],
  ];
}
