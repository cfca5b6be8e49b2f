// One source on the page: its picture, the mask over it, and what becomes of it.

import { fixed, h, icon, lasting, ms, say, stateOf } from "./dom.js";
import { canInflate, Masks } from "./masks.js";
import { Overlay } from "./overlay.js";
import { canPlay, Player } from "./player.js";

const MASK_HELD = 45000; // ticks: how long the last mask stays while pictures come without one
const AGES = 50; // pictures of which the age on the screen is told

/** Whether this browser plays H.264 and takes masks; where not, the run draws the overlay and sends JPEG. */
export const playsVideo = canPlay && canInflate;

export class Screen {
  constructor(source, palette, clock, byVideo, hears) {
    this.byVideo = byVideo;
    this.id = source.id;
    this.number = source.number;
    this.clock = clock;
    this.masks = new Masks();
    this.captures = new Map();
    this.ages = [];
    this.shown = null; // {ticks, age in ms, run}
    this.maskTicks = 0;
    this.run = 0; // how often the stream began anew, with times that have nothing to do with those before
    this.visible = false;
    this.#build(hears);
    this.overlay = new Overlay(this.canvas, palette);
    if (byVideo) {
      this.player = new Player(this.video, {
        shown: (ticks, when) => this.#shown(ticks, when),
        blocked: () => (this.start.hidden = false),
      });
    }
    this.#hover();
  }

  #build(hears) {
    this.still = h("canvas", { class: "still", "aria-hidden": "true" });
    this.video = this.byVideo
      ? h("video", { muted: true, playsinline: true, autoplay: true, tabindex: "-1", "aria-hidden": "true" })
      : h("img", { alt: "" });
    this.video.classList.add("picture");
    this.canvas = h("canvas", { class: "mask", "aria-hidden": "true", width: 1, height: 1 });
    this.note = h("div", { class: "note" }, h("strong", {}, (this.noteWord = h("span")), (this.noteSince = h("small"))),
      (this.noteText = h("span")));
    this.start = h("button", { class: "start", type: "button", hidden: true, onclick: () => this.#begin() },
      icon("play"), "Show the picture");
    this.named = h("div", { class: "named", hidden: true },
      (this.namedSwatch = h("span", { class: "swatch" })), (this.namedText = h("span")));
    this.frame = h("div", { class: "frame" }, this.video, this.still, this.canvas, this.note, this.start, this.named);
    this.dot = h("span", { class: "dot" });
    this.facts = h("span", { class: "facts" });
    this.caption = h("button", { class: "caption", type: "button", onclick: () => hears.chosen(this.id) },
      this.dot, h("span", { class: "name" }, this.id), this.facts);
    this.element = h("div", { class: "screen", id: `screen-${this.number}`, role: "group", "aria-label": this.id },
      this.frame, this.caption);
    this.frame.addEventListener("dblclick", () => hears.chosen(this.id));
  }

  get address() {
    return encodeURIComponent(this.id);
  }

  /** Whether somebody can see it. */
  see(visible) {
    if (visible === this.visible) return;
    this.visible = visible;
    if (this.player) {
      if (!visible) this.player.stop();
    } else if (visible) {
      this.video.src = `/stream.mjpg?source=${this.address}`;
    } else {
      this.video.removeAttribute("src");
    }
  }

  init(message, anew) {
    if (!this.player || !this.visible) return;
    if (anew) {
      this.run += 1;
      this.maskTicks = 0;
      this.masks.clear();
      this.captures.clear();
    }
    this.player.begin(new TextDecoder().decode(message.a), message.b, anew);
  }

  frameCame(message) {
    if (!this.player || !this.visible) return;
    message.run = this.run;
    this.captures.set(message.ticks, message);
    if (this.captures.size > 400) this.captures.delete(this.captures.keys().next().value);
    this.masks.add(message.ticks, message.b, this.player.isNear(message.ticks));
    this.player.add(message.ticks, message.keyframe, message.a);
    message.a = message.b = null;
  }

  /** The source's part of a status. */
  update(source, link) {
    const state = stateOf(source, link);
    this.element.dataset.state = state.key;
    this.element.dataset.tone = state.tone;
    if (source.size) this.#sized(source.size);
    say(this.facts, state.key === "live" ? `${fixed(source.fps)} fps · ${ms(source.latency_ms?.p50)} ms` : state.word);
    this.note.hidden = state.key === "live";
    if (this.note.hidden) return;
    if (link === "ended") this.#tell("The run has ended", "", "");
    else if (link !== "open") this.#tell("Reconnecting", "", "The page waits for the run.");
    else this.#tell(state.word, lasting(this.clock.now() - source.since_unix_ms), source.message ?? "");
  }

