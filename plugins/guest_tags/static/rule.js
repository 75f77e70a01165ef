// A rule as people read and write it. Nothing here asks or draws: it is all tried by a table (tests/page/test_rule.py).
//
// A rule is { tag, category_name, threshold, window_days, exit_threshold, comment, status, version, … }; window_days and
// exit_threshold may be null.

import { counted, number, ordinal, t } from "./texts.js";

const CONTENT = ["category_name", "threshold", "window_days", "exit_threshold"];
const MAX_CHARACTERS = 200;
const LATIN = /[A-Za-zÀ-ɏ]/;
const CYRILLIC = /[Ѐ-ԯ]/;

// "Guests with more than 3 closed orders of Пицца in the last 90 days; the tag stays while more than 1 remains".
export function ruleSentence({ category_name: category, threshold, window_days: days, exit_threshold: exit }) {
  return [
    t("rule.guests", counted(threshold, "over"), category),
    days === null ? "" : t("rule.window", days, counted(days, "days")),
    exit === null || exit === threshold ? "" : t("rule.exit", exit, number(exit)),
  ].join("");
}

// "The 4th order gives the tag".
export const gives = ({ threshold }) => t("rule.gives", ordinal(threshold + 1));

// Whether two rules say the same of who has the tag.
export const isSame = (one, other) => CONTENT.every((name) => (one[name] ?? null) === (other[name] ?? null));

// What two names have in common that people take for one; as cdm.folded_tag.
export const folded = (name) => name.normalize("NFKC").replace(/\s/gu, "").toLowerCase().normalize("NFKC");

// The names that somebody who wrote this may have meant, the nearest first.
export function near(name, names) {
  const wanted = folded(name);
  return names
    .map((other) => ({ other, far: distance(wanted, folded(other)) / Math.max(1, wanted.length) }))
    .filter(({ far }) => far <= 0.4)
    .sort((one, other) => one.far - other.far)
    .slice(0, 3)
    .map(({ other }) => other);
}

// How many letters must be written anew to make one text of the other.
function distance(one, other) {
  let row = [...other].map((_, index) => index + 1);
  [...one].forEach((letter, index) => {
    let before = index;
    let left = index + 1;
    row = [...other].map((wanted, at) => {
      const cost = Math.min(left + 1, row[at] + 1, before + (wanted === letter ? 0 : 1));
      before = row[at];
      left = cost;
      return cost;
    });
  });
  return row.at(-1) ?? one.length;
}

const isWhole = (text) => /^\d+$/.test(text);

// What is wrong with what was written into the form: [{ field, text, offer? }], in the order of the fields; `offer` is a name to take
// instead. `written` holds texts, as inputs do: { tag, category, is_new, threshold, days, exit, comment }, days and exit null where
// they are not asked for. `known` is { tags, categories, limits }: limits as the DAG's parameters say them, by name.
export function check(written, { tags, categories, limits }) {
  const wrong = [];
  const say = (field, text, offer = null) => wrong.push({ field, text, ...(offer ? { offer } : {}) });
  const tag = written.tag.trim();
  const within = (text, name) => isWhole(text) && Number(text) >= (limits[name]?.minimum ?? 0) && Number(text) <= (limits[name]?.maximum ?? Infinity);

  if (!tag) say("tag", t("wrong.tag.empty"));
  else if ([...tag].length > MAX_CHARACTERS || /\p{C}/u.test(tag)) say("tag", t("wrong.tag.signs", number(MAX_CHARACTERS)));
  else if (!tags.includes(tag)) {
    const other = tags.find((name) => folded(name) === folded(tag));
    if (other) say("tag", t("wrong.tag.near", other), other);
    else if (LATIN.test(tag) && CYRILLIC.test(tag)) say("tag", t("wrong.tag.mixed", tag));
  }
  const category = written.category.trim();
  if (!category) say("category", t("wrong.category.empty"));
  else if (!categories.includes(category) && !written.is_new) {
    const [other] = near(category, categories);
    say("category", other ? t("wrong.category.near", category, other) : t("wrong.category.none", category), other);
  }
  if (!within(written.threshold, "threshold")) say("threshold", t("wrong.threshold"));
  if (written.days !== null && !within(written.days, "window_days")) {
    say("days", t("wrong.days", number(limits.window_days?.minimum ?? 1), number(limits.window_days?.maximum ?? 3660)));
  }
  if (written.exit !== null && !(isWhole(written.exit) && (!isWhole(written.threshold) || Number(written.exit) <= Number(written.threshold)))) {
    say("exit", isWhole(written.threshold) ? t("wrong.exit", number(Number(written.threshold))) : t("wrong.threshold"));
  }
  const longest = limits.comment?.maxLength ?? 500;
  if (written.comment.length > longest) say("comment", t("wrong.comment", number(longest)));
  return wrong;
}

// The rule in what was written, which is right.
export const asRule = (written) => ({
  tag: written.tag.trim(),
  category_name: written.category.trim(),
  threshold: Number(written.threshold),
  window_days: written.days === null ? null : Number(written.days),
  exit_threshold: written.exit === null ? null : Number(written.exit),
  comment: written.comment.trim(),
});

export const asWritten = (rule) => ({
  tag: rule?.tag ?? "",
  category: rule?.category_name ?? "",
  is_new: false,
  threshold: String(rule?.threshold ?? 3),
  days: rule?.window_days == null ? null : String(rule.window_days),
  exit: rule?.exit_threshold == null ? null : String(rule.exit_threshold),
  comment: rule?.comment ?? "",
});

// The same for a run of tag_rules or tag_rule_rehearse.
export const asConf = ({ tag, category_name: category, threshold, window_days, exit_threshold }) => ({ tag, category, threshold, window_days, exit_threshold });

// Guests who would have the tag by their orders of all time, of the rows of thresholds: exact where a rule has neither window nor
// exit threshold.
export function guestsOf({ category_name: category, threshold }, thresholds) {
  return thresholds.find((row) => row.category_name === category && row.threshold === threshold)?.guests ?? 0;
}
