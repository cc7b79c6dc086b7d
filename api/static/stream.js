// The live stream: EventSource with a watchdog, because a dead connection often closes without a word.
// Events and their shapes: docs/stream.md.

import { at } from "./routes.js";

const EVENTS = ["hello", "kpi", "device", "alert", "time"];
const SILENCE_MS = 15_000; // `time` comes every 5 s
const RETRY_MS = 2_000;

/**
 * Open the stream and keep it open.
 * @param {{onEvent: (name: string, data: object) => void, onState: (state: string) => void}} handlers
 *   states: `connecting`, `live`, `down` (retrying), `locked` (a token is needed)
 * @returns {{restart: () => void}}
 */
export function openStream({ onEvent, onState }) {
  let source = null;
  let watchdog = 0;
  let retry = 0;

  function alive() {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => { onState("down"); start(); }, SILENCE_MS);
  }

  function start() {
    source?.close();
    clearTimeout(retry);
    source = new EventSource(at("api/v1/stream"));
    alive();
    for (const name of EVENTS) {
      source.addEventListener(name, (event) => {
        alive();
        onState("live");
        onEvent(name, JSON.parse(event.data));
      });
    }
    source.onerror = lost;
  }

  async function lost() {
    onState("down");
    if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    clearTimeout(watchdog);
    let status = 0;
    try {
      status = (await fetch(at("api/v1/stations?limit=1"))).status;
    } catch { /* unreachable: the retry below says so again */ }
    if (status === 401 || status === 403) onState("locked");
    else retry = setTimeout(start, RETRY_MS);
  }

  onState("connecting");
  start();
  return { restart: start };
}
