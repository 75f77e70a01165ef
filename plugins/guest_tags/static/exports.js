// The tab Exports: each audience, what was handed over last, and what is held; what is asked for goes to Airflow as a run of
// audience_export, an approval as one of audience_approve: that takes a right of its own. No identifier and no guest stands here.

import { Act, may, reason } from "./act.js";
import { Block, notice } from "./block.js";
import * as dialog from "./dialog.js";
import { el } from "./dom.js";
import { number, t, time } from "./texts.js";

const EXPORT = "audience_export";
const APPROVE = "audience_approve";
const HALF = 0.5; // who removes more than this types the number
const signed = (adds, removes) => `+${number(adds)} −${number(removes)}`;
const percent = (row) => number(Math.max(row.next_adds, row.next_removes) / Math.max(1, row.members), { style: "percent" });

function list({ rows: all }) {
  if (!all.length) return notice(t("exports.empty"));
  return [...(reason(EXPORT) ? [el("p", { class: "warn" }, reason(EXPORT))] : []), send.answer(), release.answer(), ...all.map(audience)];
}

function audience(row) {
  const retired = row.audience_status === "retired";
  return el("article", { "data-audience": row.audience },
    el("h3", {}, row.audience),
    el("p", {}, t("exports.who", row.include_tags.join(", "), row.exclude_tags.join(", "))),
    el("p", { class: "quiet" }, [
      t("exports.channel", row.channel, row.identifier),
      row.requires_consent ? t("exports.consent") : t("exports.noconsent"),
      row.control_percent > 0 ? t("exports.control", number(row.control_percent)) : "",
      retired ? t("exports.retired") : "",
    ].filter(Boolean).join(" ")),
    ...next(row),
    el("p", { "data-name": "last" }, row.seq ? t("exports.last", row.seq, time(row.published_dt), signed(row.adds, row.removes), number(row.members)) : t("exports.none")),
    el("div", { class: "does" }, button(row, "dry", () => ask(row, { mode: "dry run" }, t("exports.do.dry"))), button(row, "full", () => full(row))));
}

// What has not gone, and why.
function next(row) {
  if (!row.next_status) return [];
  const counts = signed(row.next_adds, row.next_removes);
  const said = row.next_status === "held" ? t("exports.held", row.next_seq, time(row.next_as_of), counts, percent(row), row.max_change_percent) : t(`exports.is.${row.next_status}`, row.next_seq, counts, row.min_rows);
  const skipped = Object.entries(row.skipped ?? {}).filter(([, guests]) => guests).map(([why, guests]) => `${t(`exports.skipped.${why}`)} ${number(guests)}`);
  return [
    el("p", { class: row.next_status === "held" ? "bad" : "warn", "data-name": "next", "data-state": row.next_status }, said),
    ...(skipped.length ? [el("p", { class: "quiet" }, t("exports.skipped", skipped.join(", ")))] : []),
    ...(row.reasons ?? []).map((why) => el("p", { class: "quiet" }, t(`exports.why.${why.event}`, why.tag, why.rule_version, number(why.guests)))),
    ...(row.next_status === "held" ? [el("div", { class: "does" }, button(row, "approve", () => approve(row), APPROVE)), ...(reason(APPROVE) ? [el("p", { class: "warn" }, reason(APPROVE))] : [])] : []),
  ];
}

const button = (row, what, act, dag = EXPORT) =>
  el("button", { type: "button", "data-key": `${what}-${row.audience}`, disabled: send.busy || release.busy || !may(dag), title: reason(dag), onclick: act }, t(`exports.do.${what}`));

export const block = new Block("exports", () => "exports", list);
export const blocks = { exports: block };

// --- what is asked for -------------------------------------------------------------------------------------------------

const act = (name, dag, task) => new Act({
  name, dag, task, changed: () => block.draw(), over: () => block.load(),
  done: (counts, about) => {
    const told = counts?.[about.audience];
    if (!told) return t("exports.nothing");
    const counted = signed(told.adds, told.removes);
    const later = told.held_back ? ` ${t("exports.later", signed(told.held_back.adds, told.held_back.removes))}` : "";
    if (about.dry) return t("exports.would", counted) + later;
    return (told.status === "published" ? t("exports.done", told.seq, counted) : t("exports.nothing")) + later;
  },
});
const send = act("export", EXPORT, "export");
const release = act("approve", APPROVE, "approve");

// One answer stands there: that of what was asked for last.
function ask(row, conf, sentence, by = send) {
  (by === send ? release : send).forget();
  by.send({ audience: row.audience, ...conf }, `${row.audience}: ${sentence}`, { about: { audience: row.audience, dry: conf.mode === "dry run" } });
}

function full(row) {
  dialog.open({
    title: t("exports.do.full"),
    body: [el("p", {}, t("exports.full", number(row.members)))],
    yes: t("exports.full.yes"),
    act: async () => {
      ask(row, { mode: "full" }, t("exports.do.full"));
      return null;
    },
  });
}

// What was seen is what goes: by its number and the hash of its plan.
function approve(row) {
  const many = row.next_removes > row.members * HALF;
  const typed = el("input", { type: "text", inputmode: "numeric", autocomplete: "off", "aria-label": t("exports.type", number(row.next_removes)) });
  dialog.open({
    title: t("exports.approve", row.next_seq),
    body: [el("p", { "data-name": "goes" }, signed(row.next_adds, row.next_removes)), ...(many ? [el("p", {}, t("exports.type", number(row.next_removes))), typed] : [])],
    yes: t("exports.do.approve"),
    act: async () => {
      if (many && typed.value.replace(/\D/g, "") !== String(row.next_removes)) return t("exports.type", number(row.next_removes));
      ask(row, { seq: row.next_seq, plan_hash: row.next_hash }, t("exports.approve", row.next_seq), release);
      return null;
    },
  });
}

export const begin = () => Promise.all([send.resume(), release.resume()]);
