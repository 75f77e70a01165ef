// The tab One guest: what a guest has and lacks for each tag, and how it came about.

import { ask } from "./airflow.js";
import { cells, failure, notice } from "./block.js";
import { el, table, track } from "./dom.js";
import { counted, number, t, time } from "./texts.js";

const $ = (id) => document.getElementById(id);

const choice = { guest: null, tag: null, wrong: false };
let known = [];

// What is wrong with the id, beside its field; null = nothing.
function complain(text) {
  const field = $("guest-id");
  $("guest-wrong").textContent = text ?? "";
  if (text === null) field.removeAttribute("aria-invalid");
  else field.setAttribute("aria-invalid", "true");
  choice.wrong = text !== null;
}

async function findGuest(id) {
  choice.guest = id;
  complain(null);
  $("guest-id").value = id;
  const box = $("guest-answer");
  box.setAttribute("aria-busy", "true");
  let shown;
  try {
    shown = guest(await ask(`guest?guest_id=${encodeURIComponent(id)}`));
  } catch (error) {
    shown = [failure(error.code ?? "unexpected", () => findGuest(id))];
  }
  if (choice.guest !== id) return;
  box.setAttribute("aria-busy", "false");
  box.replaceChildren(...shown);
}

function guest({ guest_id: id, progress, events }) {
  if (!progress.length && !events.length) return [notice(t("guest.unknown"))];
  const state = (row) => {
    if (row.tag === null) return el("span", { class: "quiet" }, t("guest.norule"));
    if (row.carries_tag) return el("span", { class: "good" }, t("guest.carries", number(row.threshold)));
    return t("guest.lacks", counted(row.orders_missing, "more"), number(row.threshold));
  };
  const reached = (row) => (row.tag === null ? "" : track([Math.min(100, (100 * row.order_cnt) / (row.threshold + 1))]));
  return [
    el("h3", {}, t("guest.progress")),
    table(
      [
        { title: t("category"), head: true, cell: (row) => row.category_name, value: (row) => row.category_name },
        { title: t("tag"), cell: (row) => row.tag ?? "—", value: (row) => row.tag ?? "" },
        cells(t("orders"), (row) => row.order_cnt),
        { title: "", class: "bar", cell: reached },
        { title: t("guest.state"), cell: state, value: (row) => row.orders_missing ?? "" },
      ],
      progress,
      t("guest.progress.caption", id),
    ),
    el("h3", {}, t("guest.events")),
    events.length
      ? table(
          [
            { title: t("time"), head: true, cell: (row) => time(row.event_dt), value: (row) => row.event_dt },
            { title: t("tag"), cell: (row) => row.tag, value: (row) => row.tag },
            { title: t("guest.event"), cell: (row) => t(`guest.${row.event}`), value: (row) => row.event },
            { title: t("guest.evidence"), value: (row) => row.order_cnt,
              cell: (row) => t("guest.because", counted(row.order_cnt, "closed"), row.category_name, number(row.threshold), number(row.rule_version)) },
          ],
          events,
          t("guest.events.caption", id),
        )
      : notice(t("guest.noevents")),
  ];
}

// Ids to begin with: the newest guests of a tag that is carried at all.
async function examples() {
  const { rows: tags } = await ask("tags").catch(() => ({ rows: known }));
  known = tags;
  const rows = tags.filter((row) => row.guests > 0);
  if (!rows.length) return $("guest-examples").replaceChildren();
  if (!rows.some((row) => row.tag === choice.tag)) choice.tag = rows[0].tag;
  const tag = choice.tag;
  const { rows: found } = await ask(`guests?tag=${encodeURIComponent(tag)}`).catch(() => ({ rows: [] }));
  const select = el("select", { id: "example-tag", onchange: () => {
    choice.tag = select.value;
    examples().then(() => $("example-tag").focus());
  } }, ...rows.map((row) => el("option", { value: row.tag, selected: row.tag === tag }, row.tag)));
  const ids = found.map((row) => el("button", { type: "button", onclick: () => findGuest(row.guest_id) }, row.guest_id));
  $("guest-examples").replaceChildren(
    el("p", { class: "quiet" }, el("label", { for: "example-tag" }, `${t("guest.examples")} `), select),
    el("div", { class: "chips" }, ...ids),
  );
}

// Asked for anew when the tab is opened and at each refresh; the same in another language.
export const refresh = () => Promise.all([examples(), ...(choice.guest ? [findGuest(choice.guest)] : [])]);

export function speak() {
  if (choice.wrong) complain(t("guest.blank"));
}

export function begin() {
  $("guest-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const id = $("guest-id").value.trim();
    if (id) return findGuest(id);
    complain(t("guest.blank"));
    $("guest-id").focus();
  });
}
