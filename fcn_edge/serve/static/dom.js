// Elements and numbers. All text that comes from the run goes through here, as text and never as markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element: h("button", {class: "tool", onclick}, "text", child). */
export function h(name, values = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(values)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A symbol of index.html. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** Change an element's text only where it is another one. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const byId = (id) => document.getElementById(id);

const NONE = "–";

/** Milliseconds with as many digits as help: 0.62, 7.4, 13, 1200. */
export function ms(value) {
  if (value === null || value === undefined) return NONE;
  if (value < 10) return value.toFixed(1);
  return value < 10000 ? value.toFixed(value < 100 ? 1 : 0) : whole(value);
}

export function fixed(value, digits = 1) {
  return value === null || value === undefined ? NONE : value.toFixed(digits);
}

const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const whole = (value) => (value === null || value === undefined ? NONE : GROUPED.format(value));

export const percent = (value, digits = 1) => `${(100 * value).toFixed(digits)}%`;

/** A length of time in one or two units: 8 s, 3 min, 2 h 5 min, 4 d 3 h. */
export function lasting(milliseconds) {
  const s = Math.max(0, Math.floor(milliseconds / 1000));
  if (s < 60) return `${s} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return `${min} min`;
  const hours = Math.floor(min / 60);
  if (hours < 24) return min % 60 ? `${hours} h ${min % 60} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
}

const WORDS = {
  idle: "Idle",
  connecting: "Connecting",
  waiting_for_keyframe: "Waiting for a keyframe",
  live: "Live",
  stalled: "Stalled",
  frozen: "Frozen",
  black: "Black",
  lost: "Lost",
  ended: "Ended",
  paused: "Paused",
};

/**
 * A source's state as the page shows it: {key, word, tone}, where tone is good, warn, bad or calm. Nothing is known of a
 * source while the page has no connection to the run.
 */
export function stateOf(source, link = "open") {
  if (link === "ended") return { key: "ended", word: "Ended", tone: "calm" };
  if (link !== "open") return { key: "connecting", word: "Reconnecting", tone: "warn" };
  const key = source.paused ? "paused" : source.state;
  const tones = { live: "good", lost: "bad", ended: "calm", paused: "calm", idle: "calm" };
  return { key, word: WORDS[key] ?? key, tone: tones[key] ?? "warn" };
}

/** The tone of a grade. */
export function toneOf(grade) {
  return { excellent: "good", good: "good", fair: "warn", poor: "bad", unusable: "bad" }[grade] ?? "calm";
}
