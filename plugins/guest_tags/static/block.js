// A part of the page that asks for its own numbers, waits, is empty or fails by itself. What fails for all is said once, by the strip.

import { ask } from "./airflow.js";
import { el, table } from "./dom.js";
import * as strip from "./strip.js";
import { clock, number, t } from "./texts.js";

export const notice = (text) => el("p", { class: "notice" }, text);

export function failure(code, retry) {
  const again = el("button", { type: "button", onclick: retry }, t("retry"));
  return el("div", { class: "notice error", role: "alert" }, el("p", {}, t(`error.${code}`)), again);
}

export const asTable = (columns, rows, caption) => el("details", {}, el("summary", {}, t("asTable")), table(columns, rows, caption));
export const cells = (title, of, more = {}) => ({ title, number: true, cell: (row) => number(of(row)), value: of, ...more });

let onAnswer = () => {};
// Who hears that a block has been answered or refused.
export const whenAnswered = (hear) => { onAnswer = hear; };

export class Block {
  // `address()` is where its numbers come from, `render(numbers)` the elements that show them.
  constructor(name, address, render) {
    Object.assign(this, { name, address, render, data: null, answered: null, fault: null, asked: 0 });
  }

  get box() {
    return document.querySelector(`[data-block="${this.name}"]`);
  }

  async load() {
    const turn = ++this.asked;
    if (this.data === null) {
      this.box.classList.add("loading");
      this.box.setAttribute("aria-busy", "true");
    }
    try {
      const data = await ask(this.address());
      if (turn !== this.asked) return; // a later question has been asked meanwhile
      Object.assign(this, { data, answered: new Date(), fault: null });
    } catch (error) {
      if (turn !== this.asked) return;
      if (!error.code) console.error(error);
      this.fault = error.code ?? "unexpected";
    }
    this.box.classList.remove("loading");
    this.box.setAttribute("aria-busy", "false");
    this.draw();
    onAnswer();
  }

  // Draws what is known, in the present language and theme: where the last question failed, the numbers before it, greyed. What
  // was open stays open, what had the focus keeps it.
  draw() {
    const { box } = this;
    const open = new Set([...box.querySelectorAll("details[open]")].map((one) => one.dataset.key ?? ""));
    const focused = box.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const numbers = this.data === null ? [] : [this.render(this.data)].flat();
    box.replaceChildren(...this.complaint(), this.fault && numbers.length ? el("div", { class: "stale" }, ...numbers) : el("div", {}, ...numbers));
    for (const one of box.querySelectorAll("details")) if (open.has(one.dataset.key ?? "")) one.open = true;
    if (focused) box.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  // What fails for all is said by the strip.
  complaint() {
    if (!this.fault) return [];
    const old = this.data ? t("stale", clock(this.answered)) : t("stale.never");
    return strip.isUnknown() ? [el("p", { class: "quiet" }, old)] : [failure(this.fault, () => this.load()), ...(this.data ? [el("p", { class: "quiet" }, old)] : [])];
  }
}
