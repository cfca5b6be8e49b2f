// The WebSocket to the run: reads its messages, and comes back by itself whenever it is lost.

const FIRST_WAIT = 500;
const LONGEST_WAIT = 8000;
const ENDED_WAIT = 30000; // another run may begin at the same address
const SILENCE = 6000; // ms without a message (a status comes twice a second) after which the line is taken for dead
const HEADER = 32;
const ENDED = 1001;
const LOGIN = 4401;

const KEYFRAME = 1;
const NO_SIGNAL = 2;

/** Read a binary message: kind, flags, source, media time, capture time, and two parts of bytes. */
export function parse(buffer) {
  if (buffer.byteLength < HEADER) return null;
  const view = new DataView(buffer);
  const lengthA = view.getUint32(24, true);
  const lengthB = view.getUint32(28, true);
  if (HEADER + lengthA + lengthB > buffer.byteLength) return null;
  const flags = view.getUint8(1);
  return {
    kind: view.getUint8(0),
    keyframe: (flags & KEYFRAME) !== 0,
    noSignal: (flags & NO_SIGNAL) !== 0,
    number: view.getUint16(2, true),
    ticks: Number(view.getBigUint64(8, true)),
    captureMs: Number(view.getBigUint64(16, true)) / 1000,
    a: new Uint8Array(buffer, HEADER, lengthA),
    b: new Uint8Array(buffer, HEADER + lengthA, lengthB),
  };
}

/**
 * hears: {status(object), init(message), frame(message), link(state)}, where state is
 * "connecting", "open", "lost" or "ended".
 */
export class Connection {
  constructor(address, hears) {
    this.address = address;
    this.hears = hears;
    this.state = "connecting";
    this.wait = FIRST_WAIT;
    this.watched = "[]";
    this.heardAt = 0;
    this.ended = false;
    setInterval(() => this.#check(), 1000);
    addEventListener("online", () => this.#soon(0));
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      this.#check();
      this.#soon(0);
    });
    this.#open();
  }

  /** Tell the run which sources can be seen. */
  watch(numbers) {
    const watched = JSON.stringify(numbers);
    if (watched === this.watched) return;
    this.watched = watched;
    if (this.state === "open") this.#tellWatched();
  }

  /** The run says of itself that it has ended. Another one may begin at the same address. */
  runEnded(ended) {
    this.ended = ended;
  }

  #tellWatched() {
    this.socket.send(`{"watch": ${this.watched}}`);
  }

  #open() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.heardAt = performance.now();
    const socket = new WebSocket(this.address);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      if (socket !== this.socket) return;
      this.wait = FIRST_WAIT;
      this.#now("open");
      this.#tellWatched();
    };
    socket.onmessage = (event) => {
      if (socket === this.socket) this.#take(event.data);
    };
    socket.onclose = (event) => {
      if (socket === this.socket) this.#closed(event.code);
    };
  }

  #take(data) {
    this.heardAt = performance.now();
    if (typeof data === "string") {
      const message = JSON.parse(data);
      if (message.type === "status") this.hears.status(message);
      return;
    }
    const message = parse(data);
    if (message?.kind === 1) this.hears.init(message);
    else if (message?.kind === 2) this.hears.frame(message);
  }

  #closed(code) {
    this.socket = null;
    if (code === LOGIN) {
      location.assign("/login");
      return;
    }
    if (code === ENDED) this.ended = true;
    this.#now(this.ended ? "ended" : "lost");
    this.#soon(this.ended ? ENDED_WAIT : this.wait * (0.75 + Math.random() / 2));
    this.wait = Math.min(this.wait * 1.7, LONGEST_WAIT);
  }

  #soon(delay) {
    if (this.socket) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#open(), delay);
  }

  // a laptop that slept, or a network that went away without a word
  #check() {
    const silent = performance.now() - this.heardAt > SILENCE;
    if (!silent || !this.socket) return;
    const socket = this.socket;
    this.socket = null;
    socket.close();
    this.#now(this.ended ? "ended" : "lost");
    this.#soon(0);
  }

  #now(state) {
    this.state = state;
    this.hears.link(state);
  }
}
