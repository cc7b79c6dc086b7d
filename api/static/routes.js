// Which view an address means, and how the page moves between them without loading anew.

const ROOT = new URL(".", import.meta.url).href; // a proxy may serve the page below any prefix
const KEPT = ["lang", "theme", "kiosk", "range", "from", "to"]; // parameters that go along from view to view

/** Absolute address of a path of this server. */
export function at(path) {
  return new URL(path, ROOT).href;
}

/** @returns {{view: string, station?: string, target?: string, alert?: string}} what the present address asks for */
export function readRoute() {
  const asked = new URLSearchParams(location.search);
  const [head, id] = location.href.slice(ROOT.length).split(/[?#]/)[0].split("/").map(decodeURIComponent);
  if (head === "s" && id) return { view: "station", station: id };
  if (head === "compare" || head === "data") return { view: head };
  const alert = head === "a" ? id : asked.get("alert");
  const station = asked.get("station");
  return { view: "home", alert, target: location.hash.slice(1) || (alert ? `alert-${alert}` : station ? `station-${station}` : "") };
}

/** Address of a view, with what the reader chose for this visit. */
export function linkTo(path) {
  const kept = new URLSearchParams([...new URLSearchParams(location.search)].filter(([name]) => KEPT.includes(name)));
  return at(path) + (kept.size ? `?${kept}` : "");
}

/** Address of a dashboard in Grafana over the same window. @param {{from: number, to: number}} window */
export function dashboard(grafana, board, language, variables, { from, to }) {
  const asked = new URLSearchParams({ ...variables, from, to });
  return `${grafana}/d/voltair-${board}-${language}?${asked}`;
}

/** Follow links marked `data-route`, and the browser's back and forward, by `show`. */
export function watchRoutes(show) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-route]");
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    history.pushState(null, "", linkTo(link.href.split(/[?#]/)[0]) + link.hash);
    show(true);
  });
  addEventListener("popstate", () => show(true));
}
