// Plays one source: fragments of MP4, one picture each, into a video element, at the live edge.

import { Edge } from "./edge.js";

const TICKS = 90000;
const KEPT = 12; // s of played pictures in the buffer when it is trimmed
const TRIM_AT = 30;
const STUCK = 3000; // ms in which pictures came and none was shown
const MOST_PENDING = 600;

const Source = globalThis.MediaSource ?? globalThis.ManagedMediaSource;

/** Whether this browser plays what the run sends. */
export const canPlay = Boolean(Source);

/** hears: {shown(ticks, when), blocked()}. A picture's `when` is on the clock of performance.now(). */
export class Player {
  constructor(video, hears) {
    this.video = video;
    this.hears = hears;
    this.edge = new Edge();
    this.init = null;
    this.#forget();
    video.muted = true;
    video.playsInline = true;
    video.disableRemotePlayback = true; // or iPhones refuse a ManagedMediaSource
    video.addEventListener("error", () => {
      if (this.source) this.#restart();
    });
    this.#askForPicture();
  }

  /** What precedes the fragments. The same again changes nothing, unless the run is another one. */
  begin(codec, bytes, anew) {
    const init = { codec, bytes };
    if (!anew && this.source && same(this.init, init)) return;
    this.init = init;
    this.#restart();
  }

  /** A fragment. */
  add(ticks, keyframe, bytes) {
    if (!this.source) return;
    if (this.waitsForKeyframe && !keyframe) return;
    this.waitsForKeyframe = false;
    this.pending.push({ ticks, keyframe, bytes });
    // a browser that takes nothing, such as one that is suspended: begin again at the next keyframe
    if (this.pending.length > MOST_PENDING) {
      this.pending = [];
      this.waitsForKeyframe = true;
    }
    this.#append();
  }

  /** Nobody looks: let the buffer go. */
  stop() {
    this.#release();
    this.init = null;
  }

  /** Start where the browser wanted a person to do it. */
  play() {
    this.video.play().then(() => {}, (error) => {
      if (error.name === "NotAllowedError") this.hears.blocked();
    });
  }

  /** Whether a picture with that media time is shown at once, and not after many others. */
  isNear(ticks) {
    return Math.abs(ticks / TICKS - this.video.currentTime) < 0.5;
  }

  #forget() {
    this.source = null;
    this.buffer = null;
    this.pending = [];
    this.waitsForKeyframe = true;
    this.newest = null;
    this.placed = false;
    this.unshownSince = null;
    this.edge.clear();
  }

  #release() {
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = null;
    this.#forget();
    this.video.removeAttribute("src");
    this.video.load();
  }

  #restart() {
    this.#release();
    if (!this.init || !Source.isTypeSupported(`video/mp4; codecs="${this.init.codec}"`)) return;
    const source = new Source();
    this.source = source;
    this.address = URL.createObjectURL(source);
    this.video.src = this.address;
    source.addEventListener("sourceopen", () => this.#opened(source), { once: true });
  }

  #opened(source) {
    if (source !== this.source) return;
    source.duration = Infinity;
    this.buffer = source.addSourceBuffer(`video/mp4; codecs="${this.init.codec}"`);
    this.buffer.addEventListener("updateend", () => {
      if (source === this.source) this.#appended();
    });
    this.#try(() => this.buffer.appendBuffer(this.init.bytes));
    this.play();
  }

  #append() {
    if (!this.buffer || this.buffer.updating || !this.pending.length) return;
    const all = this.pending;
    this.pending = [];
    this.appending = all;
    this.#try(() => this.buffer.appendBuffer(joined(all.map((one) => one.bytes))));
  }

  #appended() {
    const all = this.appending ?? [];
    this.appending = null;
    if (all.length) {
      this.newest = all[all.length - 1].ticks / TICKS;
      this.#follow();
    }
    if (this.pending.length) this.#append();
    else this.#trim();
  }

  #follow() {
    const { video } = this;
    const now = performance.now();
    const lead = this.newest - video.currentTime;
    if (!this.placed) {
      this.placed = true;
      video.currentTime = this.newest;
      return;
    }
    if (video.seeking) return;
    const { seek, rate } = this.edge.after(lead, now);
    if (seek) video.currentTime = this.newest;
    if (video.playbackRate !== rate) video.playbackRate = rate;
    if (video.paused && !document.hidden) this.play();
    this.unshownSince ??= now;
    if (now - this.unshownSince > STUCK && !document.hidden) this.#restart();
  }

  #trim() {
    if (!this.buffer) return;
    const { buffered } = this.buffer;
    const { currentTime } = this.video;
    if (buffered.length && currentTime - buffered.start(0) > TRIM_AT) {
      this.#try(() => this.buffer.remove(0, currentTime - KEPT));
    }
  }

  #try(action) {
    try {
      action();
    } catch (error) {
      if (error.name === "QuotaExceededError" && this.video.currentTime > 1) {
        this.buffer.remove(0, this.video.currentTime - 1);
        this.waitsForKeyframe = true;
      } else {
        setTimeout(() => this.#restart(), 200);
        this.#forget();
      }
    }
  }

  #askForPicture() {
    const { video } = this;
    if (video.requestVideoFrameCallback) {
      video.requestVideoFrameCallback((now, picture) => {
        this.#askForPicture();
        this.#shown(picture.mediaTime, Math.max(picture.expectedDisplayTime, now));
      });
      return;
    }
    let before = -1;
    const look = (now) => {
      requestAnimationFrame(look);
      if (video.readyState >= 2 && video.currentTime !== before) {
        before = video.currentTime;
        this.#shown(before, now);
      }
    };
    requestAnimationFrame(look);
  }

  #shown(time, when) {
    this.unshownSince = null;
    if (this.source) this.hears.shown(Math.round(time * TICKS), when);
  }
}

function same(one, other) {
  return (
    one?.codec === other.codec &&
    one.bytes.length === other.bytes.length &&
    one.bytes.every((value, at) => value === other.bytes[at])
  );
}

function joined(parts) {
  if (parts.length === 1) return parts[0];
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
