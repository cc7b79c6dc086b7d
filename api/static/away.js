// While Voltair is away: since when, and a page that opens all the same.

import { setText } from "./dom.js";
import { remember, remembered } from "./i18n.js";
import { at } from "./routes.js";

const HEARD = "heard"; // when this browser heard Voltair last [ms], and the zone to say it in
const EVERY_MS = 10_000;
const REST_MS = 1_000; // the page itself comes first
let written = 0;
let asked = false;

/** Say in `root` since when there is no connection; of an earlier visit where this one had none yet (`heardMs` NaN). */
export function showAway(root, away, heardMs, zone, words) {
  if (heardMs >= written + EVERY_MS) {
    written = heardMs;
    remember(HEARD, `${heardMs} ${zone ?? "UTC"}`);
  }
  root.hidden = !away;
  if (!away) return;
  const [earlierMs, earlierZone] = (remembered(HEARD) ?? "").split(" ");
  const since = heardMs || Number(earlierMs);
  const text = since ? words.t("away.since", { when: words.time(since, zone ?? earlierZone, true) }) : words.t("away.never");
  setText(root, `${text} ${words.t(heardMs ? "away.old" : "away.back")}`);
}

/** Let the browser keep the files of the page; it does so for https and localhost only. */
export function installWorker() {
  if (asked || !navigator.serviceWorker) return;
  asked = true;
  setTimeout(() => navigator.serviceWorker.register(at("worker.js")).catch(() => {}), REST_MS); // without it the page works as well
}
