// One tooltip for every number: shown on hover and on keyboard focus, hidden by Escape.
// Elements carry `data-def` (a key of the language file) or `data-tip` (a ready text).

/** @param {() => {t: (key: string) => string}} words the present language */
export function installTips(words) {
  const tip = document.getElementById("tip");
  let owner = null;

  function show(target) {
    const holder = target.closest?.("[data-def], [data-tip]");
    if (!holder) return hide();
    owner?.removeAttribute("aria-describedby");
    owner = holder;
    tip.textContent = holder.dataset.tip ?? words().t(holder.dataset.def);
    tip.hidden = false;
    holder.setAttribute("aria-describedby", "tip");
    const at = holder.getBoundingClientRect();
    const size = tip.getBoundingClientRect();
    const left = Math.max(8, Math.min(at.left, innerWidth - size.width - 8));
    const below = at.bottom + size.height + 14 < innerHeight;
    tip.style.left = `${left}px`;
    tip.style.top = `${below ? at.bottom + 6 : at.top - size.height - 6}px`;
  }

  function hide() {
    tip.hidden = true;
    owner?.removeAttribute("aria-describedby");
    owner = null;
  }

  document.addEventListener("mouseover", (event) => show(event.target));
  document.addEventListener("focusin", (event) => { if (event.target.matches(":focus-visible")) show(event.target); });
  document.addEventListener("focusout", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  addEventListener("scroll", hide, { passive: true });
}
