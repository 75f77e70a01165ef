// Below State: what was refused, and what arrived and does not count.

import { Block, cells, notice } from "./block.js";
import { el, table } from "./dom.js";
import { known, number, t, time } from "./texts.js";

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

export const blocks = {
  deadLetters: new Block("dead-letters", () => "dead-letters", deadLetters),
  notCounted: new Block("not-counted", () => "not-counted", notCounted),
};
