// The tab Rules: each tag with its rule, its draft and its numbers; what changes a rule goes to Airflow as a run of tag_rules.

import { Act, may, reason, store } from "./act.js";
import { ask } from "./airflow.js";
import { Block, cells, notice } from "./block.js";
import * as dialog from "./dialog.js";
import { el, table } from "./dom.js";
import { goTo, note, place } from "./place.js";
import { isSame, ruleSentence } from "./rule.js";
import * as form from "./ruleform.js";
import * as strip from "./strip.js";
import { counted, number, t, time } from "./texts.js";

const { RULES } = form;
const DAY_MS = 86_400_000;
const SOON_MS = 5_000; // a change is in force within a minute: looked for so often
const CAME = "guest-tags.came";
const $ = (id) => document.getElementById(id);

const rows = () => block.data?.rows ?? [];
const ruleOf = (tag, status) => rows().find((row) => row.tag === tag && row.status === status);

// --- the list ----------------------------------------------------------------------------------------------------------

const filter = { text: "", status: "" };

function list({ rows: all }) {
  drawHeading(all);
  if (!all.length) return notice(t("rules.empty"));
  const wanted = all.filter((row) => (!filter.text || row.tag.toLowerCase().includes(filter.text.toLowerCase())) && (!filter.status || row.status === filter.status));
  if (!wanted.length) return notice(t("rules.none"));
  const judged = (row) => row.status !== "draft";
  const count = (title, of) => ({ title, number: true, cell: (row) => (of(row) === null ? "–" : number(of(row))), value: (row) => of(row) ?? "" });
  return [
    ...(reason(RULES) ? [el("p", { class: "warn" }, reason(RULES))] : []),
    table(
      [
        { title: t("tag"), head: true, cell: name, value: (row) => row.tag },
        count(t("rules.carry"), (row) => (judged(row) ? row.guests : row.rehearsed_guests)),
        count(t("rules.gained"), (row) => (judged(row) ? row.gained : null)),
        count(t("rules.lost"), (row) => (judged(row) ? row.lost : null)),
        count(t("rules.short"), (row) => (row.status === "active" ? row.one_short : null)),
        { title: "", class: "whole", cell: actions },
      ],
      wanted,
      t("rules.title"),
    ),
  ];
}

function name(row) {
  const state = row.status === "retired" ? t("rules.retired", time(row.changed_dt), row.changed_by ?? "") : row.status === "draft" ? t("rules.draft", time(row.changed_dt), row.changed_by ?? "") : "";
  return el(
    "div",
    { id: row.status === "draft" ? null : `tag-${row.tag}`, class: row.status, "data-tag": row.tag, "data-status": row.status },
    el("span", { class: "name" }, row.tag),
    " ",
    el("span", { class: "quiet" }, t("rules.version", row.version)),
    el("br"),
    el("span", { class: "quiet" }, ruleSentence(row)),
    ...(state ? [el("br"), el("span", { class: "quiet" }, state)] : []),
    ...(row.rehearsed_dt ? [el("br"), el("span", { class: "quiet" }, t("rules.rehearsed", time(row.rehearsed_dt)))] : []),
    ...(row.comment ? [el("br"), el("span", { class: "quiet" }, `«${row.comment}»`)] : []),
    ...(row.waiting ? [el("br"), el("span", { class: "warn", "data-name": "waiting" }, waits())] : []),
  );
}

// What a change waits for: a run, or somebody who switches runs on.
const waits = () => (strip.isRunning() ? t("rules.waiting") : t("rules.off"));

function actions(row) {
  const key = (what) => `${what}-${row.status}-${row.tag}`;
  const button = (what, act, changes = true) =>
    el("button", { type: "button", "data-key": key(what), disabled: changes && (change.busy || !may(RULES)), title: changes ? reason(RULES) : null, onclick: act }, t(`rules.do.${what}`));
  const more = (...buttons) => el("details", { class: "menu", "data-key": key("menu") }, el("summary", { "aria-label": t("rules.more", row.tag) }, "⋯"), el("div", { class: "chips" }, ...buttons));
  const versions = button("versions", () => showVersions(row), false);
  if (row.status === "draft") {
    return el("div", { class: "does" },
      button("look", () => form.open(row), false),
      button("activate", () => activate(row, rehearsed(row))),
      more(versions, button("discard", () => discard(row))));
  }
  if (row.status === "retired") return el("div", { class: "does" }, button("back", () => goBack(row, row)), more(versions));
  const draft = ruleOf(row.tag, "draft");
  return el("div", { class: "does" },
    button("change", () => form.open(draft ?? row), false),
    more(versions, button("retire", () => retire(row)), button("guests", () => goTo("guest", { tag: row.tag }), false)));
}

