// The strip above the page, which says whether the numbers can be trusted, and the block State, which says why and what to do.

import { Act, link, may, offerToSwitchOn, reason, whenSwitchedOn } from "./act.js";
import { Refusal, ask, askAirflow, askAirflowWithTime, result, runPath, taskOf } from "./airflow.js";
import { el } from "./dom.js";
import { goTo, place } from "./place.js";
import { MINUTE_RUN, judge, lastOver, sentence, stuckRun } from "./state.js";
import { clock, counted, duration, language, moment, number, t, time } from "./texts.js";

const ASK_MS = 20_000;
const TICK_MS = 5_000;
const RUNS = 60;
const CHECKS = "data_checks";
const REPLAY = "dead_letters_replay";
const FAILURES_NAMED = 3;
const CHECKS_ASKED = 2;

const $ = (id) => document.getElementById(id);

// --- facts -------------------------------------------------------------------------------------------------------------

// What was answered last; ages grow from `at`, by the clock that only goes forward.
let known = { facts: null, at: 0, fresh: null };
let answered = null;
// What a run's task has said does not change: asked once. By run, task of a run that is over.
const said = new Map();

async function once(key, of) {
  if (!said.has(key)) {
    if (said.size > 50) said.clear();
    said.set(key, await of());
  }
  return said.get(key);
}

// Where DAGs are closed to the reader, there are none.
const unlessClosed = (error) => {
  if (error.code === "forbidden") return null;
  throw error;
};

async function minuteRun() {
  const [dag, runs] = await Promise.all([
    askAirflow(`dags/${MINUTE_RUN}`),
    askAirflowWithTime(`dags/${MINUTE_RUN}/dagRuns?order_by=-run_after&limit=${RUNS}`),
  ]);
  const list = runs.body.dag_runs;
  const over = lastOver(list);
  const stuck = stuckRun(list, runs.date);
  let task = null;
  if (over?.state === "failed") task = await once(over.dag_run_id + over.end_date, () => taskOf(MINUTE_RUN, over.dag_run_id, ["failed"]));
  else if (stuck) task = await taskOf(MINUTE_RUN, stuck.dag_run_id, ["running", "up_for_retry", "queued"]);
  return { dag, runs: list, task, now: runs.date };
}

// The last check of the laws that came to an end, whether skipped beside a rebuild or not run at all: then there is none.
async function lastCheck() {
  const filter = "task_id=laws&state=success&state=failed&order_by=-start_date&limit=24";
  const { task_instances: checks } = await askAirflow(`dags/${CHECKS}/dagRuns/~/taskInstances?${filter}`);
  const [last] = checks;
  if (!last) return null;
  const key = last.dag_run_id + last.end_date;
  const check = { dag_run_id: last.dag_run_id, checked: last.end_date, broken: false, since: null, error: null, laws: null };
  if (last.state === "success") {
    // How many they are, only State says.
    if (place.tab === "state") check.laws = (await once(key, () => result(CHECKS, last.dag_run_id, "laws"))).laws ?? null;
    return check;
  }
  const firstWell = checks.findIndex(({ state }) => state === "success");
  const failed = checks.slice(0, firstWell === -1 ? undefined : firstWell);
  check.since = failed.at(-1).end_date;
  for (const { dag_run_id, end_date } of failed.slice(0, CHECKS_ASKED)) {
    const failure = await once(dag_run_id + end_date, () => taskOf(CHECKS, dag_run_id, ["failed"]));
    check.error ??= failure?.error ?? null;
    if (saysBroken(failure)) return { ...check, dag_run_id, broken: true, error: failure?.error ?? null };
  }
  return check;
}

// A check that failed for another reason (PostgreSQL has not answered, a parameter that nobody knows) says nothing of the laws, and
// the one before it counts. Where a log is gone, the worse is taken.
const saysBroken = (failure) => !failure?.kind || failure.kind === "BrokenLawError";

// Returns the facts of `judge`, and what State shows beside them.
async function facts() {
  const [fresh, minute, laws] = await Promise.allSettled([ask("freshness"), minuteRun().catch(unlessClosed), lastCheck().catch(unlessClosed)]);
  const failed = [fresh, minute, laws].find(({ status }) => status === "rejected")?.reason;
  if (failed && !(failed instanceof Refusal)) console.error(failed);
  const now = minute.value?.now ?? Date.now();
  if (failed) return { facts: { now: Date.now(), code: failed.code ?? "unexpected", answered }, fresh: null };
  answered = Date.now();
  const [row] = fresh.value.rows;
  return { facts: { now, error: null, answered, hidden: minute.value === null, warehouse: row, ...minute.value, laws: laws.value }, fresh: row };
}

