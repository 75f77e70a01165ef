// The page: tabs, each of which asks for its own numbers when it is opened and every minute while somebody looks; the strip above
// them says whether the numbers can be trusted.

import * as act from "./act.js";
import { whenAnswered } from "./block.js";
import { el } from "./dom.js";
import * as exports from "./exports.js";
import * as guest from "./guest.js";
import * as numbers from "./numbers.js";
import * as places from "./place.js";
import * as quality from "./quality.js";
import * as rules from "./rules.js";
import * as strip from "./strip.js";
import { clock, language, setLanguage, t, zone } from "./texts.js";

const REFRESH_MS = 60_000;
const { TABS, goTo, place } = places;
const blocksOf = { rules: rules.blocks, guest: {}, exports: exports.blocks, state: quality.blocks, numbers: numbers.blocks };

const $ = (id) => document.getElementById(id);
const shown = () => Object.values(blocksOf[place.tab]);
const redraw = () => shown().forEach((block) => block.draw());

// Whether a fault is that of one block or of all is known once the strip knows.
const drawFaults = () => shown().filter((block) => block.fault).forEach((block) => block.draw());

async function load() {
  await Promise.all([...shown().map((block) => block.load()), ...(place.tab === "guest" ? [guest.refresh()] : [])]);
  drawFaults();
}

const refresh = () => Promise.all([strip.look(), load()]).then(speak);

// --- tabs --------------------------------------------------------------------------------------------------------------

// What calls for somebody: a state that is wrong, exports that are held.
function badge(tab) {
  const told = (tab === "state" && strip.wrong() && "!") || (tab === "exports" && strip.held() && String(strip.held()));
  return told ? [el("span", { class: "badge" }, told)] : [];
}

function drawTabs() {
  const focused = $("tabs").contains(document.activeElement);
  $("tabs").replaceChildren(...TABS.map((tab) => el("button", {
    type: "button", role: "tab", id: `to-${tab}`, "aria-controls": tab, "aria-selected": String(tab === place.tab), tabindex: tab === place.tab ? "0" : "-1",
    onclick: () => tab !== place.tab && goTo(tab),
  }, t(`tab.${tab}`), ...badge(tab))));
  if (focused) $(`to-${place.tab}`).focus();
}

// The place has changed: shows its tab and asks for what stands there.
function arrive() {
  for (const tab of TABS) $(tab).hidden = tab !== place.tab;
  drawTabs();
  numbers.arrive();
  rules.arrive();
  guest.arrive();
  redraw(); // in the language and theme of now
  speak();
  load().then(sayWhen);
  if (place.tab === "state") strip.look();
}

$("tabs").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1, Home: -TABS.indexOf(place.tab), End: -1 - TABS.indexOf(place.tab) }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  goTo(TABS.at((TABS.indexOf(place.tab) + step) % TABS.length));
  $(`to-${place.tab}`).focus();
});

// --- the whole ---------------------------------------------------------------------------------------------------------

// When all numbers in sight were answered; where some were not, since when they are old.
let whole = null;
function sayWhen() {
  const all = shown();
  const well = all.every((block) => block.answered && !block.fault) && strip.isKnown();
  if (well) whole = new Date(Math.min(strip.answeredAt(), ...all.map((block) => block.answered)));
  const failed = strip.isUnknown() || all.some((block) => block.fault);
  $("updated").textContent = well ? t("updated", clock(whole)) : failed ? (whole ? t("notUpdated", clock(whole)) : t("neverUpdated")) : "";
  $("printed").textContent = t("printed", clock(new Date()), zone());
}

function speak() {
  document.documentElement.lang = language;
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", t(element.dataset.label));
  guest.speak();
  rules.speak();
  drawTabs();
  sayWhen();
  $("footer").textContent = t("footer", zone());
  document.querySelector(`input[name="language"][value="${language}"]`).checked = true;
}

$("refresh").addEventListener("click", refresh);
$("language").addEventListener("change", (event) => {
  setLanguage(event.target.value);
  speak();
  strip.draw();
  redraw();
  if (place.tab === "guest") guest.refresh();
});
window.addEventListener("themechange", redraw);
window.addEventListener("beforeprint", () => document.querySelectorAll("main details").forEach((one) => { one.open = true; }));
whenAnswered(sayWhen);
rules.begin();
numbers.begin();
guest.begin();
exports.begin();
// Numbers are asked for again when the warehouse is back; while it is away, what they say of it changes.
strip.begin({ retry: refresh, drawn: drawTabs, change: () => (strip.isUnknown() ? (drawFaults(), sayWhen()) : refresh()) });
setInterval(() => document.visibilityState === "visible" && refresh(), REFRESH_MS);
places.begin(arrive);
arrive();
act.learn().then(() => {
  redraw();
  if (place.tab === "guest" && !act.maySeeGuests()) guest.refresh();
});
strip.look().then(() => {
  drawFaults();
  sayWhen();
});
