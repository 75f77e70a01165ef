// The one dialog of the page: it asks before something is sent. Escape closes it; who opened it has the focus back.

import { el } from "./dom.js";
import { t } from "./texts.js";

const box = () => document.getElementById("dialog");

export const close = () => box().close();

// `act` is what `yes` does; it may return a sentence, which stays in the dialog, or nothing, which closes it. Enter says no: the focus
// begins there. `yes` may be null: then there is only something to read.
export function open({ title, body, yes = null, no = t("dialog.no"), act = null, wide = false }) {
  const dialog = box();
  const cancel = el("button", { type: "button", onclick: close }, no);
  const answer = el("p", { class: "bad", role: "alert" });
  const button = yes && el("button", { type: "button", class: "main", onclick: async () => {
    button.disabled = true;
    answer.textContent = "";
    const said = await act();
    button.disabled = false;
    if (said) answer.textContent = said;
    else close();
  } }, yes);
  dialog.classList.toggle("wide", wide);
  dialog.replaceChildren(el("h2", { id: "dialog-title" }, title), ...body, answer, el("div", { class: "row" }, ...(yes ? [button] : []), cancel));
  if (!dialog.open) dialog.showModal();
  cancel.focus();
}
