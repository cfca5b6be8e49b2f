// The live page: puts the parts together and hands each status and each picture to whom it concerns.

import { Connection } from "./connection.js";
import { Control } from "./control.js";
import { byId, lasting, say, stateOf, toneOf, whole } from "./dom.js";
import { Figures } from "./figures.js";
import { History } from "./history.js";
import { fillHelp, listen } from "./keyboard.js";
import { Layout } from "./layout.js";
import { Legend } from "./legend.js";
import { Palette } from "./palette.js";
import { playsVideo, Screen } from "./screen.js";
import { applyTheme, isDark, Settings } from "./settings.js";

const STEP = 0.05;

/** The run's clock: how far this machine's is ahead of it, as the quickest of the messages tell. */
const clock = {
  offset: 0,
  heard: [],
  take(unixMs) {
    this.heard.push(performance.timeOrigin + performance.now() - unixMs);
    if (this.heard.length > 120) this.heard.shift();
    this.offset = Math.min(...this.heard);
  },
  now() {
    return performance.timeOrigin + performance.now() - this.offset;
  },
};

const settings = new Settings();
applyTheme(settings);
const palette = new Palette(settings);
const screens = new Map(); // number -> Screen
const legend = new Legend(palette);
const figures = new Figures();
const history = new History();
let status = null;
let link = "connecting";
let fresh = new Set(); // sources whose stream began before the line was lost

const layout = new Layout(settings, {
  visible(ids) {
    for (const screen of screens.values()) screen.see(ids.has(screen.id));
    connection.watch([...screens.values()].filter((one) => one.visible && one.byVideo).map((one) => one.number));
  },
  changed: () => show(),
});
const control = new Control({ chosen: () => meant(), told: (text) => tell(text) });

const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
const connection = new Connection(address, {
  status(message) {
    clock.take(message.now_unix_ms);
    status = message;
    connection.runEnded(Boolean(message.ended));
    if (message.ended) link = "ended";
    else if (link === "ended") link = "open";
    if (palette.take(message.classes)) legend.build();
    follow(message.sources);
    for (const source of message.sources) history.take(source, message.now_unix_ms);
    show();
  },
  init(message) {
    screens.get(message.number)?.init(message, !fresh.has(message.number));
    fresh.add(message.number);
  },
  frame(message) {
    screens.get(message.number)?.frameCame(message);
  },
  link(state) {
    link = state;
    if (state !== "open") fresh = new Set();
    show();
  },
});

/** Whether pictures come as video: a run without an encoder has none. */
function byVideo() {
  const plays = playsVideo && status?.video !== false;
  document.body.dataset.plays = plays ? "video" : "jpeg";
  return plays;
}

/** The status of the source that is shown alone, or that keys act upon. */
function chosen() {
  return status?.sources.find((source) => source.id === layout.chosen) ?? null;
}

// sources that came or went
function follow(sources) {
  const numbers = new Set(sources.map((source) => source.number));
  let changed = false;
  for (const [number, screen] of screens) {
    if (numbers.has(number)) continue;
    layout.remove(screen);
    screen.close();
    screens.delete(number);
    fresh.delete(number);
    changed = true;
  }
  for (const source of sources) {
    const before = screens.get(source.number);
    if (before?.id === source.id) continue;
    if (before) {
      layout.remove(before);
      before.close();
    }
    const screen = new Screen(source, palette, clock, byVideo(), { chosen: (id) => toggle(id) });
    screen.element.addEventListener("named", (event) => legend.name(event.detail));
    screens.set(source.number, screen);
    layout.add(screen);
    changed = true;
  }
  history.keepOnly(numbers);
  if (changed) layout.arrange();
}

function toggle(id) {
  if (layout.isGrid) layout.choose(id);
  else if (screens.size > 1) layout.grid(true);
}

function show() {
  showLink();
  if (!status) return;
  const { sources } = status;
  const model = status.model ?? {};
  say(byId("model-name"), model.name ?? "Live");
  say(byId("model-facts"), [
    [model.encoder, model.decoder].filter(Boolean).join(" + "), model.size?.length ? `${model.size[1]} × ${model.size[0]}` : "",
    model.backend, model.precision?.toUpperCase(),
  ].filter(Boolean).join("  ·  "));
  for (const source of sources) screens.get(source.number)?.update(source, link);
  layout.update(sources, link);
  const source = chosen();
  control.update(Boolean(status.control), source);
  legend.update((layout.isGrid ? sources : source ? [source] : []).map((one) => one.shares ?? {}));
  const failed = (status.outputs ?? []).filter((one) => one.error);
  byId("outputs").hidden = !failed.length;
  say(byId("outputs"), failed.map((one) => `${one.sink}: ${one.error}`).join("  "));
  if (!source) return;
  showSource(source);
  if (layout.isGrid) return;
  figures.update(source, screens.get(source.number)?.age() ?? null);
  history.show(source.number, link === "open" ? clock.now() : status.now_unix_ms);
}