// The facts as of this moment: time has gone on since they were told.
function aged() {
  const passed = performance.now() - known.at;
  const { facts: told } = known;
  const warehouse = told.warehouse?.as_of ? { ...told.warehouse, age_s: told.warehouse.age_s + passed / 1000 } : told.warehouse;
  const error = told.code ? t(`error.${told.code}`, MINUTE_RUN) : null; // in the language of now
  return { ...told, error, warehouse, now: told.now + passed };
}

// --- the strip ---------------------------------------------------------------------------------------------------------

let asking = null;
let onChange = () => {};
let onRetry = () => {};
let onDrawn = () => {};
let spoken = null;

export const isUnknown = () => known.facts !== null && judge(aged()).state === "unknown";
export const isKnown = () => known.facts !== null && !isUnknown();
export const answeredAt = () => answered;
// Whether minute runs come: what is changed is in force with the next. Where that isn't known, they do.
export const isRunning = () => !known.facts?.dag?.is_paused;
// Whether a state is said that somebody should look at.
export const wrong = () => spoken !== null && $("strip").dataset.level === "red";

// How many exports wait for somebody to approve them.
export const held = () => known.fresh?.exports_held ?? 0;

// Asks for everything anew and draws it; several who ask at once get one answer.
export function look() {
  asking ??= facts().then((answer) => {
    const was = known.facts && judge(aged()).state;
    // What was known stays on the page; the strip says that it is old.
    known = { ...answer, fresh: answer.fresh ?? known.fresh, at: performance.now() };
    draw();
    if (was !== null && (was === "unknown") !== isUnknown()) onChange();
  }).finally(() => { asking = null; });
  return asking;
}

function wayOn(judged) {
  if (judged.state === "unknown") return el("button", { type: "button", onclick: () => onRetry() }, t("retry"));
  if (judged.state === "off") return el("button", { type: "button", disabled: !may(MINUTE_RUN), title: reason(MINUTE_RUN), onclick: () => offerToSwitchOn(MINUTE_RUN) }, t("strip.on"));
  if (judged.state === "failing") return link(t("strip.log"), runPath(MINUTE_RUN, judged.run.dag_run_id, judged.task));
  if (judged.state === "stuck") return link(t("strip.run"), runPath(MINUTE_RUN, judged.run.dag_run_id));
  if (judged.state === "laws") return link(t("strip.log"), runPath(CHECKS, judged.run.dag_run_id, "laws"));
  return el("a", { href: "?tab=state", onclick: (event) => { event.preventDefault(); goTo("state"); } }, t("state.title"));
}

// Draws strip and State in the present language.
export function draw() {
  if (known.facts) drawState(drawStrip());
}

// The strip alone: ages grow. Where that makes it another state, State follows.
function tick() {
  if (!known.facts) return;
  const was = spoken;
  const judged = drawStrip();
  if (spoken !== was) drawState(judged);
}

function drawStrip() {
  const judged = judge(aged());
  const text = sentence(judged);
  const strip = $("strip");
  strip.dataset.state = judged.state;
  strip.dataset.level = judged.level;
  const way = wayOn(judged);
  const shape = `${judged.state} ${way.href ?? ""} ${language}`;
  // Whoever is about to press the button keeps it while the age grows.
  if (strip.dataset.shape === shape) strip.querySelector("p").textContent = text;
  else {
    const focused = strip.contains(document.activeElement);
    strip.replaceChildren(el("span", { class: "light", "aria-hidden": "true" }), el("p", {}, text), way);
    if (focused) way.focus();
  }
  strip.dataset.shape = shape;
  // Ages change all the time; only another state is worth to be read out.
  const state = `${judged.state} ${judged.level} ${language}`;
  if (state !== spoken) {
    $("spoken").textContent = text;
    spoken = state;
    onDrawn();
  }
  return judged;
}

// --- State -------------------------------------------------------------------------------------------------------------

