// Fills the blocks of the page. Each asks for its own numbers, waits, is empty or fails by itself; all are asked again every
// minute while somebody looks. What fails for all of them is said once, by the strip (strip.js).

import { ask } from "./airflow.js";
import { STATUSES, lineChart, lineLook, stackedChart, statusColour, thresholdChart } from "./charts.js";
import { el, table, track } from "./dom.js";
import * as strip from "./strip.js";
import { clock, counted, day, dayName, hour, hourName, known, language, number, setLanguage, t, time, zone } from "./texts.js";

const REFRESH_MS = 60_000;
const FIRST_TAGS = 5;
const TAIL = 0.01; // of a category's guests: the curve of thresholds ends there
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const $ = (id) => document.getElementById(id);
const sum = (rows, of) => rows.reduce((total, row) => total + of(row), 0);
const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;

// What the reader has chosen; kept when the numbers are drawn anew.
const choice = { tags: null, colours: null, category: null, threshold: null, guest: null, exampleTag: null, wrong: false };
// --- states ------------------------------------------------------------------------------------------------------------

const notice = (text) => el("p", { class: "notice" }, text);

function failure(code, retry) {
  const again = el("button", { type: "button", onclick: retry }, t("retry"));
  return el("div", { class: "notice error", role: "alert" }, el("p", {}, t(`error.${code}`)), again);
}

// A part of the page: where its numbers come from and how they are drawn.
class Block {
  constructor(name, address, render) {
    this.box = document.querySelector(`[data-block="${name}"]`);
    this.address = address;
    this.render = render;
    this.data = null;
    this.answered = null;
    this.fault = null;
    this.asked = 0;
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
    sayWhen();
  }

