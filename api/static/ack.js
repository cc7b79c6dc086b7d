// Taking an alert on, or marking a leak repaired: who, and a note; receivers of webhooks hear of it too.

import { setText } from "./dom.js";
import { post } from "./fetch.js";
import { remember, remembered } from "./i18n.js";

const byId = (id) => document.getElementById(id);

/**
 * Make the dialog work.
 * @returns {(alert: object, words: object, call: "ack" | "repaired") => void} opens it for an alert
 */
export function ackDialog() {
  const dialog = byId("ack");
  let alert = null;
  let action = "ack";
  byId("ack-cancel").addEventListener("click", () => dialog.close());
  dialog.addEventListener("submit", async (event) => {
    event.preventDefault();
    const by = byId("ack-by").value.trim();
    if (!by) return;
    try {
      await post(`alerts/${encodeURIComponent(alert.id)}/${action}`, { by, note: byId("ack-note").value.trim() });
    } catch (error) {
      setText(byId("ack-error"), error.message);
      return;
    }
    remember("by", by);
    dialog.close();
  });
  return (chosen, words, call) => {
    alert = chosen;
    action = call;
    setText(byId("ack-title"), words.t(`take.${call}`));
    setText(byId("ack-send"), words.t(`take.${call}`));
    setText(byId("ack-why"), words.pick(alert.summary));
    setText(byId("ack-error"), "");
    byId("ack-by").value = remembered("by") ?? "";
    byId("ack-note").value = "";
    dialog.showModal();
  };
}
