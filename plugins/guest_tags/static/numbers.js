// The tab Numbers: audiences over time, the most ordered categories and dishes, orders by status.

import { Block, asTable, cells, notice } from "./block.js";
import { STATUSES, lineChart, lineLook, stackedChart, statusColour } from "./charts.js";
import { el, table, track } from "./dom.js";
import { note, place } from "./place.js";
import { counted, day, dayName, hour, hourName, number, t, time } from "./texts.js";

const FIRST_TAGS = 5;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const sum = (rows, of) => rows.reduce((total, row) => total + of(row), 0);

// What the reader has chosen; kept when the numbers are drawn anew.
const choice = { tags: null, colours: null };

function audience({ rows }) {
  if (!rows.length) return notice(t("audience.empty"));
  const last = rows.at(-1).day;
  const names = [...new Set(rows.map((row) => row.tag))];
  const now = new Map(rows.filter((row) => row.day === last).map((row) => [row.tag, row.guests]));
  const largest = [...names].sort((left, right) => (now.get(right) ?? 0) - (now.get(left) ?? 0));
  choice.tags ??= new Set(largest.slice(0, FIRST_TAGS));
  // A tag keeps its colour however the others grow; the largest have the clearest ones.
  choice.colours = [...new Set([...(choice.colours ?? []), ...largest])];
  const look = (tag) => lineLook(choice.colours.indexOf(tag));
  // A tag has rows from the day of its first event on; before it nobody carried it. The first day gets a day before it.
  const first = new Date(rows[0].day).getTime();
  const begin = first - (rows[0].guests === rows[0].assigned - rows[0].revoked ? DAY_MS : 0);
  const days = [];
  for (let at = begin; at <= new Date(last).getTime(); at += DAY_MS) days.push(new Date(at).toISOString().slice(0, 10));
  const byDay = new Map(rows.map((row) => [`${row.tag} ${row.day}`, row.guests]));
  const shown = largest.filter((tag) => choice.tags.has(tag));
  const series = shown.map((tag) => ({
    label: tag,
    values: days.map((date) => byDay.get(`${tag} ${date}`) ?? 0),
    look: look(tag),
  }));
  const chips = el("fieldset", { class: "chips" }, el("legend", { class: "unseen" }, t("audience.choose")), ...largest.map((tag) => {
    const on = choice.tags.has(tag);
    const dot = el("span", { class: "dot" });
    dot.style.borderColor = look(tag).colour;
    if (on) dot.style.backgroundColor = look(tag).colour;
    const box = el("input", { type: "checkbox", checked: on, "data-key": tag, onchange: () => {
      if (!choice.tags.delete(tag)) choice.tags.add(tag);
      blocks.audience.draw();
    } });
    return el("label", {}, box, dot, tag, el("span", { class: "quiet" }, number(now.get(tag) ?? 0)));
  }));
  const label = t("audience.chart", shown.join(", "), day(days[0]), day(days.at(-1)));
  return [
    chips,
    lineChart("audience", label, days.map(day), series),
    asTable(
      [
        { title: t("day"), head: true, cell: (row) => day(row.day), value: (row) => row.day },
        { title: t("tag"), cell: (row) => row.tag, value: (row) => row.tag },
        cells(t("audience.assigned"), (row) => row.assigned),
        cells(t("audience.revoked"), (row) => row.revoked),
        cells(t("guests"), (row) => row.guests),
      ],
      [...rows].reverse(),
      t("audience.title"),
    ),
  ];
}

function ranking(rows, first, caption) {
  const most = Math.max(1, ...rows.map((row) => row.order_cnt));
  return table(
    [
      first,
      { title: "", class: "bar", cell: (row) => track([(100 * row.order_cnt) / most]) },
      cells(t("orders"), (row) => row.order_cnt),
      cells(t("guests"), (row) => row.guests),
    ],
    rows,
    caption,
  );
}

function categories({ rows }) {
  if (!rows.length) return notice(t("categories.empty"));
  const name = { title: t("category"), head: true, cell: (row) => row.category_name, value: (row) => row.category_name };
  return ranking(rows, name, t("categories.title"));
}

