// Can the numbers be trusted? `judge` answers by facts alone and asks nobody; states.json holds the states and their sentences,
// docs/page.md says how they are read.

import { duration, language, moment } from "./texts.js";

export const STATES = await (await fetch(new URL("states.json", import.meta.url), { signal: AbortSignal.timeout(15_000) })).json();
export const MINUTE_RUN = "orders_micro_batch";
const STUCK_S = STATES.find(({ state }) => state === "stuck").over_s;

const seconds = (iso, now) => (now - Date.parse(iso)) / 1000;
const isOver = (run) => run.state === "success" || run.state === "failed";

// Runs come newest first. These two tell which run the state of now is about, or null.
export const lastOver = (runs) => runs.find(isOver) ?? null;
export const stuckRun = (runs, now) => runs.find((run) => run.state === "running" && seconds(run.start_date, now) > STUCK_S) ?? null;

// Returns { state, level, since, task, run, values, entry }: the first of STATES that fits; `entry` is its place in states.json.
//
// facts.now        what time it is, in ms, by the clock of the servers
// facts.error      why the warehouse or Airflow is not known, a sentence; null = both answer
// facts.answered   when both last did, in ms; null = never
// facts.warehouse  { as_of, age_s }: everything sent before as_of is judged; as_of null = nothing yet
// facts.dag        { is_paused } of the minute run
// facts.runs       its runs, newest first: { dag_run_id, state, run_after, start_date, end_date }
// facts.task       the task that failed, or in which the run is stuck: { task_id, error }; null = not known
// facts.laws       the last check: { broken, since, error, dag_run_id }; null = none was made
// facts.hidden     true = whoever looks may not see DAGs: only the age is judged, and all is never well
export function judge(facts) {
  const { now, warehouse, runs, dag, laws, hidden } = facts;
  const missing = facts.error || !warehouse || (!hidden && (!dag || !runs));
  if (missing) {
    const since = facts.answered ? new Date(facts.answered).toISOString() : null;
    return is("unknown", { error: facts.error, since: since && moment(since, seconds(since, now)) }, { since });
  }
  const judged = warehouse.as_of ? { as_of: moment(warehouse.as_of, warehouse.age_s), age: duration(warehouse.age_s) } : {};
  if (!hidden) {
    if (dag.is_paused) return is("off", { ...judged, dag: MINUTE_RUN }, { since: warehouse.as_of });
    const over = lastOver(runs);
    const task = facts.task?.task_id ?? null;
    if (over?.state === "failed") {
      const at = over.end_date ?? over.run_after;
      return is("failing", { ...judged, task: task ?? MINUTE_RUN, time: moment(at, seconds(at, now)), error: facts.task?.error }, { since: at, task, run: over });
    }
    const stuck = stuckRun(runs, now);
    if (stuck) {
      const places = { as_of: judged.as_of, task: task ?? MINUTE_RUN, time: moment(stuck.run_after, seconds(stuck.run_after, now)), age: duration(seconds(stuck.start_date, now)) };
      return is("stuck", places, { since: stuck.start_date, task, run: stuck });
    }
  }
  if (!warehouse.as_of) return is("new", {});
  const age = warehouse.age_s;
  const fits = (entry) => {
    if (entry.state === "late") return age > entry.over_s;
    if (entry.state === "laws") return laws?.broken;
    return entry.state === "well";
  };
  const entry = STATES.find(fits);
  if (entry.state === "laws") {
    return is("laws", { ...judged, error: laws.error, since: moment(laws.since, seconds(laws.since, now)) }, { since: laws.since, run: laws });
  }
  return { ...is(entry, judged, { since: warehouse.as_of }), ...(hidden && entry.state === "well" ? { level: "grey", only: 1 } : {}) };
}

function is(which, values, { since = null, task = null, run = null } = {}) {
  const entry = typeof which === "string" ? STATES.find(({ state }) => state === which) : which;
  return { state: entry.state, level: entry.level, since, task, run, values, entry };
}

// The sentences of a state as one text: those whose every place is known.
export function sentence({ entry, values, only }) {
  const known = (text) => [...text.matchAll(/\{(\w+)\}/g)].every(([, place]) => values[place]);
  const said = entry[language].filter(known).slice(0, only);
  return said.map((text) => text.replace(/\{(\w+)\}/g, (_, place) => values[place])).join(" ");
}
