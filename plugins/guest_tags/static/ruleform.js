// The form of a rule: what is written, what is wrong with it, its rehearsal, and what sends it. What was written outlives a reload.

import { Act, may, reason, store } from "./act.js";
import { ask, askAirflow, newKey } from "./airflow.js";
import { failure } from "./block.js";
import { el } from "./dom.js";
import * as rehearsals from "./rehearsal.js";
import { asConf, asRule, asWritten, check, gives, guestsOf, isSame, ruleSentence } from "./rule.js";
import { counted, t, zone } from "./texts.js";

export const RULES = "tag_rules";
export const REHEARSE = "tag_rule_rehearse";
const KEPT = "guest-tags.form";

const WEEKS_BACK = 26;
const WEEK_MS = 7 * 86_400_000;

const $ = (id) => document.getElementById(id);

// { key, of, seen, written, from, wrong, rehearsed }: `of` is the rule or draft that is changed, null for a new one; `seen` the newest
// version of its tag when it was opened; `from` where the weeks of a rehearsal begin; `wrong` the complaints; `rehearsed` what
// api/rehearsal answered of the rehearsal that is shown.
let form = null;
// Asked for when a form opens.
const known = { categories: [], thresholds: [], limits: {}, fault: null };
let tags = () => [];
let onChange = () => {};

const draw = () => form && drawAnswers();
const rehearse = new Act({
  name: "rehearse", dag: REHEARSE, task: "rehearse", changed: draw,
  done: () => t("rehearsal.done"),
  over: async (counts) => {
    if (!counts || !form) return;
    await showRehearsal(counts.rehearsal_id);
    await onChange();
    $("rehearsal-title")?.focus();
  },
});
const save = new Act({
  name: "draft", dag: RULES, task: "rules", changed: draw,
  done: () => t("draft.saved"),
  over: async (counts, { tag }) => {
    await onChange();
    if (!counts || !form) return;
    Object.assign(form, { of: tags().find((row) => row.tag === tag && row.status === "draft") ?? form.of, seen: counts.version, key: newKey() });
    keep();
    drawAnswers();
  },
});

export const isOpen = () => form !== null;

function keep() {
  store((storage) => (form ? storage.setItem(KEPT, JSON.stringify({ ...form, wrong: [], rehearsed: null, id: form.rehearsed?.rehearsal?.rehearsal_id })) : storage.removeItem(KEPT)));
}

// Opens the form with a rule's content; `rule` null is a new one.
export async function open(rule) {
  const from = new Date(Date.now() - WEEKS_BACK * WEEK_MS).toISOString().slice(0, 10);
  form = { key: newKey(), of: rule, seen: rule ? rule.newest_version : null, written: asWritten(rule), from, wrong: [], rehearsed: null };
  for (const act of [rehearse, save]) act.forget();
  build();
  keep();
  $(rule ? "form-threshold" : "form-tag").focus();
  await Promise.all([learn(), ...(rule?.rehearsal_id ? [showRehearsal(rule.rehearsal_id)] : [])]);
  if (form) build();
}

export function close() {
  form = null;
  keep();
  $("rule-form").replaceChildren();
  $("rule-form").hidden = true;
}

async function learn() {
  try {
    const [categories, thresholds, details] = await Promise.all([ask("categories"), ask("thresholds"), askAirflow(`dags/${RULES}/details`).catch(() => ({}))]);
    known.categories = categories.rows.map((row) => row.category_name);
    known.thresholds = thresholds.rows;
    known.limits = Object.fromEntries(Object.entries(details.params ?? {}).map(([name, param]) => [name, param.schema ?? {}]));
    known.fault = null;
  } catch (error) {
    known.fault = error.code ?? "unexpected";
  }
}

async function showRehearsal(id) {
  try {
    const told = await ask(`rehearsal?id=${id}`);
    if (!form) return;
    form.rehearsed = told;
    keep();
    drawAnswers();
  } catch (error) {
    $("form-rehearsal")?.replaceChildren(failure(error.code ?? "unexpected", () => showRehearsal(id)));
  }
}

// --- the fields --------------------------------------------------------------------------------------------------------

const OTHER = "\u0000other";

function field(name, label, input, under = null) {
  const { text } = form.wrong.find((one) => one.field === name) ?? {};
  input.id = `form-${name}`;
  input.setAttribute("aria-describedby", `form-${name}-wrong`);
  if (text) input.setAttribute("aria-invalid", "true");
  return el("div", { class: "field", "data-field": name }, el("label", { for: `form-${name}` }, label), input, under, complaint(name));
}

function complaint(name) {
  const { text, offer } = form.wrong.find((one) => one.field === name) ?? {};
  const take = offer && el("button", { type: "button", class: "offer", onclick: () => accept(name, offer) }, offer);
  return el("p", { class: "bad", id: `form-${name}-wrong` }, text ?? "", ...(take ? [" ", take] : []));
}

