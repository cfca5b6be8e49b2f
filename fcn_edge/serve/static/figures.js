// The numbers of the chosen source: tiles, and what each stage takes.

import { byId, fixed, h, ms, percent, say, whole } from "./dom.js";

const WORDS = { capture: "Capture", preprocess: "Preprocess", infer: "Infer", decode: "Decode", output: "Output" };

const TILES = [
  ["fps", "Frames a second", "fps", "Masks of the last seconds"],
  ["screen", "Camera to this screen", "ms", "From the capture of a picture until it is shown here, median"],
  ["p50", "Camera to mask, p50", "ms", "From the capture of a picture to its mask, median of 10 s"],
  ["p99", "Camera to mask, p99", "ms", "From the capture of a picture to its mask, slowest of a hundred, of 10 s"],
  ["dropped", "Dropped", "", "Pictures that were left out so that the newest could be taken"],
  ["reconnects", "Reconnects", "", "How often the source was lost and came back"],
];

export class Figures {
  constructor() {
    this.tiles = new Map();
    for (const [key, label, unit, title] of TILES) {
      const value = h("span", { class: "value" }, "–");
      const more = h("span", { class: "more" }, unit);
      byId("tiles").append(h("div", { class: "tile", title }, h("dt", {}, label), h("dd", {}, value, more)));
      this.tiles.set(key, { value, more });
    }
    this.stages = new Map();
    this.scale = 0;
  }

  update(source, age) {
    this.#tile("fps", fixed(source.fps));
    this.#tile("screen", age === null ? "–" : whole(age));
    this.#tile("p50", ms(source.latency_ms?.p50));
    this.#tile("p99", ms(source.latency_ms?.p99));
    const all = source.frames + source.dropped;
    this.#tile("dropped", whole(source.dropped), all && source.dropped ? percent(source.dropped / all, 2) : "");
    this.#tile("reconnects", whole(source.reconnects));
    this.#stages(Object.entries(source.stages_ms ?? {}));
  }

  #tile(key, text, more) {
    const tile = this.tiles.get(key);
    say(tile.value, text);
    if (more !== undefined) say(tile.more, more);
  }

  #stages(all) {
    for (const [name] of all) if (!this.stages.has(name)) this.#addStage(name);
    const largest = Math.max(0, ...all.map(([, stage]) => stage.p99 ?? 0));
    // a scale that grows at once and shrinks late, so that bars do not breathe
    if (largest > this.scale || largest < 0.6 * this.scale) this.scale = largest * 1.1;
    const sum = all.reduce((total, [, stage]) => total + (stage.p50 ?? 0), 0);
    say(byId("stages-sum"), sum ? `${ms(sum)} ms` : "–");
    for (const [name, stage] of all) {
      const row = this.stages.get(name);
      say(row.p50, ms(stage.p50));
      say(row.p99, ms(stage.p99));
      row.half.style.transform = `scaleX(${this.scale ? (stage.p50 ?? 0) / this.scale : 0})`;
      row.most.style.transform = `scaleX(${this.scale ? (stage.p99 ?? 0) / this.scale : 0})`;
      row.part.style.flexGrow = sum ? (stage.p50 ?? 0) / sum : 0;
    }
  }

  #addStage(name) {
    const at = this.stages.size % 5;
    const row = {
      p50: h("td", { class: "number" }),
      p99: h("td", { class: "number faint" }),
      half: h("span", { class: `half stage-${at}` }),
      most: h("span", { class: `most stage-${at}` }),
      part: h("span", { class: `stage-${at}`, title: WORDS[name] ?? name }),
    };
    byId("stages").append(h("tr", {},
      h("th", { scope: "row" }, h("span", { class: `key stage-${at}` }), WORDS[name] ?? name),
      h("td", { class: "bars" }, h("span", { class: "track" }, row.most, row.half)), row.p50, row.p99));
    byId("stages-strip").append(row.part);
    this.stages.set(name, row);
  }
}
