// Receivers of alerts: whether they are told, what came of the last delivery, and a test.

import { el, setText } from "./dom.js";
import { get, post } from "./fetch.js";
import { table } from "./table.js";

/** Content of the panel of endpoints. @returns {Promise<Array<Node>>} */
export async function webhooks(words, signal) {
  const { items } = await get("webhooks", {}, signal);
  if (!items.length) return [el("p", { class: "soft", text: words.t("webhooks.none") })];
  const last = await Promise.all(items.map((hook) => get(`webhooks/${encodeURIComponent(hook.id)}/deliveries`, { limit: 1 }, signal)));
  const rows = items.map((hook, i) => {
    const result = el("span", { role: "status", text: outcome(last[i].items[0], words) });
    const button = el("button", { type: "button", text: words.t("webhooks.test"), "aria-label": `${words.t("webhooks.test")}: ${hook.id}` });
    button.disabled = !hook.enabled;
    button.addEventListener("click", () => test(hook.id, button, result, words));
    const state = hook.enabled ? words.t("webhooks.enabled") : `${words.t("webhooks.disabled")}: ${hook.disabled_reason}`;
    return [hook.id, hook.url, hook.format, state, result, button];
  });
  const head = ["#", "URL", words.t("webhooks.format"), words.t("webhooks.state"), words.t("webhooks.last"), ""];
  return [table(words.t("panel.webhooks"), head, rows)];
}

async function test(id, button, result, words) {
  button.disabled = true;
  try {
    setText(result, outcome(await post(`webhooks/${encodeURIComponent(id)}/test`, {}), words));
  } catch (error) {
    setText(result, error.message);
  } finally {
    button.disabled = false;
  }
}

/** What came of a delivery, in a few words. */
function outcome(delivery, words) {
  if (!delivery) return "–";
  const { state, last_status: status, last_latency_ms: latency, last_error: error } = delivery;
  const said = words.t(`delivery.${state}`);
  if (error) return `${said}: ${error}`;
  return status === null ? said : `${said}: ${status}, ${latency} ms`;
}