function accept(name, offer) {
  form.written[name] = offer;
  const rule = name === "tag" && tags().find((row) => row.tag === offer && row.status !== "draft");
  if (rule) return open(rule);
  form.wrong = form.wrong.filter((one) => one.field !== name);
  keep();
  build();
  $(`form-${name}`).focus();
}

function input(name, more = {}) {
  const element = el("input", { value: form.written[name] ?? "", autocomplete: "off", ...more });
  element.addEventListener("input", () => written(name, element.value));
  return element;
}

function written(name, value) {
  form.written[name] = value;
  keep();
  drawAnswers();
}

function category() {
  const { written: now, of } = form;
  if (of && tags().some((row) => row.tag === of.tag && row.status === "active")) {
    return field("category", t("category"), el("input", { value: now.category, disabled: true }), el("p", { class: "quiet" }, t("form.category.fixed")));
  }
  const isOther = now.is_new || (now.category !== "" && !known.categories.includes(now.category));
  const option = (value, text) => el("option", { value, selected: value === (isOther ? OTHER : now.category) }, text);
  const select = el("select", {}, option("", t("form.choose")), ...known.categories.map((name) => option(name, name)), option(OTHER, t("form.other")));
  select.addEventListener("change", () => {
    now.is_new = select.value === OTHER;
    written("category", select.value === OTHER ? "" : select.value);
    if (isOther || now.is_new) {
      build();
      $("form-category").focus();
    }
  });
  if (!isOther) return field("category", t("category"), select);
  const box = el("input", { type: "checkbox", checked: now.is_new, "data-key": "is_new" });
  box.addEventListener("change", () => {
    now.is_new = box.checked;
    keep();
  });
  const back = el("button", { type: "button", onclick: () => {
    now.is_new = false;
    written("category", "");
    build();
    $("form-category").focus();
  } }, t("form.choose"));
  return field("category", t("category"), input("category"), el("p", {}, el("label", { class: "tick" }, box, t("form.new")), " ", back));
}

// A number that may be asked for or not, by a switch before it.
function optional(name, label, fallback, type, unit) {
  const on = form.written[name] !== null;
  const toggle = el("input", { type: "checkbox", checked: on, id: `form-${name}-on` });
  toggle.addEventListener("change", () => {
    form.written[name] = toggle.checked ? fallback() : null;
    keep();
    build();
    $(toggle.checked ? `form-${name}` : `form-${name}-on`).focus();
  });
  const tick = el("label", { class: "tick" }, toggle, label);
  if (!on) return el("div", { class: "field", "data-field": name }, tick);
  const number = input(name, { inputmode: "numeric", size: 6, "aria-label": `${label} ${unit}` });
  number.id = `form-${name}`;
  number.setAttribute("aria-describedby", `form-${name}-wrong`);
  if (form.wrong.some((one) => one.field === name)) number.setAttribute("aria-invalid", "true");
  return el("div", { class: "field", "data-field": name }, tick, el("div", { class: "row" }, number, el("span", {}, unit)), complaint(name));
}

function build() {
  const box = $("rule-form");
  const { id: focused, selectionStart, selectionEnd } = box.contains(document.activeElement) ? document.activeElement : {};
  const title = form.of ? t("form.change", form.of.tag) : t("form.new.title");
  const tag = form.of ? el("input", { value: form.written.tag, disabled: true }) : input("tag", { maxlength: 250, spellcheck: "false" });
  const from = el("input", { type: "date", value: form.from, id: "form-from" });
  from.addEventListener("change", () => {
    form.from = from.value || form.from;
    keep();
  });
  box.hidden = false;
  box.replaceChildren(
    el("div", { class: "heading" }, el("h2", { id: "rule-form-title" }, title), el("span", { class: "quiet" }, t("form.harmless"))),
    ...(known.fault ? [failure(known.fault, async () => {
      await learn();
      if (form) build();
    })] : []),
    el("form", { id: "rule-fields", class: "fields", novalidate: true, autocomplete: "off", onsubmit: (event) => event.preventDefault() },
      field("tag", t("tag"), tag),
      category(),
      field("threshold", t("form.threshold"), input("threshold", { inputmode: "numeric", size: 6 })),
      optional("days", t("form.days"), () => "90", "days", t("form.days.unit")),
      optional("exit", t("form.exit"), () => String(Math.max(0, (Number(form.written.threshold) || 0) - 1)), "exit", t("form.exit.unit")),
      field("comment", t("form.comment"), input("comment", { maxlength: 1000 })),
    ),
    el("div", { id: "form-meaning", role: "status" }),
    el("div", { class: "row does" }, el("label", { for: "form-from" }, t("form.from")), from, ...buttons()),
    el("div", { id: "form-answers", "aria-live": "polite" }),
    el("div", { id: "form-rehearsal" }),
  );
  drawAnswers();
  if (!focused || !$(focused)) return;
  $(focused).focus();
  // Whoever is typing while the menus come goes on where they were.
  if (Number.isInteger(selectionStart)) $(focused).setSelectionRange(selectionStart, selectionEnd);
}