function drawHeading(all) {
  const of = (status) => all.filter((row) => row.status === status).length;
  $("rules-count").textContent = t("rules.count", number(of("active")), counted(of("draft"), "drafts"), number(of("retired")));
  $("new-rule").disabled = !may(RULES);
  $("new-rule").title = reason(RULES) ?? "";
}

export const block = new Block("rules", () => "rules", list);
export const blocks = { rules: block };

// --- what changes a rule -----------------------------------------------------------------------------------------------

const change = new Act({
  name: "rule", dag: RULES, task: "rules", changed: () => drawChange(),
  done: (_, about) => (about.done === "discarded" ? t("rules.discarded") : waits()),
  over: async (counts, about) => {
    await block.load();
    if (counts && about.done !== "discarded") {
      store((storage) => storage.setItem(CAME, JSON.stringify({ ...about, version: counts.version })));
      if (about.done === "activated") form.close();
      wait();
    }
    if (!counts) faster(about);
  },
});

function drawChange() {
  $("rules-answer").replaceChildren(...(change.says ? [change.answer()] : []), ...lines);
  block.draw();
}
let lines = [];

// One of these at a time: they are asked for in a dialog.
const send = (conf, sentence, about) => {
  lines = [];
  store((storage) => storage.removeItem(CAME));
  change.send(conf, sentence, { about: { tag: conf.tag, expected: conf.expected_version, ...about } });
};

// Where somebody has changed the rule since it was looked at, that is why it was refused.
function faster({ tag, expected }) {
  const newest = rows().find((row) => row.tag === tag && row.newest_version !== expected);
  if (expected == null || !newest) return;
  lines = [el("p", { class: "bad", "data-name": "faster" }, `${t("rules.faster", newest.newest_by ?? "", tag, time(newest.newest_dt), newest.newest_version)} `,
    el("button", { type: "button", onclick: () => showVersions(newest) }, t("rules.do.versions")))];
  drawChange();
}

// The last rehearsal of a draft, as api/rehearsal tells it.
const rehearsed = (row) => row.rehearsal_id && { ...row, would_enter: row.rehearsed_enter, would_leave: row.rehearsed_leave, made_dt: row.rehearsed_dt };

// `rehearsal` counts where it is of this very content and no older than a day.
function activate(draft, rehearsal) {
  const known = rehearsal && isSame(rehearsal, draft) && Date.now() - Date.parse(rehearsal.made_dt) < DAY_MS ? rehearsal : null;
  const foreseen = known && { enter: known.would_enter, leave: known.would_leave };
  const now = ruleOf(draft.tag, "active");
  dialog.open({
    title: t("activate.title", draft.tag),
    body: [
      known
        ? el("p", { class: "name", "data-name": "foreseen" }, t("activate.foreseen", counted(foreseen.enter, "get"), counted(foreseen.leave, "lose"), draft.tag))
        : el("p", { class: "warn", "data-name": "blind" }, t("activate.blind")),
      el("p", {}, t("activate.now", now ? ruleSentence(now) : t("activate.norule"))),
      el("p", {}, t("activate.then", ruleSentence(draft))),
      el("p", {}, t("activate.when")),
    ],
    yes: known ? t("activate.yes") : t("activate.yes.blind"),
    act: async () => {
      const about = { before: now?.version ?? null, done: "activated" };
      send({ action: "activate the draft", tag: draft.tag, expected_version: draft.newest_version }, t("note.activate", draft.tag, ruleSentence(draft)), about);
      return null;
    },
  });
}

function retire(rule) {
  dialog.open({
    title: t("retire.title", rule.tag),
    body: [el("p", {}, t("retire.what", counted(rule.guests, "lose"), rule.tag))],
    yes: t("rules.do.retire"),
    act: async () => {
      send({ action: "retire", tag: rule.tag, expected_version: rule.newest_version }, t("note.retire", rule.tag), { before: rule.version, done: "retired" });
      return null;
    },
  });
}

function discard(draft) {
  dialog.open({
    title: t("discard.title", draft.tag),
    body: [el("p", {}, ruleSentence(draft))],
    yes: t("rules.do.discard"),
    act: async () => {
      send({ action: "throw the draft away", tag: draft.tag, expected_version: draft.newest_version }, t("note.discard", draft.tag), { done: "discarded" });
      return null;
    },
  });
}

// `version` is how the rule was: a row of the list or of its versions.
function goBack(rule, version) {
  const now = ruleOf(rule.tag, "active");
  dialog.open({
    title: t("back.title", rule.tag, version.version),
    body: [el("p", {}, t("activate.now", now ? ruleSentence(now) : t("activate.norule"))), el("p", {}, t("activate.then", ruleSentence(version)))],
    yes: t("back.yes"),
    act: async () => {
      send({ action: "go back to a version", tag: rule.tag, version: version.version, expected_version: rule.newest_version }, t("note.back", rule.tag, version.version), { before: now?.version ?? null, done: "back" });
      return null;
    },
  });
}