  /** Median age on this screen of the last pictures, in ms; null while none is shown. */
  age() {
    const recent = this.ages.filter(([at]) => performance.now() - at < 3000).map(([, age]) => age);
    if (!recent.length) return null;
    return recent.sort((one, other) => one - other)[recent.length >> 1];
  }

  close() {
    this.player?.stop();
    this.element.remove();
  }

  #tell(word, since, text) {
    say(this.noteWord, word);
    say(this.noteSince, since);
    say(this.noteText, text);
  }

  #sized([height, width]) {
    if (this.ratio === width / height) return;
    this.ratio = width / height;
    this.element.style.setProperty("--ratio", this.ratio);
  }

  #begin() {
    this.start.hidden = true;
    this.player.play();
  }

  // Picture and mask are drawn in one task, so that both are of the same frame: a browser shows a video's frames when it
  // likes, which may be before or after the page has drawn. What was seen last also stays while another stream begins.
  async #shown(reported, when) {
    const { video } = this;
    this.start.hidden = true;
    if (!video.videoWidth || video.readyState < 2 || !this.still.clientWidth) return;
    // it knows which picture it is; there is none where the page came over plain HTTP from another machine
    const frame = globalThis.VideoFrame ? new VideoFrame(video) : null;
    const ticks = frame ? Math.round((frame.timestamp * 9) / 100) : reported;
    const message = this.#cameWith(ticks);
    const mask = message ? this.masks.of(ticks) : null;
    if (mask && !mask.ids) await mask.inflate();
    if (message && !(this.shown?.ticks > ticks && message.run === this.shown.run)) {
      this.#draw(frame ?? video);
      if (mask?.ids) this.overlay.show(mask);
      else if (message.noSignal || ticks - this.maskTicks > MASK_HELD) this.overlay.show(null);
      if (mask?.ids) this.maskTicks = ticks;
      this.#noted(message, ticks, when);
    }
    frame?.close();
  }

  #draw(picture) {
    const { video, still } = this;
    const width = Math.min(video.videoWidth, Math.ceil(still.clientWidth * (devicePixelRatio || 1)));
    const height = Math.round((width * video.videoHeight) / video.videoWidth);
    if (still.width !== width || still.height !== height) Object.assign(still, { width, height });
    still.getContext("2d").drawImage(picture, 0, 0, width, height);
  }

  #noted(message, ticks, when) {
    const age = performance.timeOrigin + when - message.captureMs - this.clock.offset;
    if (!message.noSignal) this.ages.push([performance.now(), age]);
    if (this.ages.length > AGES) this.ages.shift();
    this.element.classList.toggle("no-signal", message.noSignal);
    this.#sized([this.video.videoHeight, this.video.videoWidth]);
    this.shown = { ticks, age, run: message.run };
    if (this.pointer) this.#name();
  }

  // what is known of the picture that is shown; what came before it is forgotten
  #cameWith(ticks) {
    let found = null;
    for (const [at, one] of this.captures) {
      if (at > ticks + 45) break;
      found = one;
      this.captures.delete(at);
    }
    return found && Math.abs(found.ticks - ticks) <= 45 ? found : null;
  }

  #hover() {
    const { frame } = this;
    frame.addEventListener("pointermove", (event) => {
      this.pointer = [event.clientX, event.clientY];
      this.#name();
    });
    frame.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.#name();
    });
  }

  #name() {
    const box = this.frame.getBoundingClientRect();
    const [x, y] = this.pointer ? [this.pointer[0] - box.left, this.pointer[1] - box.top] : [-1, -1];
    const found = this.overlay.classAt(x / box.width, y / box.height);
    this.named.hidden = !found;
    if (found) {
      say(this.namedText, found.name);
      this.namedSwatch.style.background = found.color;
      this.named.style.transform = `translate(${x}px, ${y}px)`;
      this.named.classList.toggle("left", x > box.width - 160);
      this.named.classList.toggle("above", y > box.height - 60);
    }
    this.element.dispatchEvent(new CustomEvent("named", { detail: found?.name ?? null }));
  }
}
