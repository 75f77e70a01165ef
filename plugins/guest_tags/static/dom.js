// Makes elements. Text is always set as text: names of categories, dishes and guests come from outside.

// el("td", { class: "number" }, "5"): attributes by name, `on…` as listeners, null and false leave one out.
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// A table: `columns` are { title, cell(row), number?, head?, class? }; `cell` gives text or an element. A cell that holds a
// number carries it bare in data-value, too, for whoever reads the page by program.
export function table(columns, rows, caption) {
  const classes = (column) => [column.number && "number", column.class].filter(Boolean).join(" ") || null;
  const head = columns.map((column) =>
    column.title ? el("th", { scope: "col", class: classes(column) }, column.title) : el("td", { class: classes(column) }),
  );
  const body = rows.map((row) =>
    el(
      "tr",
      {},
      ...columns.map((column) => {
        const attributes = { class: classes(column), "data-title": column.title || null, "data-value": column.value ? column.value(row) : null };
        return el(column.head ? "th" : "td", column.head ? { ...attributes, scope: "row" } : attributes, column.cell(row) ?? "");
      }),
    ),
  );
  const name = caption ? el("caption", { class: "unseen" }, caption) : null;
  const wide = columns.filter(({ number }) => number).length > 3; // cards on a phone: page.css
  const whole = el("table", { class: wide ? "cards" : null }, name, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...body));
  // A wide table scrolls by itself, also by keyboard; the page never does.
  return el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": caption }, whole);
}

// Bars of one row: widths in percent of the whole track. For eyes only, the numbers stand beside it.
export function track(widths) {
  const parts = widths.map((width) => {
    const part = el("i");
    part.style.width = `${width}%`;
    return part;
  });
  return el("div", { class: "track", "aria-hidden": "true" }, ...parts);
}
