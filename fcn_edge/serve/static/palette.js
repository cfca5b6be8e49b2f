// The classes, their colors, and which of them are drawn.

const DIMMED = 0.16; // of a class while another one is pointed at

export class Palette {
  constructor(settings) {
    this.settings = settings;
    this.classes = [];
    this.byId = new Map();
    this.pointed = null;
    this.told = "";
    this.table = new Uint32Array(256); // ABGR, as the bytes of ImageData read little endian
    this.listeners = [];
    settings.changed((key) => {
      if (key === "hidden") this.#fill();
    });
  }

  changed(listener) {
    this.listeners.push(listener);
  }

  /** Take the run's classes; whether they are others than before. */
  take(classes) {
    const told = JSON.stringify(classes);
    if (told === this.told) return false;
    this.told = told;
    this.classes = classes.map((one) => ({ ...one, color: color(one.color) }));
    this.byId = new Map(this.classes.map((one) => [one.id, one]));
    this.#fill();
    return true;
  }

  isHidden(name) {
    return this.settings.get("hidden").includes(name);
  }

  toggle(name) {
    const hidden = this.settings.get("hidden");
    this.settings.set("hidden", hidden.includes(name) ? hidden.filter((one) => one !== name) : [...hidden, name]);
  }

  /** Draw this class alone; all of them where it is alone already. */
  only(name) {
    const others = this.classes.map((one) => one.name).filter((one) => one !== name);
    const alone = !this.isHidden(name) && others.every((one) => this.isHidden(one));
    this.settings.set("hidden", alone ? [] : others);
  }

  all() {
    this.settings.set("hidden", []);
  }

  none() {
    this.settings.set("hidden", this.classes.map((one) => one.name));
  }

  /** Point at a class, so that the others step back; null for none. */
  point(name) {
    if (name === this.pointed) return;
    this.pointed = name;
    this.#fill();
  }

  #fill() {
    this.table.fill(0);
    for (const { id, name, color: text } of this.classes) {
      if (this.isHidden(name) && name !== this.pointed) continue;
      const alpha = this.pointed === null || name === this.pointed ? 255 : Math.round(255 * DIMMED);
      const [red, green, blue] = [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
      this.table[id] = ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
    }
    for (const listener of this.listeners) listener();
  }
}

function color(text) {
  return /^#[0-9a-f]{6}$/i.test(text) ? text : "#808080";
}
