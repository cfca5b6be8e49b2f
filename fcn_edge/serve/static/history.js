// Two minutes of latency and of frames a second, with a readout under the pointer.

import { byId, fixed, h, ms, say } from "./dom.js";

const SECONDS = 120;
const LEFT = 34;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 20;

/** A round number not below a value. */
function rounded(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((one) => one * power >= value * 0.999) * power;
}

class Plot {
  constructor(id, lines, least, hears) {
    this.canvas = byId(id);
    this.lines = lines; // [{column, style, fill}]
    this.least = least; // the scale's top, at least
    this.top = least;
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    this.canvas.addEventListener("pointermove", (event) => hears.at(this.#secondAt(event.offsetX)));
    this.canvas.addEventListener("pointerleave", () => hears.at(null));
  }

  show(rows, now, marked) {
    Object.assign(this, { rows, now, marked });
    const largest = Math.max(0, ...rows.flatMap((row) => this.lines.map(({ column }) => row[column] ?? 0)));
    const wanted = Math.max(this.least, rounded(Math.max(largest * 1.05, 0.001)));
    if (wanted > this.top || wanted < this.top * 0.7) this.top = wanted;
    this.draw();
  }

  #secondAt(x) {
    const width = this.canvas.clientWidth - LEFT - RIGHT;
    return SECONDS * (1 - Math.min(1, Math.max(0, (x - LEFT) / width)));
  }

  draw() {
    const { canvas, rows } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!rows || !width) return;
    const ratio = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(canvas);
    const ink = (name) => style.getPropertyValue(name).trim();
    const x = (unix) => LEFT + (1 - (this.now - unix) / SECONDS) * (width - LEFT - RIGHT);
    const y = (value) => TOP + (1 - value / this.top) * (height - TOP - BOTTOM);
    context.font = `11px ${style.fontFamily}`;
    this.#grid(context, width, height, y, ink);
    context.save();
    context.beginPath();
    context.rect(LEFT, 0, width - LEFT - RIGHT, height);
    context.clip();
    for (const line of this.lines) this.#line(context, line, x, y, style.getPropertyValue(line.style).trim());
    context.restore();
    if (this.marked) this.#mark(context, x, y, height, ink, style);
  }

  #grid(context, width, height, y, ink) {
    context.strokeStyle = ink("--grid");
    context.fillStyle = ink("--faint");
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const part of [0, 0.5, 1]) {
      const value = part * this.top;
      const at = Math.round(y(value)) + 0.5;
      context.beginPath();
      context.moveTo(LEFT, at);
      context.lineTo(width - RIGHT, at);
      context.stroke();
      context.fillText(String(Number(value.toPrecision(3))), LEFT - 7, at);
    }
    context.textBaseline = "alphabetic";
    const span = width - LEFT - RIGHT;
    for (const [text, part, align] of [["2 min ago", 0, "left"], ["1 min", 0.5, "center"], ["now", 1, "right"]]) {
      context.textAlign = align;
      context.fillText(text, LEFT + part * span, height - 4);
    }
  }

  #line(context, { column, fill }, x, y, color) {
    const stretches = [];
    let stretch = null;
    for (const row of this.rows) {
      const value = row[column];
      if (value === null || value === undefined) stretch = null;
      else {
        if (!stretch || row[0] - stretch[stretch.length - 1][2] > 3) stretches.push((stretch = []));
        stretch.push([x(row[0]), y(Math.min(value, this.top)), row[0]]);
      }
    }
    context.strokeStyle = context.fillStyle = color;
    context.lineJoin = "round";
    for (const points of stretches) {
      const path = new Path2D();
      points.forEach(([px, py], at) => (at ? path.lineTo(px, py) : path.moveTo(px, py)));
      context.globalAlpha = 1;
      context.lineWidth = fill ? 2 : 1.25;
      context.stroke(path);
      if (!fill || points.length < 2) continue;
      path.lineTo(points[points.length - 1][0], y(0));
      path.lineTo(points[0][0], y(0));
      context.globalAlpha = 0.14;
      context.fill(path);
    }
    context.globalAlpha = 1;
  }

  #mark(context, x, y, height, ink, style) {
    const at = Math.round(x(this.marked[0])) + 0.5;
    context.strokeStyle = ink("--faint");
    context.beginPath();
    context.moveTo(at, TOP);
    context.lineTo(at, height - BOTTOM);
    context.stroke();
    for (const line of this.lines) {
      const value = this.marked[line.column];
      if (value === null || value === undefined) continue;
      context.fillStyle = style.getPropertyValue(line.style).trim();
      context.beginPath();
      context.arc(at, y(Math.min(value, this.top)), 3.5, 0, 7);
      context.fill();
    }
  }
}

export class History {
  constructor() {
    this.rows = new Map(); // source number -> rows
    const hears = { at: (second) => this.#point(second) };
    this.latency = new Plot("plot-latency", [
      { column: 3, style: "--line-b" },
      { column: 2, style: "--line-a", fill: true },
    ], 10, hears);
    this.fps = new Plot("plot-fps", [{ column: 1, style: "--line-c", fill: true }], 5, hears);
    this.pointed = null;
    byId("read-latency").append(
      h("span", { class: "line-a" }, "p50 ", (this.p50 = h("b"))), h("span", { class: "line-b" }, "p99 ", (this.p99 = h("b"))));
    byId("read-fps").append(h("span", { class: "line-c" }, (this.rate = h("b"))));
  }

  /** Take a status of a source: with its history, or one more row a second of it. */
  take(source, unixMs) {
    if (source.history) {
      this.rows.set(source.number, source.history.map((row) => [...row]));
      return;
    }
    const rows = this.rows.get(source.number) ?? [];
    this.rows.set(source.number, rows);
    const second = unixMs / 1000;
    if (rows.length && second - rows[rows.length - 1][0] < 0.98) return;
    rows.push([second, source.fps, source.latency_ms?.p50 ?? null, source.latency_ms?.p99 ?? null]);
    while (rows.length && second - rows[0][0] > SECONDS + 2) rows.shift();
  }

  keepOnly(numbers) {
    for (const number of this.rows.keys()) if (!numbers.has(number)) this.rows.delete(number);
  }

  /** Draw the history of a source. */
  show(number, unixMs) {
    this.now = unixMs / 1000;
    this.current = this.rows.get(number) ?? [];
    this.#draw();
  }

  #point(second) {
    this.pointed = second;
    if (this.current) this.#draw();
  }

  #draw() {
    const { current, now } = this;
    let marked = null;
    if (this.pointed !== null) {
      for (const row of current) {
        if (!marked || Math.abs(now - this.pointed - row[0]) < Math.abs(now - this.pointed - marked[0])) marked = row;
      }
    }
    this.latency.show(current, now, marked);
    this.fps.show(current, now, marked);
    const row = marked ?? current[current.length - 1] ?? [now, null, null, null];
    const when = marked ? `${Math.round(now - marked[0])} s ago` : "";
    say(this.p50, `${ms(row[2])} ms`);
    say(this.p99, `${ms(row[3])} ms`);
    say(this.rate, `${fixed(row[1])} fps`);
    for (const one of document.querySelectorAll(".read-when")) say(one, when);
  }
}