function buttons() {
  const button = (id, text, act, main = false) =>
    el("button", { type: "button", id, class: main ? "main" : null, onclick: act }, text);
  return [
    button("form-rehearse", t("form.rehearse"), sendRehearsal, true),
    button("form-save", t("form.save"), sendDraft),
    button("form-activate", t("form.activate"), () => onActivate(form.of, form.rehearsed?.rehearsal)),
    button("form-close", t("form.close"), () => {
      close();
      $("new-rule").focus();
    }),
  ];
}
let onActivate = () => {};

// --- what is said of what is written -----------------------------------------------------------------------------------

function drawAnswers() {
  const rule = asRule(form.written);
  const right = check(form.written, { ...known, tags: names() }).length === 0;
  const exact = rule.window_days === null && (rule.exit_threshold === null || rule.exit_threshold === rule.threshold);
  const guests = guestsOf(rule, known.thresholds);
  const meaning = right
    ? [
        el("p", { "data-name": "sentence" }, `${ruleSentence(rule)}. ${gives(rule)}.`),
        el("p", { class: "name", "data-name": "today", "data-value": exact ? guests : "" }, exact ? t("form.today", counted(guests, "guests")) : t("form.unknown")),
      ]
    : [];
  $("form-meaning").replaceChildren(...meaning);
  // Whoever has pressed it keeps the focus: while it is on, a second press does nothing.
  const grey = (id, off) => { $(id).disabled = off; };
  grey("form-rehearse", !may(REHEARSE));
  $("form-rehearse").setAttribute("aria-disabled", String(rehearse.busy));
  grey("form-save", !may(RULES));
  $("form-save").setAttribute("aria-disabled", String(save.busy));
  const isSaved = form.of?.status === "draft" && isSame(form.of, rule) && form.of.comment === rule.comment;
  grey("form-activate", !isSaved || save.busy || !may(RULES));
  $("form-activate").title = isSaved ? "" : t("form.savefirst");
  const forbidden = reason(RULES) ?? reason(REHEARSE);
  $("form-answers").replaceChildren(...(forbidden ? [el("p", { class: "warn" }, forbidden)] : []), ...[rehearse, save].filter((act) => act.says).map((act) => act.answer()));
  drawRehearsal(rule, right);
}

// The chart is drawn anew only where something of it is another: typing must not make it flicker.
function drawRehearsal(rule, right) {
  const box = $("form-rehearsal");
  const told = form.rehearsed;
  const stale = Boolean(told?.rehearsal) && right && !isSame(told.rehearsal, rule);
  const key = told ? [told.rehearsal?.rehearsal_id, document.documentElement.lang, document.documentElement.dataset.theme, stale].join() : "";
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  box.replaceChildren(...(told
    ? [el("h3", { tabindex: "-1", id: "rehearsal-title" }, t("rehearsal.title")), ...(stale ? [el("p", { class: "warn" }, t("rehearsal.stale"))] : []), ...rehearsals.show(told)]
    : []));
}

// The names that a new rule must not be taken for; a rule's own is no other.
const names = () => [...new Set([...tags().map((row) => row.tag), ...(form.of ? [form.of.tag] : [])])];

// Returns the rule, or null where something is wrong with it: then that is said at the fields, and the first has the focus.
function checked() {
  form.wrong = check(form.written, { ...known, tags: names() });
  build();
  if (!form.wrong.length) return asRule(form.written);
  $(`form-${form.wrong[0].field}`).focus();
  return null;
}

function sendRehearsal() {
  const rule = checked();
  if (!rule) return;
  form.rehearsed = null;
  drawAnswers();
  const conf = { ...asConf(rule), from: `${form.from}T00:00:00Z`, as_of: null, zone: zone() };
  rehearse.send(conf, t("note.rehearse", ruleSentence(rule)), { about: { tag: rule.tag } });
}

function sendDraft() {
  const rule = checked();
  if (!rule) return;
  const seen = form.of ? form.seen : (tags().find((row) => row.tag === rule.tag)?.newest_version ?? 0);
  const conf = { action: "set one rule", status: "draft", ...asConf(rule), comment: rule.comment, category_is_new: form.written.is_new, expected_version: seen };
  save.send(conf, t("note.draft", ruleSentence(rule)), { key: form.key, about: { tag: rule.tag } });
  form.key = newKey();
}

// In another language or theme.
export function speak() {
  if (form) build();
}

// `rules()` are the rows of the list; `changed` asks for them anew; `activate(draft,
// rehearsal)` opens the dialog.
export function setUp({ rules, changed, activate }) {
  tags = rules;
  onChange = changed;
  onActivate = activate;
  const text = store((storage) => storage.getItem(KEPT));
  if (!text) return;
  const { id, ...before } = JSON.parse(text);
  form = { ...before, rehearsed: null };
  build();
  learn().then(() => form && build());
  if (id) showRehearsal(id);
  for (const act of [rehearse, save]) act.resume();
}
