// Asks the page's own addresses and Airflow's API, and sends what a button asks for. All by the reader's own session: what they
// may not do is refused by Airflow.

import { known } from "./texts.js";

const LIMIT_MS = 15_000;
const FOLLOW_MS = 15 * 60_000;
const API = "../api/v2/";
const segment = encodeURIComponent;

// Carries a word that the texts know; `detail` is what Airflow says of it, its first line.
export class Refusal extends Error {
  constructor(code, detail = null) {
    super(code);
    this.code = code;
    this.detail = detail;
  }
}

// Returns { body, date }: the JSON of an address and when it was answered, in ms by the server's clock; throws a Refusal.
async function request(address, options = {}) {
  let answer;
  let body;
  try {
    answer = await fetch(address, { ...options, headers: { Accept: "application/json", ...options.headers }, signal: AbortSignal.timeout(LIMIT_MS) });
    body = await answer.json().catch((error) => {
      if (error.name === "TimeoutError") throw error;
      return {};
    });
  } catch (error) {
    throw new Refusal(error.name === "TimeoutError" ? "timeout" : "offline");
  }
  if (answer.ok) return { body, date: Date.parse(answer.headers.get("Date")) || Date.now() };
  if (known(`error.${body.code}`)) throw new Refusal(body.code);
  const codes = { 400: "invalid", 401: "session", 403: "forbidden", 404: "missing", 409: "sent", 422: "invalid" };
  throw new Refusal(codes[answer.status] ?? "unexpected", typeof body.detail === "string" ? body.detail.split("\n")[0] : null);
}

// The JSON of an address of the page.
export async function ask(address) {
  try {
    return (await request(`api/${address}`)).body;
  } catch (error) {
    if (error.code === "forbidden") error.code = "session"; // the whole page is closed to this person
    throw error;
  }
}

// The same, asked for with a body: what must stand in no address.
export const askFor = async (address, body) =>
  (await request(`api/${address}`, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } })).body;

// The JSON of an address of Airflow.
export const askAirflow = async (path) => (await request(API + path)).body;

// The same, with the time of Airflow's clock.
export const askAirflowWithTime = (path) => request(API + path);

const send = async (method, path, body) =>
  (await request(API + path, { method, body: JSON.stringify(body), headers: { "Content-Type": "application/json" } })).body;

export const isPaused = async (dag) => (await askAirflow(`dags/${segment(dag)}`)).is_paused;
export const switchOn = (dag) => send("PATCH", `dags/${segment(dag)}?update_mask=is_paused`, { is_paused: false });

// Asks for a run under an id that is made once for a press of a button: sent again, it is the same run.
export async function trigger(dag, runId, conf, note) {
  try {
    await send("POST", `dags/${segment(dag)}/dagRuns`, { dag_run_id: runId, logical_date: null, conf, note });
  } catch (error) {
    if (error.code !== "sent") throw error;
  }
}

export const newKey = () => crypto.randomUUID?.() ?? `${Date.now()}${Math.random()}`;
export const newRunId = (action, key = newKey()) => `page__${action}__${key}`;

const run = (dag, runId) => `dags/${segment(dag)}/dagRuns/${segment(runId)}`;

// Tells `say` each state that a run is in, until it is over. Returns "success", "failed" or "lost".
export async function follow(dag, runId, say) {
  const begin = Date.now();
  while (Date.now() - begin < FOLLOW_MS) {
    const { state } = await askAirflow(run(dag, runId)).catch((error) => {
      if (error.code === "missing" || error.code === "session") throw error;
      return {}; // asked again
    });
    if (state === "success" || state === "failed") return state;
    if (state) await say(state);
    await new Promise((go) => setTimeout(go, Date.now() - begin < 30_000 ? 1000 : 5000));
  }
  return "lost";
}

// What a task of a run has returned, an object of counts; {} where it says nothing.
export const result = async (dag, runId, task) => {
  const { value } = await askAirflow(`${run(dag, runId)}/taskInstances/${segment(task)}/xcomEntries/return_value`).catch(() => ({}));
  return (typeof value === "string" ? parsed(value) : value) ?? {};
};

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

// The task of a run in one of these states that began first: { task_id, error, kind }; null where there is none. `error` is the first
// line of its exception's text, `kind` its class; null where the log does not say.
export async function taskOf(dag, runId, states) {
  const { task_instances: tasks } = await askAirflow(`${run(dag, runId)}/taskInstances`);
  const [task] = tasks.filter(({ state }) => states.includes(state)).sort((a, b) => (a.start_date ?? "") < (b.start_date ?? "") ? -1 : 1);
  if (!task) return null;
  const said = task.state === "failed" ? await exception(dag, runId, task).catch(() => null) : null;
  return { task_id: task.task_id, error: said?.text ?? null, kind: said?.kind ?? null };
}

const MAX_CHARACTERS = 300;

async function exception(dag, runId, task) {
  const { content } = await askAirflow(`${run(dag, runId)}/taskInstances/${segment(task.task_id)}/logs/${task.try_number}?full_content=true`);
  // What was raised comes first, then what it was raised from, which speaks to programmers.
  const detail = content.findLast((entry) => entry.error_detail?.length)?.error_detail[0];
  if (!detail) return null;
  const line = String(detail.exc_value ?? "").split("\n")[0].trim();
  const short = line.length > MAX_CHARACTERS ? `${line.slice(0, MAX_CHARACTERS)}…` : line;
  return { kind: detail.exc_type, text: short && (/[.!?…]$/.test(short) ? short : `${short}.`) };
}

// --- places of Airflow's UI --------------------------------------------------------------------------------------------

export const runPath = (dag, runId, task = null) => `dags/${segment(dag)}/runs/${segment(runId)}${task ? `/tasks/${segment(task)}` : ""}`;

// For a link's click: in Airflow's frame its router goes there; by itself the link is followed.
export function openInAirflow(event) {
  if (window.parent === window || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  const { href } = event.currentTarget;
  window.parent.history.pushState({}, "", href);
  window.parent.dispatchEvent(new PopStateEvent("popstate"));
}

export const airflowAddress = (path) => new URL(`../${path}`, document.baseURI).href;
