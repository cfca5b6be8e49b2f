// The classes with their shares of the picture; a click switches one on or off.

import { byId, h, percent, say } from "./dom.js";

const SMOOTH = 0.3; // weight of a new share in the mean that decides on the order
const EVERY = 4000; // ms between changes of the order, at least
const MARGIN = [1.2, 0.002]; // by which factor, and by how much more, a class must exceed the one above it

export class Legend {
  constructor(palette) {
    this.palette = palette;
    this.list = byId("classes");
    this.rows = new Map();
    this.order = [];
    this.sortedAt = null;
    this.scale = 0;
    byId("all-classes").addEventListener("click", () => palette.all());
    byId("no-classes").addEventListener("click", () => palette.none());
    this.list.addEventListener("pointerleave", () => palette.point(null));
    palette.changed(() => this.#mark());
  }

  /** Begin again with the palette's classes. */
  build() {
    this.rows.clear();
    this.list.replaceChildren();
    for (const one of this.palette.classes) this.#row(one);
    this.order = [...this.rows.values()];
    this.sortedAt = null;
    this.#mark();
  }

  /** Show shares of classes by name; of several sources their mean. */
  update(all) {
    const shares = new Map();
    for (const one of all) {
      for (const [name, share] of Object.entries(one)) shares.set(name, (shares.get(name) ?? 0) + share / all.length);
    }
    if (!shares.size) return;
    const largest = Math.max(...shares.values());
    // bars fill their width for the largest share, on a scale that does not breathe with it
    if (largest > this.scale || largest < 0.7 * this.scale) this.scale = largest * 1.1;
    for (const [name, row] of this.rows) {
      const share = shares.get(name) ?? 0;
      row.mean = row.mean === null ? share : row.mean + SMOOTH * (share - row.mean);
      say(row.share, percent(share));
      row.fill.style.transform = `scaleX(${this.scale ? share / this.scale : 0})`;
      row.item.classList.toggle("absent", share < 0.0005);
    }
    this.#sort();
  }

  /** Mark the class under the pointer. */
  name(name) {
    for (const [one, row] of this.rows) row.item.classList.toggle("pointed", one === name);
  }

  #row({ name, color }) {
    const swatch = h("span", { class: "swatch" });
    swatch.style.background = color;
    const fill = h("span", { class: "fill" });
    fill.style.background = color;
    const share = h("span", { class: "share" }, "–");
    const pick = h("button", { class: "pick", type: "button", onclick: () => this.palette.toggle(name) },
      swatch, h("span", { class: "name" }, name), h("span", { class: "track" }, fill), share);
    const only = h("button", { class: "only", type: "button", "aria-label": `Only ${name}`,
      onclick: () => this.palette.only(name) }, "only");
    const item = h("li", { onpointerenter: (event) => event.pointerType === "mouse" && this.palette.point(name) },
      pick, only);
    this.rows.set(name, { name, item, pick, only, fill, share, mean: null });
    this.list.append(item);
  }

  #mark() {
    for (const [name, { item, pick, only }] of this.rows) {
      const hidden = this.palette.isHidden(name);
      item.classList.toggle("off", hidden);
      pick.setAttribute("aria-pressed", String(!hidden));
      pick.title = `${hidden ? "Show" : "Hide"} ${name}`;
      only.title = `Show ${name} alone`;
    }
  }

  // rows change places only where one is clearly larger, now and then, and never under somebody's pointer
  #sort() {
    const now = performance.now();
    const first = this.sortedAt === null;
    if ((!first && now - this.sortedAt < EVERY) || this.list.matches(":hover, :focus-within")) return;
    this.sortedAt = now;
    const [factor, more] = first ? [1, 0] : MARGIN;
    const before = this.order;
    const after = [...before];
    for (let last = after.length; last > 1; last -= 1) {
      for (let at = 1; at < last; at += 1) {
        if (after[at].mean > after[at - 1].mean * factor + more) [after[at - 1], after[at]] = [after[at], after[at - 1]];
      }
    }
    if (after.every((row, at) => row === before[at])) return;
    this.order = after;
    this.list.append(...after.map((row) => row.item));
  }
}
