// Keys, which the help (?) lists as well.

import { byId, h } from "./dom.js";

/** acts: a function by the name of each action. */
export function listen(acts) {
  const keys = {
    ArrowRight: acts.next, ArrowLeft: acts.previous, g: acts.grid, "+": acts.more, "=": acts.more, "-": acts.less,
    o: acts.overlay, a: acts.all, s: acts.snapshot, m: acts.mask, f: acts.fullscreen, p: acts.pause, t: acts.theme,
    "?": acts.help,
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.target.closest("input, textarea, select")) {
      // a slider keeps its own keys
      if (event.target.type !== "range" || event.key.startsWith("Arrow")) return;
    }
    const act = keys[event.key] ?? keys[event.key.toLowerCase()];
    if (act) {
      event.preventDefault();
      act();
    } else if (/^[1-9]$/.test(event.key)) {
      acts.pick(Number(event.key) - 1);
    }
  });
}

const LIST = [
  ["← →", "Previous or next source"], ["1 – 9", "That source"], ["G", "All sources in a grid, or one"],
  ["+ −", "More or less overlay"], ["O", "Overlay on or off"], ["A", "All classes"], ["S", "Save the picture with its overlay"],
  ["M", "Save the mask"], ["F", "Full screen"], ["P", "Pause or resume the source"], ["T", "Light or dark"],
  ["?", "This help"],
];

/** Fill the help. */
export function fillHelp() {
  for (const [keys, text] of LIST) {
    byId("keys").append(h("div", {}, h("dt", {}, ...keys.split(/ (?!–|\d)/).map((key) => h("kbd", {}, key))), h("dd", {}, text)));
  }
}
