// What a viewer chose, kept in this browser.

const KEY = "fcn_edge";
const DEFAULTS = { opacity: 0.55, shown: true, hidden: [], theme: "system", grid: null, source: null };

function stored() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY));
    return found && typeof found === "object" ? found : {};
  } catch {
    return {}; // no storage, or not ours
  }
}

function checked(values) {
  const found = { ...DEFAULTS };
  for (const key of Object.keys(DEFAULTS)) {
    const value = values[key];
    const kind = typeof (DEFAULTS[key] ?? "");
    const fits = key === "grid" ? typeof value === "boolean" : typeof value === kind;
    if (fits && value !== null && Array.isArray(value) === Array.isArray(DEFAULTS[key])) found[key] = value;
  }
  found.opacity = Math.min(1, Math.max(0, found.opacity));
  return found;
}

export class Settings {
  constructor() {
    this.values = checked(stored());
    this.listeners = [];
  }

  get(key) {
    return this.values[key];
  }

  set(key, value) {
    this.values[key] = value;
    try {
      localStorage.setItem(KEY, JSON.stringify(this.values));
    } catch {
      // then it holds until the page is closed
    }
    for (const listener of this.listeners) listener(key);
  }

  changed(listener) {
    this.listeners.push(listener);
  }
}

/** Light, dark, or what the system says. */
export function applyTheme(settings) {
  const root = document.documentElement;
  root.dataset.theme = settings.get("theme");
}

/** Whether the page is dark now. */
export function isDark(settings) {
  const theme = settings.get("theme");
  return theme === "system" ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";
}
