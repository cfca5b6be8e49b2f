// Draws the mask of the picture that is shown over it, and knows the class under the pointer.

export class Overlay {
  constructor(canvas, palette) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.palette = palette;
    this.mask = null;
    this.picture = null;
    palette.changed(() => this.draw());
  }

  /** Draw an inflated mask; null draws nothing. */
  show(mask) {
    this.mask = mask;
    this.draw();
  }

  draw() {
    const { mask, canvas, context } = this;
    if (!mask?.ids) {
      context.clearRect(0, 0, canvas.width, canvas.height);
      return;
    }
    const { width, height, ids } = mask;
    if (!this.picture || canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      this.picture = context.createImageData(width, height);
      this.pixels = new Uint32Array(this.picture.data.buffer);
    }
    const { pixels } = this;
    const { table } = this.palette;
    for (let at = 0; at < ids.length; at += 1) pixels[at] = table[ids[at]];
    context.putImageData(this.picture, 0, 0);
  }

  /** The class at a point of the picture, both coordinates 0 to 1; null where there is none. */
  classAt(x, y) {
    const { mask } = this;
    if (!mask?.ids || x < 0 || y < 0 || x >= 1 || y >= 1) return null;
    const id = mask.ids[Math.floor(y * mask.height) * mask.width + Math.floor(x * mask.width)];
    return this.palette.byId.get(id) ?? null;
  }
}