function dishes({ rows }) {
  if (!rows.length) return notice(t("dishes.empty"));
  const cell = (row) => el("div", {}, row.product_name || row.product_id, el("br"), el("span", { class: "quiet" }, row.category_name ?? t("dishes.nomenu")));
  return ranking(rows, { title: t("dishes.dish"), head: true, cell, value: (row) => row.product_id }, t("dishes.title"));
}

function orders({ unit, rows }) {
  if (!rows.length) return notice(t("orders.empty"));
  const step = unit === "hour" ? HOUR_MS : DAY_MS;
  const written = unit === "hour" ? time : day;
  const times = [];
  for (let at = Date.parse(rows[0].begin_dt); at <= Date.parse(rows.at(-1).begin_dt); at += step) times.push(at);
  const found = [...new Set(rows.map((row) => row.status))];
  // The statuses of the contract in the order of an order's life, then whatever else came.
  const statuses = [...STATUSES.filter((status) => found.includes(status)), ...found.filter((status) => !STATUSES.includes(status))];
  const byTime = new Map(rows.map((row) => [`${row.status} ${Date.parse(row.begin_dt)}`, row.orders]));
  const series = statuses.map((status) => ({
    label: status,
    values: times.map((at) => byTime.get(`${status} ${at}`) ?? 0),
    colour: statusColour(status),
  }));
  const totals = statuses.map((status) => {
    const own = rows.filter((row) => row.status === status);
    return { status, orders: sum(own, (row) => row.orders) };
  });
  const legend = el("dl", { class: "tiles" }, ...totals.map(({ status, orders }) => {
    const dot = el("span", { class: "dot" });
    dot.style.borderColor = dot.style.backgroundColor = statusColour(status);
    return el("div", {}, el("dt", {}, dot, ` ${status}`), el("dd", { "data-name": status, "data-value": orders }, el("span", { class: "figure" }, number(orders))));
  }));
  const titles = times.map((at) => written(new Date(at).toISOString()));
  // Several days by the hour: only midnights are named.
  const short = unit === "day" ? titles : times.map((at) => (times.length <= 25 ? hourName(at) : hour(at) === 0 ? dayName(at) : ""));
  const label = t("orders.chart", counted(sum(rows, (row) => row.orders), "orders"), titles[0], titles.at(-1));
  return [
    legend,
    stackedChart("orders", label, short, titles, series),
    asTable(
      [
        { title: t(unit === "hour" ? "time" : "day"), head: true, cell: (row) => written(row.begin_dt), value: (row) => row.begin_dt },
        { title: t("orders.status"), cell: (row) => row.status, value: (row) => row.status },
        cells(t("orders"), (row) => row.orders),
        cells(t("orders.cost"), (row) => row.cost ?? 0),
      ],
      [...rows].reverse(),
      t("orders.title"),
    ),
  ];
}

// A switch of periods, kept in the address under its name.
function period(name, allowed) {
  const days = place.chosen[name];
  return allowed.includes(days) ? days : document.querySelector(`input[name="${name}-days"][checked]`).value;
}
const DAYS = { audience: ["7", "30", "366"], orders: ["1", "7", "30"] };

export const blocks = {
  audience: new Block("audience", () => `audience?days=${period("audience", DAYS.audience)}`, audience),
  categories: new Block("categories", () => "categories", categories),
  dishes: new Block("dishes", () => "dishes", dishes),
  orders: new Block("orders", () => `orders?days=${period("orders", DAYS.orders)}`, orders),
};

// Shows the periods of the address in their switches.
export function arrive() {
  for (const [name, allowed] of Object.entries(DAYS)) {
    document.querySelector(`input[name="${name}-days"][value="${period(name, allowed)}"]`).checked = true;
  }
}

export function begin() {
  for (const name of Object.keys(DAYS)) {
    document.getElementById(`${name}-days`).addEventListener("change", (event) => {
      note(name, event.target.value);
      blocks[name].load();
    });
  }
}
