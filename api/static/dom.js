// Small helpers for elements; they write only what changed, so that a page at rest costs nothing.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: `text` and `data` are set as such, the rest are attributes. */
export function el(tag, { text, data, ...attributes } = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) node.setAttribute(name, value);
  Object.assign(node.dataset, data);
  if (text != null) node.textContent = text;
  node.append(...children);
  return node;
}

/** Make an element of a drawing. */
export function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** An icon of index.html; text beside it says the same, so readers skip it. */
export function icon(name) {
  const node = svg("svg", { "aria-hidden": "true", class: "icon" }, svg("use", {}));
  setIcon(node, name);
  return node;
}

export function setIcon(node, name) {
  const use = node.firstChild;
  if (use.getAttribute("href") !== `#i-${name}`) use.setAttribute("href", `#i-${name}`);
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setData(node, name, value) {
  if (node.dataset[name] !== value) node.dataset[name] = value;
}

/** Make the children of `parent` exactly `nodes`, moving as little as possible. */
export function setChildren(parent, nodes) {
  nodes.forEach((node, i) => {
    if (parent.children[i] !== node) parent.insertBefore(node, parent.children[i] ?? null);
  });
  while (parent.children.length > nodes.length) parent.lastElementChild.remove();
}
