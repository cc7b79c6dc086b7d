// Tables that a screen reader can walk through and a phone can scroll.

import { el } from "./dom.js";
import { at } from "./routes.js";

/**
 * @param {string} caption said first; shown only to readers of the screen, as a heading stands above
 * @param {Array<string | [string, string]>} head texts of columns; `[text, "number"]` is set to the right
 * @param {Array<Array<string | Node>>} rows the first cell names its row
 */
export function table(caption, head, rows) {
  const columns = head.map((column) => (Array.isArray(column) ? column : [column, ""]));
  const cell = (tag, content, i, attributes = {}) => {
    const node = el(tag, { class: columns[i][1] || null, ...attributes });
    node.append(content);
    return node;
  };
  return el("div", { class: "scroll", role: "group", tabindex: "0", "aria-label": caption },
    el("table", {},
      el("caption", { class: "hidden", text: caption }),
      el("thead", {}, el("tr", {}, ...columns.map(([text], i) => cell("th", text, i, { scope: "col" })))),
      el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map(
        (content, i) => (i ? cell("td", content, i) : cell("th", content, i, { scope: "row" }))))))));
}

/** A table that is made when someone opens it. @param {() => Node} make */
export function foldedTable(summary, make) {
  const node = el("details", { class: "folded" }, el("summary", { text: summary }));
  node.addEventListener("toggle", () => { if (node.open && node.children.length === 1) node.append(make()); });
  return node;
}

/** Links that save a call's rows as a file. @param {string} call path and query below the API's base */
export function files(call) {
  const link = (format, text) => el("a", { href: at(`api/v1/${call}&format=${format}`), text });
  return el("p", {}, link("csv", "CSV"), " ", link("parquet", "Parquet"), " ", link("json", "JSON"));
}
