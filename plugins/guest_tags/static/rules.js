// The tab Rules: each tag with its audience and who is about to get it; what another threshold would give.

import { Block, asTable, cells, notice } from "./block.js";
import { thresholdChart } from "./charts.js";
import { el, table, track } from "./dom.js";
import { counted, number, t } from "./texts.js";

const TAIL = 0.01; // of a category's guests: the curve of thresholds ends there

const sum = (rows, of) => rows.reduce((total, row) => total + of(row), 0);

// What the reader has chosen; kept when the numbers are drawn anew.
const choice = { category: null, threshold: null };

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

export const blocks = {
  tags: new Block("tags", () => "tags", tags),
  thresholds: new Block("thresholds", () => "thresholds", thresholds),
};
