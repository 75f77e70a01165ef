// The tab One guest: what a guest has and lacks for each tag, and how it came about.

import { maySeeGuests } from "./act.js";
import { ask, askFor } from "./airflow.js";
import { cells, failure, notice } from "./block.js";
import { el, table } from "./dom.js";
import { place } from "./place.js";
import { clock, counted, day, number, t, time } from "./texts.js";

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

// Who has asked is led to the answer.
async function findGuest(id) {
  choice.guest = id;
  complain(null);
  $("guest-id").value = id;
  await show();
  $("guest-answer").querySelector("[tabindex]")?.focus();
}

async function show() {
  const id = choice.guest;
  const box = $("guest-answer");
  box.setAttribute("aria-busy", "true");
  let shown;
  try {
    shown = guest(id, await askFor("why", { guest_id: id, tag: null }));
  } catch (error) {
    shown = [failure(error.code ?? "unexpected", show)];
  }
  if (choice.guest !== id) return;
  const open = new Set([...box.querySelectorAll("details[open]")].map((one) => one.dataset.key));
  const focused = box.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  box.setAttribute("aria-busy", "false");
  box.replaceChildren(...shown);
  for (const one of box.querySelectorAll("details")) one.open = open.has(one.dataset.key);
  if (focused) box.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

// How a guest stands with a tag: has it, had it, or not yet; with what is missing.
function standing(row, events) {
  if (row.tag === null) return t("guest.norule");
  const last = events.find((event) => event.tag === row.tag);
  const counts = [counted(row.order_cnt, "closed"), row.category_name, number(row.threshold), row.window_days === null ? "" : counted(row.window_days, "days")];
  if (row.carries_tag) {
    const has = last?.event === "assigned" ? t("guest.since", day(last.effective_dt ?? last.event_dt), ...counts) : t("guest.has", ...counts);
    return row.leaves_dt ? `${has} ${t("guest.leaves", time(row.leaves_dt))}` : has;
  }
  if (row.orders_missing === 0) return t("guest.comes");
  const lacks = t("guest.lacks", counted(row.orders_missing, "more"), row.category_name, number(row.order_cnt), number(row.threshold));
  return last?.event === "revoked" ? `${t("guest.lost", day(last.effective_dt ?? last.event_dt), because(last))} ${lacks}` : lacks;
}

// Two sentences for whoever answers the guest, without the id.
function copy(row, events) {
  const answer = el("span", { class: "quiet", role: "status" });
  const last = events.find((event) => event.tag === row.tag);
  const text = `${row.tag}: ${standing(row, events)} ${last ? evidence(last) : t("guest.noevents")}`;
  return el("div", { class: "does" }, el("button", { type: "button", "data-key": `copy-${row.tag}`, onclick: async () => {
    // Without TLS a browser has no clipboard: then the text is there to be marked.
    const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    answer.textContent = done ? t("guest.copied") : text;
  } }, t("guest.copy")), answer);
}

const evidence = (row) =>
  `${t(`guest.${row.event}`)} ${time(row.event_dt)}: ${t("guest.because", counted(row.order_cnt, "closed"), row.category_name, number(row.threshold), number(row.rule_version))}.`;

// The orders of a tag, and for each whether it counts and why not.
function ordersOf(tag, orders, window) {
  const counting = orders.filter((row) => row.counts).length;
  const verdict = (row) => (row.counts ? t("why.counts") : t(`why.${row.why_not}`, window === null ? "" : counted(window, "days")));
  return el("details", { "data-key": `orders-${tag}` },
    el("summary", {}, t("why.title", tag, number(counting), number(orders.length - counting))),
    table(
      [
        { title: t("why.order"), head: true, cell: (row) => String(row.order_id), value: (row) => row.order_id },
        { title: t("orders.status"), cell: (row) => row.status ?? "–" },
        { title: t("why.closed"), cell: (row) => (row.closed_dt ? time(row.closed_dt) : "–") },
        { title: t("guest.state"), cell: (row) => el("span", { class: row.counts ? "good" : null }, verdict(row)), value: (row) => row.why_not ?? "counts" },
        { title: t("why.until"), cell: (row) => (row.leaves_dt ? time(row.leaves_dt) : "–") },
      ],
      orders,
      t("why.title", tag, number(counting), number(orders.length - counting)),
    ));
}

// Why a tag came or went, in words.
function because(row) {
  const order = row.trigger_order_id;
  if (row.reason === null || (order === null && ["orders", "time"].includes(row.reason))) return "";
  if (row.reason === "orders") return t(`reason.orders.${row.event}`, order);
  if (row.reason === "time") return t("reason.time", order, row.window_days === null ? "" : counted(row.window_days, "days"));
  return t(`reason.of.${row.reason}`, order, number(row.rule_version));
}

function guest(id, { progress, orders, events }) {
  if (!progress.length && !events.length) return [el("p", { class: "notice", tabindex: "-1" }, t("guest.unknown"))];
  return [
    el("h3", { tabindex: "-1", "data-key": "answer" }, t("guest.progress")),
    el("p", { class: "quiet" }, t("guest.asof", clock(new Date()))),
    table(
      [
        { title: t("category"), head: true, cell: (row) => row.category_name, value: (row) => row.category_name },
        { title: t("tag"), class: "tag", cell: (row) => row.tag ?? "—", value: (row) => row.tag ?? "" },
        cells(t("orders"), (row) => row.order_cnt),
        { title: t("guest.state"), class: "whole", value: (row) => row.orders_missing ?? "",
          cell: (row) => el("span", { class: row.carries_tag ? "good" : row.tag === null ? "quiet" : null }, standing(row, events)) },
        { title: "", class: "whole", cell: (row) => (row.tag === null ? "" : copy(row, events)) },
      ],
      progress,
      t("guest.progress.caption", id),
    ),
    ...progress.filter((row) => row.tag !== null).map((row) => [row, orders.filter((order) => order.tag === row.tag)])
      .filter(([, own]) => own.length).map(([row, own]) => ordersOf(row.tag, own, row.window_days)),
    el("h3", {}, t("guest.events")),
    events.length
      ? table(
          [
            { title: t("time"), head: true, value: (row) => row.event_dt,
              cell: (row) => el("div", {}, time(row.effective_dt ?? row.event_dt), ...(row.effective_dt ? [el("br"), el("span", { class: "quiet" }, t("guest.written", time(row.event_dt)))] : [])) },
            { title: t("tag"), cell: (row) => row.tag, value: (row) => row.tag },
            { title: t("guest.event"), cell: (row) => t(`guest.${row.event}`), value: (row) => row.event },
            { title: t("guest.evidence"), value: (row) => row.order_cnt,
              cell: (row) => [because(row), t("guest.because", counted(row.order_cnt, "closed"), row.category_name, number(row.threshold), number(row.rule_version))].filter(Boolean).join("; ") },
          ],
          events,
          t("guest.events.caption", id),
        )
      : notice(t("guest.noevents")),
  ];
}

// Ids to begin with: the newest guests of a tag that is carried at all.
async function examples() {
  const { rows: rules } = await ask("rules").catch(() => ({ rows: known }));
  known = rules;
  const rows = rules.filter((row) => row.guests > 0 && row.status !== "draft");
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

// The tag of the address is the one whose guests are shown.
export function arrive() {
  if (place.chosen.tag) choice.tag = place.chosen.tag;
}

// Asked for anew when the tab is opened and at each refresh; the same in another language. Who may see sums alone is told so.
export function refresh() {
  const closed = !maySeeGuests();
  $("guest-form").hidden = closed;
  if (!closed) return Promise.all([examples(), ...(choice.guest ? [show()] : [])]);
  $("guest-examples").replaceChildren();
  $("guest-answer").replaceChildren(notice(t("guest.forbidden")));
  return Promise.resolve();
}

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