function showLink() {
  const words = { connecting: "Connecting", open: "Connected", lost: "Reconnecting", ended: "The run has ended" };
  byId("link").dataset.link = link;
  say(byId("link-word"), words[link]);
  const running = status ? (link === "ended" ? status.now_unix_ms : clock.now()) - status.started_unix_ms : 0;
  say(byId("uptime"), status ? `up ${lasting(running)}` : "");
  say(byId("viewers"), status ? `${whole(status.viewers)} watching` : "");
  document.title = status ? `${link === "open" ? "" : "✕ "}${status.model?.name ?? "Live"} – fcn_edge` : "fcn_edge";
}

function showSource(source) {
  const state = stateOf(source, link);
  say(byId("source-name"), source.id);
  say(byId("source-address"), source.uri ?? "");
  byId("source-address").title = source.uri ?? "";
  say(byId("source-state"), state.word);
  byId("source-state").dataset.tone = state.tone;
  byId("source-grade").hidden = !source.grade;
  say(byId("source-grade"), source.grade ?? "");
  byId("source-grade").dataset.tone = toneOf(source.grade);
  say(byId("source-since"), `for ${lasting(clock.now() - source.since_unix_ms)}`);
  say(byId("source-message"), source.message ?? "");
  say(byId("source-size"), source.size ? `${source.size[1]} × ${source.size[0]}` : "");
  say(byId("source-frames"), `${whole(source.frames)} frames`);
}

let told = 0;

/** Say something for a few seconds. */
function tell(text) {
  say(byId("told"), text);
  byId("told").hidden = false;
  clearTimeout(told);
  told = setTimeout(() => (byId("told").hidden = true), 6000);
}

function showOpacity() {
  const opacity = settings.get("shown") ? settings.get("opacity") : 0;
  document.documentElement.style.setProperty("--overlay", opacity);
  byId("opacity").value = Math.round(settings.get("opacity") * 100);
  byId("opacity").style.setProperty("--filled", `${settings.get("opacity") * 100}%`);
  byId("opacity-box").classList.toggle("off", !settings.get("shown"));
  byId("overlay").setAttribute("aria-pressed", String(settings.get("shown")));
  say(byId("opacity-value"), `${Math.round(opacity * 100)}%`);
}

function setOpacity(value) {
  settings.set("shown", true);
  settings.set("opacity", Math.min(1, Math.max(0, Math.round(value * 100) / 100)));
}

// in the grid nothing says which source is meant
function meant() {
  if (!layout.isGrid) return chosen();
  tell("Choose a source first: click it, or press its number.");
  return null;
}

function download(path) {
  const source = meant();
  if (!source) return;
  const link = document.createElement("a");
  link.href = `${path}?source=${encodeURIComponent(source.id)}`;
  const time = new Date(clock.now()).toISOString().slice(0, 19).replaceAll(":", "-");
  link.download = `${source.id}-${time}${path.slice(path.lastIndexOf("."))}`;
  link.click();
}

async function fullscreen() {
  const stage = byId("stage");
  if (document.fullscreenElement) await document.exitFullscreen();
  else if (stage.requestFullscreen) await stage.requestFullscreen().catch(() => {});
}

const acts = {
  next: () => layout.step(1),
  previous: () => layout.step(-1),
  pick: (at) => layout.pick(at),
  grid: () => layout.grid(!layout.isGrid),
  more: () => setOpacity(settings.get("opacity") + STEP),
  less: () => setOpacity(settings.get("opacity") - STEP),
  overlay: () => settings.set("shown", !settings.get("shown")),
  all: () => palette.all(),
  snapshot: () => download("/snapshot.jpg"),
  mask: () => download("/mask.png"),
  fullscreen,
  pause: () => control.pause(),
  theme: () => settings.set("theme", isDark(settings) ? "light" : "dark"),
  help: () => byId("help-dialog").showModal(),
};

settings.changed((key) => {
  if (key === "opacity" || key === "shown") showOpacity();
  if (key === "theme") {
    applyTheme(settings);
    show();
  }
});
byId("opacity").addEventListener("input", (event) => setOpacity(event.target.value / 100));
for (const name of ["overlay", "snapshot", "mask", "fullscreen", "theme", "help"]) byId(name).addEventListener("click", acts[name]);
byId("fullscreen").hidden = !document.fullscreenEnabled;
fillHelp();
listen(acts);
showOpacity();
showLink();
setInterval(showLink, 1000);

/** What tests look into. */
export const page = { screens, layout, palette, clock, connection };
