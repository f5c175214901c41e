// One panel of a dashboard, by its kind. Unit, limits, words and colours come with the panel.

import { element } from "./format.js";
import { drawMap, drawRows, heatRows, plot } from "./panelplots.js";
import { colourOf, hasNumber, shown, styleOf } from "./panelvalues.js";

/** Draw a panel into a host; returns what ends it, if anything must be ended. */
export function drawPanel(host, spec, answers, context) {
  const series = answers.flatMap((one) => one.series.map((found) => named(spec, found))).flat();
  if (!series.length || (spec.no_value && !series.some((line) => line.values.some(hasNumber)))) {
    host.replaceChildren(element("p", { class: "board-empty" }, spec.no_value || "no data in this time"));
    return undefined;
  }
  const draw = { stat, gauge, bargauge, table, timeseries: plot, "state-timeline": stateRows, "status-history": stateRows, heatmap: heatRows, geomap: drawMap, histogram: plot }[spec.kind];
  return draw(host, spec, { series, answers, context });
}

/** One line per column of a series: its name, tags, times [s] and values. */
function named(spec, found) {
  const [, ...names] = found.columns, tags = found.tags ?? null;
  const times = found.values.map((row) => row[0] / 1e9);
  return names.map((column, k) => ({ column, tags, name: tags ? Object.values(tags).join(" ") : column, times, values: found.values.map((row) => row[k + 1]) }));
}

const newest = (line) => line.values.findLast((value) => value !== null && value !== undefined) ?? null;

function stat(host, spec, { series }) {
  host.replaceChildren(...series.map((line) => {
    const style = styleOf(spec, line.column), value = newest(line);
    const figure = element("b", { class: "board-figure" }, shown(style, value));
    figure.style.color = colourOf(style, value);
    return figure;
  }));
}

function gauge(host, spec, { series }) {
  const [line] = series, style = styleOf(spec, line.column), value = newest(line);
  const low = style.low ?? 0, high = style.high ?? Math.max(...(style.steps ?? []).map((step) => step.value ?? 0), value ?? 1) * 1.1;
  const share = hasNumber(value) ? Math.max(0, Math.min(1, (value - low) / (high - low || 1))) : 0;
  const svg = (tag, attributes) => { const node = document.createElementNS("http://www.w3.org/2000/svg", tag); for (const [key, one] of Object.entries(attributes)) node.setAttribute(key, one); return node; };
  const arc = (from, to, colour, width, radius) => {
    const at = (part) => { const angle = Math.PI * (1 + part); return `${60 + radius * Math.cos(angle)} ${58 + radius * Math.sin(angle)}`; };
    return svg("path", { d: `M ${at(from)} A ${radius} ${radius} 0 0 1 ${at(to)}`, stroke: colour, "stroke-width": width, fill: "none" });
  };
  const picture = svg("svg", { viewBox: "0 0 120 62", role: "img", "aria-label": `${spec.title}: ${shown(style, value)}` });
  picture.append(arc(0, 1, "var(--line)", 11, 44));
  if (share > 0) picture.append(arc(0, share, colourOf(style, value), 11, 44));
  const place = (one) => Math.max(0, Math.min(1, ((one ?? low) - low) / (high - low || 1)));
  (style.steps ?? []).forEach((step, k, all) => { const from = place(step.value), to = k + 1 < all.length ? place(all[k + 1].value) : 1; if (to > from) picture.append(arc(from, to, step.colour, 3, 53)); });
  const figure = element("b", { class: "board-figure" }, shown(style, value));
  figure.style.color = colourOf(style, value);
  host.replaceChildren(picture, figure);
}

function bargauge(host, spec, { series }) {
  const words = series.filter((line) => typeof newest(line) === "string"), numbers = series.filter((line) => hasNumber(newest(line)));
  const rows = numbers.flatMap((line) => line.values.map((value, k) => ({ name: words.length ? words.map((one) => one.values[k]).join(" ") : line.name, value, style: styleOf(spec, line.column) })));
  const most = Math.max(...rows.map((row) => row.style.high ?? row.value ?? 0), 1e-12);
  host.replaceChildren(...rows.map(({ name, value, style }) => {
    const bar = element("i");
    bar.style.width = `${Math.max(0, Math.min(100, (100 * (value ?? 0)) / most))}%`;
    bar.style.background = colourOf(style, value);
    return element("div", { class: "bar-row" }, element("span", {}, name), element("span", { class: "bar-track" }, bar), element("b", {}, shown(style, value)));
  }));
}

function table(host, spec, { answers, context }) {
  const found = answers.flatMap((one) => one.series)[0];
  const order = (name) => { const at = spec.order.indexOf(name); return at < 0 ? 99 : at; };
  const names = found.columns.map((name, k) => ({ name: k ? name : "Time", k })).filter(({ name }) => !spec.hidden.includes(name) && !spec.overrides[name]?.hidden).sort((a, b) => order(a.name) - order(b.name));
  const key = names.find(({ name }) => name === spec.sort_by);
  const rows = found.values.slice();
  if (key) rows.sort((a, b) => (spec.sort_descending ? -1 : 1) * (typeof a[key.k] === "number" ? (a[key.k] ?? -Infinity) - (b[key.k] ?? -Infinity) : String(a[key.k]).localeCompare(String(b[key.k]))));
  const isNumeric = (k) => k > 0 && rows.some((row) => typeof row[k] === "number");
  const cell = (row, { name, k }) => {
    const style = styleOf(spec, name), value = row[k];
    if (!k) return element("td", {}, new Date(value / 1e6).toISOString().replace("T", " ").slice(0, 19));
    const number = typeof value === "number", td = element("td", { class: isNumeric(k) ? "number" : "" });
    const record = Object.fromEntries(found.columns.map((column, at) => [column, row[at]]));
    td.append(style.link && value ? element("a", { href: context.link(style.link, record) }, String(value)) : shown(style, value));
    if (style.steps?.length && number) td.style.color = colourOf(style, value);
    return td;
  };
  host.replaceChildren(element("table", {}, element("thead", {}, element("tr", {}, ...names.map(({ name, k }) => element("th", { class: isNumeric(k) ? "number" : null }, name)))), element("tbody", {}, ...rows.slice(0, 200).map((row) => element("tr", {}, ...names.map((column) => cell(row, column)))))));
}

function stateRows(host, spec, { series, answers, context }) {
  return drawRows(host, series, answers[0], {
    colour: (line, value) => colourOf(styleOf(spec, line.column), value),
    text: (line, value) => shown(styleOf(spec, line.column), value),
    link: spec.style.link ? (line) => context.link(spec.style.link, line.tags ?? {}) : null,
    gap: spec.kind === "status-history" ? 1 : 0,
  });
}