  // Draws what is known, in the present language and theme: where the last question failed, the numbers before it, greyed. What
  // was open stays open, what had the focus keeps it.
  draw() {
    const open = this.box.querySelector("details")?.open;
    const focused = this.box.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const numbers = this.data === null ? [] : [this.render(this.data)].flat();
    this.box.replaceChildren(...this.complaint(), this.fault && numbers.length ? el("div", { class: "stale" }, ...numbers) : el("div", {}, ...numbers));
    if (open) this.box.querySelector("details").open = true;
    if (focused) this.box.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  // What fails for all is said by the strip.
  complaint() {
    if (!this.fault) return [];
    const old = this.data ? t("stale", clock(this.answered)) : t("stale.never");
    return strip.isUnknown() ? [el("p", { class: "quiet" }, old)] : [failure(this.fault, () => this.load()), ...(this.data ? [el("p", { class: "quiet" }, old)] : [])];
  }
}

const asTable = (columns, rows, caption) => el("details", {}, el("summary", {}, t("asTable")), table(columns, rows, caption));
const cells = (title, of, more = {}) => ({ title, number: true, cell: (row) => number(of(row)), value: of, ...more });

// --- blocks ------------------------------------------------------------------------------------------------------------

function tags({ rows }) {
  if (!rows.length) return notice(t("tags.empty"));
  const parts = (row) => [row.guests, row.one_short, row.two_short, row.three_short];
  const widest = Math.max(1, ...rows.map((row) => sum(parts(row), (part) => part)));
  const rule = (row) => [
    el("span", { class: "name" }, row.tag), el("br"), el("span", { class: "quiet" }, t("tags.rule", row.category_name, number(row.threshold))),
  ];
  return table(
    [
      { title: t("tag"), head: true, cell: (row) => el("div", {}, ...rule(row)), value: (row) => row.tag },
      cells(t("tags.carry"), (row) => row.guests, { class: "name" }),
      { title: "", class: "bar", cell: (row) => track(parts(row).map((part) => (100 * part) / widest)) },
      cells(t("tags.short", 1), (row) => row.one_short),
      cells(t("tags.short", 2), (row) => row.two_short),
      cells(t("tags.short", 3), (row) => row.three_short),
    ],
    rows,
    t("tags.title"),
  );
}

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

function thresholds({ rows }) {
  if (!rows.length) return notice(t("thresholds.empty"));
  const byCategory = grouped(rows);
  const names = [...byCategory.keys()];
  const inForce = blocks.tags.data?.rows ?? [];
  // To begin with, the rule that most guests fulfil.
  const category = [choice.category, ...inForce.map((rule) => rule.category_name), ...names].find((name) => byCategory.has(name));
  const steps = byCategory.get(category);
  const rules = inForce.filter((rule) => rule.category_name === category);
  let chosen = Math.min(choice.threshold ?? rules[0]?.threshold ?? 0, steps.at(-1).threshold);

  const select = el("select", { id: "threshold-category", "data-key": "category", onchange: () => {
    choice.category = select.value;
    choice.threshold = null;
    blocks.thresholds.draw();
  } }, ...names.map((name) => el("option", { value: name, selected: name === category }, name)));
  const label = el("label", { for: "threshold" });
  const range = el("input", {
    type: "range", id: "threshold", "data-key": "threshold", min: 0, max: steps.at(-1).threshold, value: chosen,
    oninput: () => {
      choice.category = category;
      choice.threshold = chosen = Number(range.value);
      show();
    },
  });
  const output = el("output", { for: "threshold threshold-category" });
  const insert = el("pre", { tabindex: "0", role: "group", "aria-label": "SQL" });
  const chart = el("div");

  // Only what depends on the threshold: whoever drags the slider must keep it.
  function show() {
    const { threshold, guests } = steps.findLast((step) => step.threshold <= chosen) ?? steps[0];
    label.textContent = `${t("thresholds.threshold")}: ${number(threshold)}`;
    output.replaceChildren(
      el("span", { class: "figure", "data-value": guests }, number(guests)),
      t("thresholds.answer", counted(guests, "guests")),
    );
    const quoted = `'${category.replaceAll("'", "''")}'`;
    insert.textContent = `insert into cdm.tag_rules (tag, category_name, threshold)\nvalues ('my_tag', ${quoted}, ${threshold});`;
    // A few guests with very many orders would squeeze the curve into a corner; their tail is in the table.
    const reached = steps.filter((step) => step.guests >= steps[0].guests * TAIL).length;
    const drawn = steps.slice(0, Math.max(reached, threshold + 2, ...rules.map((rule) => rule.threshold + 2)));
    chart.replaceChildren(
      thresholdChart("thresholds", t("thresholds.chart", category), {
        thresholds: drawn.map((step) => step.threshold),
        guests: drawn.map((step) => step.guests),
        chosen: threshold,
        rules: rules.map((rule) => rule.threshold),
        seriesName: t("guests"),
        axis: t("thresholds.axis"),
      }),
    );
  }
  show();

  const told = rules.map(({ tag, threshold, guests }) => `${tag} (> ${number(threshold)}): ${number(guests)}`).join("; ");
  const controls = el(
    "div",
    {},
    el("label", { for: "threshold-category" }, t("category")), select, label, range, output,
    el("p", { class: "quiet" }, rules.length ? `${t("thresholds.rules")}: ${told}` : t("thresholds.norules")),
    el("p", { class: "quiet" }, t("thresholds.make")), insert,
  );
  const columns = [cells(t("thresholds.threshold"), (row) => row.threshold, { head: true }), cells(t("guests"), (row) => row.guests)];
  return el("div", { class: "preview" }, controls, el("div", {}, chart, asTable(columns, steps, category)));
}

// The rows by category, in their order.
function grouped(rows) {
  const groups = new Map();
  for (const row of rows) groups.set(row.category_name, [...(groups.get(row.category_name) ?? []), row]);
  return groups;
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

function deadLetters({ rows }) {
  if (!rows.length) return notice(t("deadLetters.empty"));
  return table(
    [
      { title: t("deadLetters.reason"), head: true, cell: (row) => el("div", {}, row.reason, el("br"), el("span", { class: "quiet" }, row.topic)), value: (row) => row.reason },
      cells(t("deadLetters.unsolved"), (row) => row.unsolved),
      cells(t("deadLetters.solved"), (row) => row.solved),
      { title: t("deadLetters.last"), number: true, cell: (row) => time(row.last_dt) },
    ],
    rows,
    t("deadLetters.title"),
  );
}

function notCounted({ rows }) {
  if (!rows.length) return notice(t("notCounted.empty"));
  const word = (key, plain) => (known(key) ? t(key) : plain);
  const why = (row) => el("div", {}, word(`reason.${row.reason}`, row.reason), ...(row.detail ? [el("br"), el("span", { class: "quiet" }, row.detail)] : []));
  return table(
    [
      { title: t("notCounted.why"), head: true, cell: why, value: (row) => `${row.reason} ${row.detail ?? ""}`.trim() },
      { title: t("notCounted.amount"), number: true, value: (row) => row.amount,
        cell: (row) => el("span", {}, number(row.amount), el("span", { class: "quiet" }, ` ${word(`unit.${row.unit}`, row.unit)}`)) },
    ],
    rows,
    t("notCounted.title"),
  );
}

// --- one guest ---------------------------------------------------------------------------------------------------------

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
  const rows = (blocks.tags.data?.rows ?? []).filter((row) => row.guests > 0);
  if (!rows.length) return $("guest-examples").replaceChildren();
  if (!rows.some((row) => row.tag === choice.exampleTag)) choice.exampleTag = rows[0].tag;
  const tag = choice.exampleTag;
  const { rows: found } = await ask(`guests?tag=${encodeURIComponent(tag)}`).catch(() => ({ rows: [] }));
  const select = el("select", { id: "example-tag", onchange: () => {
    choice.exampleTag = select.value;
    examples().then(() => $("example-tag").focus());
  } }, ...rows.map((row) => el("option", { value: row.tag, selected: row.tag === tag }, row.tag)));
  const ids = found.map((row) => el("button", { type: "button", onclick: () => findGuest(row.guest_id) }, row.guest_id));
  $("guest-examples").replaceChildren(
    el("p", { class: "quiet" }, el("label", { for: "example-tag" }, `${t("guest.examples")} `), select),
    el("div", { class: "chips" }, ...ids),
  );
}

// --- the whole ---------------------------------------------------------------------------------------------------------

const blocks = {
  tags: new Block("tags", () => "tags", tags),
  audience: new Block("audience", () => `audience?days=${chosen("audience-days")}`, audience),
  thresholds: new Block("thresholds", () => "thresholds", thresholds),
  categories: new Block("categories", () => "categories", categories),
  dishes: new Block("dishes", () => "dishes", dishes),
  orders: new Block("orders", () => `orders?days=${chosen("orders-days")}`, orders),
  deadLetters: new Block("dead-letters", () => "dead-letters", deadLetters),
  notCounted: new Block("not-counted", () => "not-counted", notCounted),
};
const redraw = () => Object.values(blocks).forEach((block) => block.draw());

// Whether a fault is that of one block or of all is known once the strip knows.
const drawFaults = () => Object.values(blocks).filter((block) => block.fault).forEach((block) => block.draw());

async function refresh() {
  await Promise.all([strip.look(), ...Object.values(blocks).map((block) => block.load())]);
  drawFaults();
  blocks.thresholds.draw(); // it shows the rules of another block
  await examples();
  speak();
}

// When all numbers on the page were answered; where some were not, since when they are old.
let whole = null;
function sayWhen() {
  const all = Object.values(blocks);
  const well = all.every((block) => block.answered && !block.fault) && strip.isKnown();
  if (well) whole = new Date(Math.min(...all.map((block) => block.answered)));
  const failed = strip.isUnknown() || all.some((block) => block.fault);
  $("updated").textContent = well ? t("updated", clock(whole)) : failed ? (whole ? t("notUpdated", clock(whole)) : t("neverUpdated")) : "";
}

function speak() {
  document.documentElement.lang = language;
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
  if (choice.wrong) complain(t("guest.blank"));
  sayWhen();
  $("footer").textContent = t("footer", zone());
  document.querySelector(`input[name="language"][value="${language}"]`).checked = true;
}

speak();
$("refresh").addEventListener("click", refresh);
$("audience-days").addEventListener("change", () => blocks.audience.load());
$("orders-days").addEventListener("change", () => blocks.orders.load());
$("language").addEventListener("change", (event) => {
  setLanguage(event.target.value);
  speak();
  strip.draw();
  redraw();
  examples();
  if (choice.guest) findGuest(choice.guest);
});
$("guest-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const id = $("guest-id").value.trim();
  if (id) return findGuest(id);
  complain(t("guest.blank"));
  $("guest-id").focus();
});
window.addEventListener("themechange", redraw);
// Numbers are asked for again when the warehouse is back; while it is away, what they say of it changes.
strip.begin({ retry: refresh, change: () => (strip.isUnknown() ? (drawFaults(), sayWhen()) : refresh()) });
setInterval(() => document.visibilityState === "visible" && refresh(), REFRESH_MS);
refresh();
