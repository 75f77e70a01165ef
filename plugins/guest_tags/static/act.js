// One way for all buttons: what is asked for goes to Airflow as a run, and the page says what becomes of it until it is over, also
// after it was loaded again. What a person may not do is refused by Airflow; `may` only greys the button from the start.

import { Refusal, airflowAddress, ask, follow, isPaused, newRunId, openInAirflow, result, runPath, switchOn, taskOf, trigger } from "./airflow.js";
import * as dialog from "./dialog.js";
import { el } from "./dom.js";
import { t } from "./texts.js";

// --- who asks ----------------------------------------------------------------------------------------------------------

let me = { may: {} };
const refused = new Set();

// Learns who looks. Where it isn't known, buttons are not grey: Airflow decides.
export async function learn() {
  me = await ask("me").catch(() => me);
}

export const may = (dag) => me.may[dag] !== false && !refused.has(dag);

// Whether single guests are shown to them, or sums alone.
export const maySeeGuests = () => me.guests !== false;

// A sentence where the reader may not do this; nothing where they may.
export const reason = (dag) => (may(dag) ? null : t("act.forbidden", dag));

// --- what is kept over a reload ----------------------------------------------------------------------------------------

export const store = (of) => {
  try {
    return of(window.sessionStorage);
  } catch {
    return null; // storage is switched off
  }
};
const kept = (name) => `guest-tags.run.${name}`;

// --- a button's run ----------------------------------------------------------------------------------------------------

export const link = (text, path) => el("a", { href: airflowAddress(path), onclick: openInAirflow }, text);

export class Act {
  // `task` is the task of `dag` whose counts are the answer; `done(counts, about)` makes a sentence of them, `about` being what was
  // given to `send`; `changed` hears each change of what is said, `over` that a run has ended (with its counts, null if it failed).
  constructor({ name, dag, task, done, changed, over = () => {} }) {
    Object.assign(this, { name, dag, task, done, changed, over, says: null, busy: false });
  }

  // Asks for a run and follows it. `key` is made once for a form: sent again with it, it is the same run.
  async send(conf, note, { key = undefined, about = {} } = {}) {
    if (this.busy) return;
    this.busy = true;
    this.#tell({ code: "checking" });
    try {
      const run = newRunId(this.name, key);
      await trigger(this.dag, run, conf, note);
      store((storage) => storage.setItem(kept(this.name), JSON.stringify({ run, about })));
      await this.#watch(run, about);
    } catch (error) {
      this.#refuse(error);
    } finally {
      this.busy = false;
      this.changed();
    }
  }

  // Goes on with what was sent before the page was loaded.
  async resume() {
    const text = store((storage) => storage.getItem(kept(this.name)));
    if (!text || this.busy) return;
    const { run, about } = JSON.parse(text);
    this.busy = true;
    try {
      await this.#watch(run, about);
    } catch (error) {
      this.#refuse(error);
    } finally {
      this.busy = false;
      this.changed();
    }
  }

  // What is said now, to be put into the page.
  answer() {
    const { says, dag } = this;
    const box = (...children) => el("p", { class: says?.bad ? "bad" : "quiet", "data-answer": this.name, "data-code": says?.code ?? "" }, ...children);
    if (!says) return box();
    return box(
      `${says.text()} `,
      ...(says.code === "paused" ? [el("button", { type: "button", "data-key": `on-${dag}`, onclick: () => offerToSwitchOn(dag) }, t("strip.on")), " "] : []),
      ...(says.run ? [link(t("strip.run"), runPath(dag, says.run))] : []),
    );
  }

  forget() {
    this.says = null;
  }

  async #watch(run, about) {
    const { dag, task } = this;
    const state = await follow(dag, run, async (now) => {
      const paused = now === "queued" && (await isPaused(dag).catch(() => false));
      this.#tell({ code: paused ? "paused" : now, run });
    });
    if (state === "lost") return this.#tell({ code: "lost", run });
    store((storage) => storage.removeItem(kept(this.name)));
    if (state === "failed") {
      const error = (await taskOf(dag, run, ["failed"]).catch(() => null))?.error;
      this.#tell({ code: "failed", run, bad: true, text: () => (error ? t("act.refused", error) : t("act.failed")) });
      return this.over(null, about);
    }
    const counts = await result(dag, run, task);
    this.#tell({ code: "done", run, text: () => this.done(counts, about) });
    return this.over(counts, about);
  }

  #refuse(error) {
    if (!(error instanceof Refusal)) throw error;
    store((storage) => storage.removeItem(kept(this.name)));
    const { code, detail } = error;
    if (code === "forbidden") {
      refused.add(this.dag);
      return this.#tell({ code, bad: true, text: () => t("act.forbidden", this.dag) });
    }
    this.#tell({ code, bad: true, text: () => (code === "invalid" && detail ? t("act.refused", detail) : t(`error.${code}`, this.dag)) });
  }

  #tell(says) {
    const same = this.says?.code === says.code;
    this.says = { text: () => t(`act.${says.code}`, this.dag), bad: false, ...says };
    this.changed();
    if (!same) document.getElementById("spoken").textContent = this.says.text();
  }
}

// --- switching a DAG on ------------------------------------------------------------------------------------------------

let onSwitched = () => {};
export const whenSwitchedOn = (hear) => { onSwitched = hear; };

export function offerToSwitchOn(dag) {
  dialog.open({
    title: t("dialog.on", dag),
    body: [el("p", {}, t("dialog.on.what"))],
    yes: t("strip.on"),
    act: async () => {
      try {
        await switchOn(dag);
        await onSwitched();
        return null;
      } catch (error) {
        return error.code === "forbidden" ? t("act.forbidden", dag) : t(`error.${error.code ?? "unexpected"}`, dag);
      }
    },
  });
}
