// The charts, drawn by Chart.js (vendor/) in the colours of the theme. Each is an image with a name for screen readers;
// the numbers themselves stand in a table below it.

import { el } from "./dom.js";
import { number } from "./texts.js";

const DASHES = [[], [6, 3], [2, 3]];
const drawn = new Map();

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// The look of the n-th line: a colour, and a dash once the colours are used up.
export function lineLook(index) {
  const colours = style("--series").split(",").map((colour) => colour.trim());
  return { colour: colours[index % colours.length], dash: DASHES[Math.floor(index / colours.length) % DASHES.length] };
}

const STATUS_COLOURS = { CLOSED: "--closed", DELIVERING: "--delivering", COOKING: "--cooking", OPEN: "--open", CANCELLED: "--cancelled" };
export const STATUSES = Object.keys(STATUS_COLOURS);
export const statusColour = (status) => style(STATUS_COLOURS[status] ?? "--other");

function draw(name, label, config) {
  drawn.get(name)?.destroy();
  const canvas = el("canvas", { role: "img", "aria-label": label });
  const box = el("div", { class: "chart" }, canvas);
  // Chart.js measures its box, so it waits until that stands in the page.
  queueMicrotask(() => drawn.set(name, new window.Chart(canvas, config)));
  return box;
}

function options({ stacked = false, xTitle = null, tooltipTitle }) {
  const ink = style("--quiet");
  const grid = style("--line");
  const font = { family: getComputedStyle(document.body).fontFamily, size: 12 };
  return {
    animation: false,
    maintainAspectRatio: false,
    interaction: { mode: "index", intersect: false },
    scales: {
      x: {
        stacked,
        grid: { display: false },
        border: { color: grid },
        ticks: { color: ink, font, maxRotation: 0, autoSkipPadding: 24 },
        // Hours without a name have no tick; the rest is thinned out where the room is narrow.
        afterBuildTicks: (axis) => {
          axis.ticks = axis.ticks.filter(({ value }) => axis.getLabelForValue(value) !== "");
        },
        title: { display: xTitle !== null, text: xTitle ?? "", color: ink, font },
      },
      y: {
        stacked,
        beginAtZero: true,
        grid: { color: grid },
        border: { display: false },
        ticks: { color: ink, font, precision: 0, maxTicksLimit: 6, callback: (value) => number(value) },
      },
    },
    plugins: {
      legend: { display: false },
      tooltip: {
        backgroundColor: style("--ink"),
        titleColor: style("--card"),
        bodyColor: style("--card"),
        titleFont: font,
        bodyFont: font,
        callbacks: {
          title: (items) => (items.length ? tooltipTitle(items[0].dataIndex) : ""),
          label: (item) => ` ${item.dataset.label}: ${number(item.parsed.y)}`,
        },
      },
    },
  };
}

// series: [{ label, values, look }] over `labels`.
export function lineChart(name, label, labels, series) {
  return draw(name, label, {
    type: "line",
    data: {
      labels,
      datasets: series.map(({ label, values, look }) => ({
        label,
        data: values,
        borderColor: look.colour,
        backgroundColor: look.colour,
        borderDash: look.dash,
        borderWidth: 2,
        pointRadius: labels.length > 40 ? 0 : 3,
        pointHitRadius: 12,
      })),
    },
    options: options({ tooltipTitle: (index) => labels[index] }),
  });
}

// series: [{ label, values, colour }], stacked over `labels`; `titles` are the labels in full.
export function stackedChart(name, label, labels, titles, series) {
  return draw(name, label, {
    type: "bar",
    data: {
      labels,
      datasets: series.map(({ label, values, colour }) => ({
        label,
        data: values,
        backgroundColor: colour,
        barPercentage: 1,
        categoryPercentage: labels.length > 40 ? 0.92 : 0.8,
        borderRadius: labels.length > 40 ? 0 : 2,
      })),
    },
    options: options({ stacked: true, tooltipTitle: (index) => titles[index] }),
  });
}

// Slanting lines of a colour, for what must not be told by colour alone.
function hatched(colour) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const pen = tile.getContext("2d");
  pen.strokeStyle = colour;
  pen.lineWidth = 2;
  for (const shift of [-8, 0, 8]) {
    pen.beginPath();
    pen.moveTo(shift, 8);
    pen.lineTo(shift + 8, 0);
    pen.stroke();
  }
  return pen.createPattern(tile, "repeat");
}

// By weeks: bars up are entries, bars down exits (by time filled, by orders hatched), the line is how many carry the tag.
export function weeksChart(name, label, { labels, entries, byTime, byOrders, carried, names }) {
  const [up, down] = [style("--closed"), style("--cancelled")];
  const bar = (title, values, colour, backgroundColor = colour) => ({ label: title, data: values, backgroundColor, borderColor: colour, borderWidth: 1, stack: "all" });
  const less = (values) => values.map((value) => -value);
  const config = options({ stacked: true, tooltipTitle: (index) => labels[index] });
  config.scales.y.beginAtZero = true;
  config.scales.y.ticks.callback = (value) => number(Math.abs(value));
  config.scales.carried = { ...config.scales.y, stacked: false, position: "right", grid: { display: false } };
  config.plugins.legend = { display: true, position: "bottom", labels: { color: style("--quiet"), boxWidth: 14 } };
  config.plugins.tooltip.callbacks.label = (item) => ` ${item.dataset.label}: ${number(Math.abs(item.parsed.y))}`;
  return draw(name, label, {
    type: "bar",
    data: {
      labels,
      datasets: [
        { type: "line", label: names.carried, data: carried, yAxisID: "carried", borderColor: style("--accent"), backgroundColor: style("--accent"), borderWidth: 2, pointRadius: labels.length > 40 ? 0 : 2 },
        bar(names.entries, entries, up),
        bar(names.byTime, less(byTime), down),
        bar(names.byOrders, less(byOrders), down, hatched(down)),
      ],
    },
    options: config,
  });
}
