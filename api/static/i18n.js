// Texts and numbers in the reader's language; times in the station's zone.

import { at } from "./routes.js";

const LANGUAGES = ["en", "zh"];

const MINUTE = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const CLOCK = { ...MINUTE, second: "2-digit" };
const DAY_MONTH = { month: "2-digit", day: "2-digit" };
const DAY = { ...DAY_MONTH, year: "numeric" };

/** A choice kept earlier, or null. */
export function remembered(key) {
  try { return localStorage.getItem(key); } catch { return null; } // storage may be forbidden
}

/** Keep a choice of this browser. */
export function remember(key, value) {
  try { localStorage.setItem(key, value); } catch { /* the choice lasts for this page only */ }
}

/** Language of `?lang=`, of an earlier choice, or of the browser. */
export function chosenLanguage() {
  const wanted = new URLSearchParams(location.search).get("lang") ?? remembered("lang") ?? navigator.language;
  return LANGUAGES.find((l) => wanted.toLowerCase().startsWith(l)) ?? "en";
}

/** Theme of `?theme=` or of an earlier choice: auto, light or dark. */
export function chosenTheme() {
  return new URLSearchParams(location.search).get("theme") ?? remembered("theme") ?? "auto";
}

/** Load a language. @returns {Promise<Words>} */
export async function loadWords(language) {
  const load = async (name) => (await fetch(at(`i18n/${name}.json`))).json();
  const [texts, reasons] = await Promise.all([load(language), language === "zh" ? load("reasons") : []]);
  return new Words(language, texts, reasons);
}

const PLACE = /\{([a-z])\}/g;

/** A sentence of reasons.json as a pattern: `{a}` stands for anything. */
function pattern(sentence) {
  const literal = sentence.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
  return new RegExp(`^${literal.replace(PLACE, "(?<$1>.+)")}$`);
}

class Words {
  #numbers = new Map();
  #times = new Map();

  #reasons;

  constructor(language, texts, reasons) {
    this.language = language;
    this.texts = texts;
    const said = (pair) => pair[0].replace(PLACE, "").length; // those that say most first
    this.#reasons = [...reasons].sort((a, b) => said(b) - said(a)).map(([sentence, text]) => [pattern(sentence), text]);
  }

  /** Why a figure is missing, in the reader's language; a sentence that nobody has translated as it is. */
  reason(sentence) {
    for (const [form, text] of this.#reasons) {
      const match = form.exec(sentence);
      if (match) return text.replace(PLACE, (_, name) => this.reason(match.groups[name]));
    }
    return sentence;
  }

  /** Text of a key with `{name}` filled in; an unknown key is shown as it is, so that a new state is not hidden. */
  t(key, values = {}) {
    return (this.texts[key] ?? key.replace(/^\w+\./, "")).replace(/\{(\w+)\}/g, (_, name) => values[name]);
  }

  has(key) { return key in this.texts; }

  /** The text of an `{en, zh}` pair of the API. */
  pick(pair) { return pair?.[this.language] ?? pair?.en ?? ""; }

  number(value, digits) {
    if (value == null) return "–";
    if (!this.#numbers.has(digits)) {
      const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
      this.#numbers.set(digits, new Intl.NumberFormat(this.texts.locale, options));
    }
    return this.#numbers.get(digits).format(value);
  }

  percent(fraction, digits = 1) { return fraction == null ? "–" : `${this.number(100 * fraction, digits)}\u00a0%`; }

  /** `hh:mm:ss` in a zone; with the date too where `dated`. */
  time(ms, zone, dated = false) { return this.#format(ms, zone, dated ? [DAY, CLOCK] : [CLOCK]); }

  /** Day with its year, hour and minute in a zone. */
  date(ms, zone) { return this.#format(ms, zone, [DAY, MINUTE]); }

  /** Day, month, hour and minute in a zone. */
  moment(ms, zone) { return this.#format(ms, zone, [DAY_MONTH, MINUTE]); }

  /** `hh:mm`, or day and month at midnight: labels of a time axis. */
  tick(ms, zone) {
    const clock = this.#format(ms, zone, [MINUTE]);
    return clock === "00:00" ? this.#format(ms, zone, [DAY_MONTH]) : clock;
  }

  #format(ms, zone, parts) {
    if (!Number.isFinite(ms)) return "–";
    const options = Object.assign({ timeZone: zone }, ...parts);
    const key = JSON.stringify(options);
    if (!this.#times.has(key)) this.#times.set(key, new Intl.DateTimeFormat(this.texts.locale, options));
    return this.#times.get(key).format(ms);
  }

  /** Length in its largest unit: 7 s, 3 min, 5 h, 2 d. */
  duration(ms) {
    const s = Math.max(0, Math.round(ms / 1000));
    const [value, unit] = s < 100 ? [s, "s"] : s < 6000 ? [s / 60, "min"] : s < 172_800 ? [s / 3600, "h"] : [s / 86_400, "d"];
    return `${Math.floor(value)} ${this.t(`unit.${unit}`)}`;
  }
}
