// The masks of one source, kept by media time until the picture that they belong to is shown.

const KEPT = 250; // about 10 s
const TOLERANCE = 45; // ticks: half a millisecond, since players count in microseconds

/** Whether this browser can inflate masks. */
export const canInflate = typeof DecompressionStream !== "undefined";

/** A mask as it came: height, width, and deflated class ids. */
class Mask {
  constructor(ticks, bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.ticks = ticks;
    this.height = view.getUint16(0, true);
    this.width = view.getUint16(2, true);
    this.bytes = bytes.subarray(4);
    this.ids = null;
    this.inflating = null;
  }

  /** Its class ids; null where it is damaged. */
  inflate() {
    this.inflating ??= this.#inflate();
    return this.inflating;
  }

  async #inflate() {
    try {
      const stream = new Blob([this.bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
      const ids = new Uint8Array(await new Response(stream).arrayBuffer());
      this.bytes = null;
      if (ids.length === this.width * this.height) this.ids = ids;
    } catch {
      this.bytes = null;
    }
    return this.ids;
  }
}

export class Masks {
  constructor() {
    this.waiting = new Map();
  }

  clear() {
    this.waiting.clear();
  }

  /** Keep a mask; it is inflated at once where its picture is about to be shown, so that both come together. */
  add(ticks, bytes, atOnce) {
    if (bytes.length <= 4) return;
    const mask = new Mask(ticks, bytes);
    this.waiting.set(ticks, mask);
    if (atOnce) mask.inflate();
    if (this.waiting.size > KEPT) this.waiting.delete(this.waiting.keys().next().value);
  }

  /** The mask of the picture that is shown, or null; those before it are dropped. */
  of(ticks) {
    let found = null;
    for (const [at, mask] of this.waiting) {
      if (at > ticks + TOLERANCE) break;
      if (at >= ticks - TOLERANCE) found = mask;
      this.waiting.delete(at);
    }
    return found;
  }
}
