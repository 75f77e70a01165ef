// A rehearsal as the page shows it: what the draft would have done by weeks, who is near, what it shares with other tags.

import { asTable, cells, notice } from "./block.js";
import { weeksChart } from "./charts.js";
import { el, table } from "./dom.js";
import { counted, day, number, t, time } from "./texts.js";

const figure = (name, value) =>
  el("div", {}, el("dt", {}, t(`rehearsal.${name}`)), el("dd", { "data-name": name, "data-value": value }, el("span", { class: "figure" }, number(value))));

// `told` is what api/rehearsal answers: { rehearsal, weeks, overlaps, near }.
export function show({ rehearsal, weeks, overlaps, near }) {
  if (!rehearsal) return [notice(t("rehearsal.missing"))];
  const missing = (orders) => near.find((row) => row.orders_missing === orders)?.guests ?? 0;
  const header = el("p", { class: "quiet" }, t("rehearsal.of", time(rehearsal.as_of), day(rehearsal.from_dt), rehearsal.zone));
  const tiles = el(
    "dl",
    { class: "tiles" },
    figure("enter", rehearsal.would_enter),
    figure("leave", rehearsal.would_leave),
    figure("guests", rehearsal.guests),
    figure("soon", missing(0)),
    figure("kept", rehearsal.kept_by_hysteresis),
  );
  const total = weeks.reduce((sum, row) => sum + row.entries + row.exits + row.carried, 0);
  const columns = [
    { title: t("rehearsal.week"), head: true, cell: (row) => day(row.week), value: (row) => row.week },
    cells(t("rehearsal.entries"), (row) => row.entries),
    cells(t("rehearsal.exits"), (row) => row.exits),
    cells(t("rehearsal.bytime"), (row) => row.exits_by_time),
    cells(t("rehearsal.carried"), (row) => row.carried),
  ];
  const drawn = total
    ? [
        weeksChart("rehearsal", t("rehearsal.chart", day(weeks[0].week), day(weeks.at(-1).week)), {
          labels: weeks.map((row) => day(row.week)),
          entries: weeks.map((row) => row.entries),
          byTime: weeks.map((row) => row.exits_by_time),
          byOrders: weeks.map((row) => row.exits - row.exits_by_time),
          carried: weeks.map((row) => row.carried),
          names: { entries: t("rehearsal.entries"), byTime: t("rehearsal.bytime"), byOrders: t("rehearsal.byorders"), carried: t("rehearsal.carried") },
        }),
        asTable(columns, weeks, t("rehearsal.title")),
      ]
    : [notice(t("rehearsal.nobody"))];
  const nearly = [1, 2, 3].map((orders) => t("rehearsal.lack", number(missing(orders)), counted(orders, "lacking"))).join(", ");
  const lines = [
    el("p", { "data-name": "near" }, t("rehearsal.near", nearly)),
    el("p", { "data-name": "flapping" }, rehearsal.flapping_guests
      ? t("rehearsal.flapping", counted(rehearsal.flapping_guests, "guests"), number(rehearsal.most_entries))
      : t("rehearsal.steady")),
    ...(overlaps.length
      ? [el("details", { "data-key": "overlaps" }, el("summary", {}, t("rehearsal.overlaps")), table(
          [
            { title: t("tag"), head: true, cell: (row) => row.tag, value: (row) => row.tag },
            cells(t("rehearsal.both"), (row) => row.both_have),
            cells(t("rehearsal.onlydraft"), (row) => row.only_draft),
            cells(t("rehearsal.onlytag"), (row) => row.only_tag),
          ],
          overlaps,
          t("rehearsal.overlaps"),
        ))]
      : []),
    ...(rehearsal.dated_ahead ? [el("p", { class: "quiet" }, t("rehearsal.ahead", counted(rehearsal.dated_ahead, "orders")))] : []),
  ];
  return [header, tiles, ...drawn, ...lines];
}
