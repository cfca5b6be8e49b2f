// Pausing, adding and removing sources, where the run lets its viewers do that.

import { byId, h, say } from "./dom.js";

/** hears: {chosen(): the status of the chosen source or null, told(text)}. */
export class Control {
  constructor(hears) {
    this.hears = hears;
    this.allowed = false;
    byId("pause").addEventListener("click", () => this.pause());
    byId("add").addEventListener("click", () => this.#ask());
    byId("remove").addEventListener("click", () => this.#askRemoval());
    byId("add-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#add();
    });
    byId("remove-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#remove();
    });
    for (const close of document.querySelectorAll("dialog [data-close]")) {
      close.addEventListener("click", () => close.closest("dialog").close());
    }
  }

  update(allowed, source) {
    this.allowed = allowed;
    document.body.dataset.control = String(allowed);
    const paused = Boolean(source?.paused);
    byId("pause").setAttribute("aria-pressed", String(paused));
    byId("pause").classList.toggle("paused", paused);
    say(byId("pause-word"), paused ? "Resume" : "Pause");
  }

  /** Pause the chosen source, or go on with it. */
  async pause() {
    if (!this.allowed) return;
    const source = this.hears.chosen();
    if (!source) return;
    const problem = await send("POST", `/api/sources/${encodeURIComponent(source.id)}/${source.paused ? "resume" : "pause"}`);
    if (problem) this.hears.told(problem);
  }

  #ask() {
    say(byId("add-problem"), "");
    byId("add-dialog").showModal();
    byId("add-source").focus();
  }

  async #add() {
    const problem = await send("POST", "/api/sources", { source: byId("add-source").value.trim() });
    say(byId("add-problem"), problem ?? "");
    if (problem) return;
    byId("add-source").value = "";
    byId("add-dialog").close();
  }

  #askRemoval() {
    const source = this.hears.chosen();
    if (!source) return;
    this.leaving = source.id;
    byId("remove-name").replaceChildren(h("strong", {}, source.id));
    say(byId("remove-problem"), "");
    byId("remove-dialog").showModal();
  }

  async #remove() {
    const problem = await send("DELETE", `/api/sources/${encodeURIComponent(this.leaving)}`);
    say(byId("remove-problem"), problem ?? "");
    if (!problem) byId("remove-dialog").close();
  }
}

/** Ask for a change; null where it was done, else what was wrong, in a sentence. */
async function send(method, address, body) {
  const request = { method, credentials: "same-origin" };
  if (body) Object.assign(request, { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  let answer;
  try {
    answer = await fetch(address, request);
  } catch {
    return "The run does not answer.";
  }
  if (answer.status === 401) {
    location.assign("/login");
    return "Log in first.";
  }
  if (answer.ok) return null;
  const told = await answer.json().catch(() => ({}));
  return [told.error ?? `The run answered ${answer.status}.`, told.fix].filter(Boolean).join(" ");
}