function drawState(judged) {
  const box = document.querySelector('[data-block="state"]');
  const focused = box.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const { facts: told, fresh } = known;
  box.classList.remove("loading");
  box.classList.toggle("stale", judged.state === "unknown");
  box.setAttribute("aria-busy", "false");
  box.replaceChildren(
    ...(fresh ? [tiles(fresh, judged)] : []),
    el("dl", { class: "rows" }, ...[
      ["runs", told.runs && runsRow(told)],
      ["laws", !told.code && !told.hidden ? lawsRow(told) : null],
      ["refused", fresh && refusedRow(fresh)],
      ["todo", el("span", {}, judged.entry.runbook[language])],
    ].filter(([, row]) => row).flatMap(([name, row]) => [el("dt", {}, t(`state.${name}`)), el("dd", { "data-row": name }, row)])),
  );
  if (focused) box.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function tiles(now, judged) {
  const tile = (name, value, text, under, tone = "") =>
    el("div", {}, el("dt", {}, t(`state.${name}`)), el("dd", { "data-name": name, "data-value": value },
      el("span", { class: `figure ${tone}` }, text), el("span", { class: "quiet" }, under ?? "")));
  const moment_ = (name, iso, under) => tile(name, iso ?? "", iso ? time(iso) : t("never"), under, "moment");
  const since = (iso) => (iso ? t("since", time(iso)) : null);
  const count = (name, value, under, tone) => tile(name, value ?? "", value === null ? "—" : number(value), under, tone);
  const { as_of: asOf, age_s: age } = aged().warehouse ?? now;
  const tone = { green: "good", yellow: "warn", red: "bad" }[judged.state === "late" || judged.state === "well" ? judged.level : ""] ?? "";
  return el(
    "dl",
    { class: "tiles" },
    tile("judged", asOf ?? "", asOf ? moment(asOf, age) : t("never"), asOf ? t("state.ago", duration(age)) : null, `moment ${tone}`),
    count("kafka", now.kafka_lag),
    count("messages", now.messages_waiting, since(now.messages_waiting_since)),
    count("recount", now.guests_waiting, since(now.guests_waiting_since)),
    count("rules", now.rules_waiting),
    moment_("order", now.last_order_dt),
    moment_("event", now.last_tag_event_dt),
  );
}

const lasted = (run) => (run.start_date && run.end_date ? (Date.parse(run.end_date) - Date.parse(run.start_date)) / 1000 : 0);

function runsRow({ runs }) {
  const hourAgo = known.facts.now - 3_600_000;
  const shown = runs.filter((run) => Date.parse(run.run_after) >= hourAgo).reverse();
  if (!shown.length) return el("span", { class: "quiet" }, t("state.noruns"));
  const longest = Math.max(1, ...shown.map(lasted));
  const failed = shown.filter((run) => run.state === "failed").reverse();
  const bars = el("div", { class: "runs", "aria-hidden": "true" }, ...shown.map((run) => {
    const bar = el("i", { class: run.state, title: `${time(run.run_after)}, ${run.state}, ${duration(lasted(run))}` });
    bar.style.height = `${Math.max(12, (100 * lasted(run)) / longest)}%`;
    return bar;
  }));
  const links = failed.slice(0, FAILURES_NAMED).flatMap((run) => [" ", link(clock(new Date(run.run_after)), runPath(MINUTE_RUN, run.dag_run_id))]);
  return el("div", {}, bars, el("p", { class: "quiet" }, t("state.runs.told", counted(shown.length, "runs"), number(failed.length), duration(longest)), ...links));
}

function lawsRow({ laws }) {
  const [words, tone] =
    laws === null ? [t("state.laws.never"), "quiet"]
    : laws.broken ? [laws.error ?? t("state.laws.broken"), "bad"]
    : laws.error ? [laws.error, "warn"]
    : [t("state.laws.hold", laws.laws === null ? "" : number(laws.laws), time(laws.checked)), "good"];
  return el("div", { class: "does" }, el("p", { class: tone }, words), ...button("checks"));
}

function refusedRow({ dead_letters: unsolved }) {
  const words = unsolved ? t("state.refused.some", number(unsolved)) : t("state.refused.none");
  return el("div", { class: "does" }, el("p", { class: unsolved ? "warn" : "quiet", "data-name": "letters", "data-value": unsolved }, words), ...(unsolved || actions.letters.act.says ? button("letters") : []));
}

// --- what the buttons do -----------------------------------------------------------------------------------------------

const actions = {
  checks: {
    act: new Act({ name: "checks", dag: CHECKS, task: "laws", done: (counts) => t("act.checks.done", counts), changed: () => draw(), over: () => onRetry() }),
    conf: {}, note: "Asked for on the page: check the laws of the data now",
  },
  letters: {
    act: new Act({ name: "letters", dag: REPLAY, task: "replay", done: (counts) => t("act.letters.done", counts), changed: () => draw(), over: () => onRetry() }),
    conf: {}, note: "Asked for on the page: try all dead letters again",
  },
};

function button(name) {
  const { act, conf, note } = actions[name];
  return [
    el("button", { type: "button", "data-key": name, disabled: act.busy || !may(act.dag), onclick: () => act.send(conf, note) }, t(`state.${name}.do`)),
    act.says ? act.answer() : el("p", { class: "quiet", "data-answer": name }, reason(act.dag)),
  ];
}

// Begins to look, and goes on while somebody sees the page. `retry` loads all numbers; `change` hears that the warehouse went or
// came, `drawn` each new drawing.
export function begin({ retry, change, drawn }) {
  onRetry = retry;
  onChange = change;
  onDrawn = drawn;
  whenSwitchedOn(look);
  for (const { act } of Object.values(actions)) act.resume();
  setInterval(() => document.visibilityState === "visible" && look(), ASK_MS);
  setInterval(() => document.visibilityState === "visible" && tick(), TICK_MS);
}