// --- what came ---------------------------------------------------------------------------------------------------------

let waiting = false;

// Looks for the change until it is in force, then says what came of it.
async function wait() {
  if (waiting) return;
  waiting = true;
  try {
    for (;;) {
      const text = store((storage) => storage.getItem(CAME));
      if (!text) return;
      const about = JSON.parse(text);
      if (await came(about)) return;
      await new Promise((go) => setTimeout(go, SOON_MS));
      if (place.tab === "rules" && document.visibilityState === "visible") await block.load();
    }
  } finally {
    waiting = false;
  }
}

const signed = (plus, minus) => `+${number(plus)} −${number(minus)}`;

async function came({ tag, version, before, done }) {
  if (rows().some((row) => row.tag === tag && row.waiting) || !rows().some((row) => row.tag === tag)) return false;
  const { rows: versions } = await ask(`versions?tag=${encodeURIComponent(tag)}`).catch(() => ({ rows: [] }));
  const row = versions.find((one) => one.version === version);
  if (!row || row.gained === null) return false;
  await block.load(); // the list may be of the moment before
  const back = done === "activated" || done === "back" ? versions.find((one) => one.version === before) : null;
  const rule = rows().find((one) => one.tag === tag && one.status !== "draft");
  const undo = rule && (back ? () => goBack(rule, back) : () => retire(rule));
  lines = [el("p", { "data-name": "came", "data-gained": row.gained, "data-lost": row.lost },
    `${inForce(row)} `,
    ...(done === "retired" || !undo ? [] : [el("button", { type: "button", "data-key": "undo", disabled: !may(RULES), onclick: undo }, t("came.undo"))]))];
  change.forget();
  drawChange();
  return true;
}

// "In force since 20:02:04. Foreseen +372 −0, came +374 −0."
function inForce(row) {
  const came = signed(row.gained, row.lost);
  const told = row.foreseen_enter === null ? t("came.only", came) : t("came.both", signed(row.foreseen_enter, row.foreseen_leave), came);
  return `${t("came.since", time(row.changed_dt))} ${told}`;
}

// --- versions ----------------------------------------------------------------------------------------------------------

async function showVersions(rule) {
  const { rows: versions } = await ask(`versions?tag=${encodeURIComponent(rule.tag)}`).catch(() => ({ rows: [] }));
  const inForceNow = ruleOf(rule.tag, "active");
  const cell = (row, index) => {
    const before = versions[index + 1];
    const changed = before && !isSame(row, before);
    return el("div", {}, el("span", { class: changed ? "name" : null }, ruleSentence(row)), ...(row.comment ? [el("br"), el("span", { class: "quiet" }, `«${row.comment}»`)] : []),
      ...(row.gained === null ? [] : [el("br"), el("span", { class: "quiet" }, inForce(row))]));
  };
  const back = (row) => (row.status === "draft" || row.version === inForceNow?.version ? "" : el("button", { type: "button", disabled: change.busy || !may(RULES), title: reason(RULES), onclick: () => goBack(rule, row) }, t("back.yes")));
  dialog.open({
    title: t("versions.title", rule.tag),
    wide: true,
    no: t("dialog.close"),
    body: versions.length
      ? [table(
          [
            { title: t("versions.version"), head: true, cell: (row) => number(row.version), value: (row) => row.version },
            { title: t("versions.says"), cell: (row) => cell(row, versions.indexOf(row)) },
            { title: t("guest.state"), cell: (row) => t(`status.${row.status}`), value: (row) => row.status },
            { title: t("versions.who"), cell: (row) => row.changed_by ?? "–" },
            { title: t("time"), cell: (row) => (row.changed_dt ? time(row.changed_dt) : "–") },
            { title: "", cell: back },
          ],
          versions,
          t("versions.title", rule.tag),
        )]
      : [notice(t("versions.none"))],
  });
}

// --- the whole ---------------------------------------------------------------------------------------------------------

export function speak() {
  for (const option of $("rules-status").options) option.textContent = t(option.value ? `status.${option.value}` : "status.any");
  $("rules-find").placeholder = t("rules.find");
  form.speak();
}

// Shows the tag of the address.
export function arrive() {
  const { tag } = place.chosen;
  filter.text = tag ?? "";
  $("rules-find").value = filter.text;
}

export function begin() {
  form.setUp({ rules: rows, changed: () => block.load(), activate });
  $("new-rule").addEventListener("click", () => form.open(null));
  $("rules-find").addEventListener("input", (event) => {
    filter.text = event.target.value;
    note("tag", filter.text);
    block.draw();
  });
  $("rules-status").addEventListener("change", (event) => {
    filter.status = event.target.value;
    block.draw();
  });
  change.resume();
  wait();
}
