// Sources as tabs and as one grid; which of them can be seen, and so are streamed.

import { byId, fixed, h, icon, ms, say, stateOf, toneOf, whole } from "./dom.js";

const SETTLE = 60; // ms until what is visible is told

export class Layout {
  /** hears: {visible(Set of ids), changed()}. */
  constructor(settings, hears) {
    this.settings = settings;
    this.hears = hears;
    this.tabs = new Map();
    this.lines = new Map();
    this.screens = new Map();
    this.inView = new Set();
    this.observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) this.inView.add(target.id);
        else this.inView.delete(target.id);
      }
      this.#look();
    }, { rootMargin: "40px" });
    document.addEventListener("visibilitychange", () => this.#look());
    this.gridTab = this.#tab("grid", () => this.grid(true), icon("grid"), h("span", {}, "All sources"));
    byId("tabs").append(this.gridTab);
    byId("tabs").addEventListener("keydown", (event) => this.#arrows(event));
  }

  get isGrid() {
    return this.screens.size > 1 && (this.settings.get("grid") ?? true);
  }

  /** Id of the source that is shown alone, or that keys act upon; null while there is none. */
  get chosen() {
    const kept = this.settings.get("source");
    return this.screens.has(kept) ? kept : (this.screens.keys().next().value ?? null);
  }

  add(screen) {
    this.screens.set(screen.id, screen);
    byId("screens").append(screen.element);
    this.observer.observe(screen.element);
    const dot = h("span", { class: "dot" });
    const tab = this.#tab(`source-${screen.number}`, () => this.choose(screen.id), dot, h("span", { class: "name" }, screen.id));
    tab.setAttribute("aria-controls", screen.element.id);
    byId("tabs").append(tab);
    this.tabs.set(screen.id, tab);
    this.#addLine(screen.id);
  }

  remove(screen) {
    this.observer.unobserve(screen.element);
    this.inView.delete(screen.element.id);
    this.screens.delete(screen.id);
    this.tabs.get(screen.id).remove();
    this.lines.get(screen.id).row.remove();
    this.tabs.delete(screen.id);
    this.lines.delete(screen.id);
  }

  choose(id) {
    this.settings.set("source", id);
    this.grid(false);
  }

  grid(on) {
    this.settings.set("grid", on);
    this.arrange();
  }

  /** The next or the previous source. */
  step(by) {
    const ids = [...this.screens.keys()];
    if (!ids.length) return;
    const at = this.isGrid ? (by > 0 ? -1 : 0) : ids.indexOf(this.chosen);
    this.choose(ids[(at + by + ids.length) % ids.length]);
  }

  /** The source of that place, from 0. */
  pick(at) {
    const id = [...this.screens.keys()][at];
    if (id !== undefined) this.choose(id);
  }

  arrange() {
    const { isGrid, chosen } = this;
    const count = this.screens.size;
    document.body.dataset.view = isGrid ? "grid" : "one";
    document.body.dataset.sources = count > 1 ? "many" : count ? "one" : "none";
    // where one large and the others small fill a rectangle, the first is large
    const lead = { 3: 2, 6: 2, 8: 3 }[count];
    byId("screens").style.setProperty("--columns", lead ? lead + 1 : Math.ceil(Math.sqrt(count)) || 1);
    byId("screens").style.setProperty("--lead", lead ?? 1);
    byId("screens").classList.toggle("led", Boolean(lead));
    byId("screens").classList.toggle("crowded", count > 4);
    for (const [id, { element }] of this.screens) element.hidden = !isGrid && id !== chosen;
    for (const [id, tab] of [[null, this.gridTab], ...this.tabs]) {
      const here = isGrid ? id === null : id === chosen;
      tab.setAttribute("aria-selected", String(here));
      tab.tabIndex = here ? 0 : -1;
      if (here) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    this.#look();
    this.hears.changed();
  }

  /** The sources' part of a status. */
  update(sources, link) {
    const live = sources.filter((source) => stateOf(source, link).key === "live");
    say(byId("all-live"), `${live.length} of ${sources.length}`);
    say(byId("all-fps"), fixed(live.reduce((sum, source) => sum + source.fps, 0)));
    say(byId("all-p99"), ms(live.reduce((most, { latency_ms: one }) => Math.max(most ?? 0, one?.p99 ?? 0) || null, null)));
    say(byId("all-dropped"), whole(sources.reduce((sum, source) => sum + source.dropped, 0)));
    for (const source of sources) {
      const state = stateOf(source, link);
      const tab = this.tabs.get(source.id);
      tab.dataset.tone = state.tone;
      tab.title = `${source.id}: ${state.word}`;
      const { cells, row } = this.lines.get(source.id);
      row.dataset.tone = state.tone;
      say(cells.state, state.word);
      say(cells.grade, source.grade ?? "–");
      cells.grade.dataset.tone = toneOf(source.grade);
      say(cells.fps, fixed(source.fps));
      say(cells.p50, ms(source.latency_ms?.p50));
      say(cells.p99, ms(source.latency_ms?.p99));
      say(cells.dropped, whole(source.dropped));
      say(cells.reconnects, whole(source.reconnects));
    }
  }

  #tab(name, onclick, ...content) {
    return h("button", { class: "tab", id: `tab-${name}`, role: "tab", type: "button", "aria-selected": "false",
      tabindex: -1, onclick }, ...content);
  }

  #addLine(id) {
    const cells = {};
    for (const key of ["state", "grade", "fps", "p50", "p99", "dropped", "reconnects"]) {
      cells[key] = h("td", { class: key === "state" || key === "grade" ? key : "number" });
    }
    const name = h("button", { type: "button", class: "link", onclick: () => this.choose(id) },
      h("span", { class: "dot" }), h("span", { class: "name" }, id));
    const row = h("tr", {}, h("th", { scope: "row" }, name), ...Object.values(cells));
    byId("lines").append(row);
    this.lines.set(id, { row, cells });
  }

  #arrows(event) {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const all = [...byId("tabs").querySelectorAll(".tab")];
    const next = all[(all.indexOf(document.activeElement) + by + all.length) % all.length];
    next.focus();
    next.click();
  }

  // told a little later, when everything that changes together has changed
  #look() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const seen = [...this.screens.values()].filter(
        ({ element }) => !document.hidden && !element.hidden && this.inView.has(element.id),
      );
      this.hears.visible(new Set(seen.map(({ id }) => id)));
    }, SETTLE);
  }
}
